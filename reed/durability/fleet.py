"""A fleet of disks and everything that can happen to it, as plain validated values.

A `Fleet` says what is stored where, how disks fail, how faults are found and repaired, and which
faults are shared. It computes nothing but the translation into the rates that one stripe sees
(`stripe_faults`), which the chain and the simulator both start from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reed.errors import InvalidParameter

from .checks import (
    SHORTEST_HOURS,
    InvalidInput,
    choice,
    flag,
    hours,
    instance,
    integer,
    number,
)
from .clocks import Duration, Exponential, Fixed, Lifetime, Uniform, Weibull
from .result import HOURS_PER_YEAR
from .schemes import Scheme

SECONDS_PER_HOUR = 3600.0
REPAIR_MODES = ("parallel", "serial", "joint", "shared")
PLACEMENTS = ("random", "copyset")
UNITS = ("stripe", "disk_set")
DURATIONS = (Exponential, Weibull, Fixed, Uniform, type(None))
# Losses by other causes go under these names.
ON_READING, MIGRATION = RESERVED_NAMES = ("on reading", "migration")


@dataclass(frozen=True)
class Repair:
    """How a lost shard comes back.

    The mean time is detection + queueing + transfer. The transfer is either `transfer_hours` or
    one disk's used bytes over `bytes_per_second`, plus, where a codec rate has been measured, the
    same bytes over `codec_bytes_per_second` (reading and computing one after the other: an upper
    bound of the time). mode:

    parallel  every missing shard of a stripe has its own repair
    serial    one repair at a time per stripe
    joint     one pass rebuilds all missing shards
    shared    `bytes_per_second` is the budget of the whole fleet; failed disks queue for it
              (M/M/1 with the fleet's failure rate) and a stripe's shards come back one by one

    clock: the distribution around that mean; None is exponential. A clock given explicitly
    replaces the whole mean (its own mean counts).
    """

    detection_hours: float = 0.0
    queueing_hours: float = 0.0
    transfer_hours: float | None = None
    bytes_per_second: float | None = None
    codec_bytes_per_second: float | None = None
    mode: str = "parallel"
    clock: Duration | None = None

    def __post_init__(self) -> None:
        number("repair.detection_hours", self.detection_hours, 0)
        number("repair.queueing_hours", self.queueing_hours, 0)
        choice("repair.mode", self.mode, REPAIR_MODES)
        given = [name for name in ("transfer_hours", "bytes_per_second")
                 if getattr(self, name) is not None]
        if len(given) != 1 and not (self.clock is not None and not given):
            raise InvalidParameter(
                f"repair: {' and '.join(given) or 'nothing'} given; exactly one of transfer_hours "
                "and bytes_per_second (or a clock) is needed"
            )
        for name in (*given, "codec_bytes_per_second"):
            if getattr(self, name) is not None:
                number(f"repair.{name}", getattr(self, name), 0, low_open=True)
        instance("repair.clock", self.clock, *DURATIONS)
        if self.mode == "shared" and self.bytes_per_second is None:
            raise InvalidParameter("repair.mode = 'shared': bytes_per_second is needed")
        if self.clock is not None and self.mode in ("serial", "shared") and not isinstance(
            self.clock, Exponential
        ):
            raise InvalidParameter(
                f"repair.mode = {self.mode!r} with a {type(self.clock).__name__} clock: allowed "
                "is parallel or joint"
            )


@dataclass(frozen=True)
class LatentErrors:
    """Sectors that have become unreadable and wait, as `per_disk_year` arrivals of `cluster_bytes`
    each, until a scrub or a repair finds them."""

    per_disk_year: float
    cluster_bytes: float = 4096.0

    def __post_init__(self) -> None:
        number("latent_errors.per_disk_year", self.per_disk_year, 0)
        number("latent_errors.cluster_bytes", self.cluster_bytes, 1)


@dataclass(frozen=True)
class ReadErrors:
    """Unrecoverable errors at the moment of reading, `per_bit` read. The other way to count
    latent errors; a fleet has one or the other."""

    per_bit: float

    def __post_init__(self) -> None:
        number("read_errors.per_bit", self.per_bit, 0, 1e-6)


@dataclass(frozen=True)
class SilentCorruption:
    """Bytes that read back without an error and are wrong: `per_disk_year` events of
    `cluster_bytes` each."""

    per_disk_year: float
    cluster_bytes: float = 4096.0

    def __post_init__(self) -> None:
        number("silent_corruption.per_disk_year", self.per_disk_year, 0)
        number("silent_corruption.cluster_bytes", self.cluster_bytes, 1)


@dataclass(frozen=True)
class Scrub:
    """Every `interval_hours` everything is read. `misses` is the share of faults a pass does not
    find: "per_pass" misses have another chance at the next pass, "persistent" ones never. `clock`
    replaces the waiting time of a fault (default: exponential with the mean of the true wait, so
    that the chain applies; `Uniform` is a strictly periodic scrub)."""

    interval_hours: float
    misses: float = 0.0
    miss_kind: str = "per_pass"
    clock: Duration | None = None

    def __post_init__(self) -> None:
        hours("scrub.interval_hours", self.interval_hours)
        instance("scrub.clock", self.clock, *DURATIONS)
        number("scrub.misses", self.misses, 0, 0.999999)
        choice("scrub.miss_kind", self.miss_kind, ("per_pass", "persistent"))

    @property
    def mean_wait_hours(self) -> float:
        """From the fault to the pass that finds it: half a period, and a whole one per miss."""
        if self.clock is not None:
            return self.clock.mean_hours
        per_pass = self.misses if self.miss_kind == "per_pass" else 0.0
        return self.interval_hours * (0.5 + per_pass / (1.0 - per_pass))

    @property
    def buried_share(self) -> float:
        """The share of faults that no scrub ever finds."""
        return self.misses if self.miss_kind == "persistent" else 0.0


@dataclass(frozen=True)
class Burst:
    """An event that destroys many disks at once, drawn once for the whole fleet.

    scope "fleet": every disk is at risk (a power cut, a firmware batch). scope "domain": the
    disks of one domain are (a rack); `events_per_year` is then per domain. Each disk at risk is
    permanently lost with probability `disk_loss_probability`. operator: whether it counts as an
    operator's fault in the budget (disks wiped by mistake).
    """

    name: str
    events_per_year: float
    disk_loss_probability: float
    scope: str = "fleet"
    operator: bool = False

    def __post_init__(self) -> None:
        # The name keys the burst's ranges and losses.
        if (not isinstance(self.name, str) or not self.name.strip() or "." in self.name
                or self.name in RESERVED_NAMES):
            raise InvalidInput("bursts.name", self.name, "a text that is not empty, has no dot "
                               f"and is none of {', '.join(RESERVED_NAMES)}")
        number(f"burst {self.name!r}: events_per_year", self.events_per_year, 0)
        number(f"burst {self.name!r}: disk_loss_probability", self.disk_loss_probability, 0, 1)
        choice(f"burst {self.name!r}: scope", self.scope, ("fleet", "domain"))
        flag(f"burst {self.name!r}: operator", self.operator)


@dataclass(frozen=True)
class Migration:
    """The operator moves a pool to other disks `per_year` times.

    A verified migration reads everything, repairs what is bad and leaves only good shards. With
    probability `skip_verification` it trusts what it reads: a wrong source is then copied into
    every new shard. If besides the source is reclaimed before anybody looks (`early_reclaim`),
    the truth is gone; otherwise the retained source saves it. Both are drawn once per migration
    for the whole pool, never per stripe.
    """

    per_year: float
    skip_verification: float = 0.0
    early_reclaim: float = 0.0

    def __post_init__(self) -> None:
        number("migration.per_year", self.per_year, 0)
        number("migration.skip_verification", self.skip_verification, 0, 1)
        number("migration.early_reclaim", self.early_reclaim, 0, 1)


@dataclass(frozen=True)
class Outages:
    """Disks or nodes that go away and come back: `per_disk_year` times for `mean_hours` each
    (exponential). They lose nothing; a repair waits for the sources it needs."""

    per_disk_year: float
    mean_hours: float

    def __post_init__(self) -> None:
        number("outages.per_disk_year", self.per_disk_year, 0)
        hours("outages.mean_hours", self.mean_hours)

    @property
    def unavailable_share(self) -> float:
        load = self.per_disk_year * self.mean_hours / HOURS_PER_YEAR
        return load / (1.0 + load)


@dataclass(frozen=True)
class Range:
    """What is not known of an input: its value lies in [low, high] with 95 %. path: the name of
    the input ("failures_per_disk_year", "repair.transfer_hours", "bursts.power.events_per_year").
    """

    path: str
    low: float
    high: float

    def __post_init__(self) -> None:
        number(f"range of {self.path}: low", self.low, 0, low_open=True)
        number(f"range of {self.path}: high", self.high, self.low)


@dataclass(frozen=True)
class StripeBurst:
    """A burst as one stripe sees it: `at_risk` of its shards, `events_per_year` for the stripe
    and `fleet_events_per_year` for the fleet."""

    name: str
    events_per_year: float
    fleet_events_per_year: float
    at_risk: int
    probability: float
    operator: bool


@dataclass(frozen=True)
class StripeFaults:
    """The rates that one stripe sees, per year; what the chain and the simulator start from.

    failure, latent, silent: per shard; latent and silent already scaled to the shard's bytes
    lifetime: the clock behind `failure` (None: exponential)
    read_failure: probability that one shard cannot be read when a repair wants it
    buried_share: share of hidden faults that no scrub finds
    scrub_rate: how fast a hidden fault is found; scrub_clock the clock behind it (None: exp.)
    checksums: scrubs find wrong shards, repairs refuse them
    repair: total rate of single-shard repairs with `i` shards missing; joint: one clears all
    repair_clock: clock of one repair where it is not exponential
    hidden_adds: whether faults on different shards of the unit meet (a stripe) or lie in
        different places (a set of whole disks)
    """

    failure: float
    lifetime: Lifetime | None = None
    latent: float = 0.0
    silent: float = 0.0
    read_failure: float = 0.0
    buried_share: float = 0.0
    scrub_rate: float = 0.0
    scrub_clock: Duration | None = None
    checksums: bool = True
    repair: Callable[[int], float] = field(default=lambda missing: 0.0)
    joint: bool = False
    repair_clock: Duration | None = None
    bursts: tuple[StripeBurst, ...] = ()
    migrations: float = 0.0
    skip_verification: float = 0.0
    early_reclaim: float = 0.0
    hidden_adds: bool = True

    @property
    def exponential(self) -> bool:
        """Whether the chain applies exactly."""
        return all(clock is None or isinstance(clock, Exponential)
                   for clock in (self.lifetime, self.repair_clock, self.scrub_clock))


NOTHING = type(None)
# The class of every part of a fleet.
PARTS = {"repair": (Repair,), "lifetime": (Exponential, Weibull, NOTHING),
         "latent_errors": (LatentErrors, NOTHING), "read_errors": (ReadErrors, NOTHING),
         "silent_corruption": (SilentCorruption, NOTHING), "scrub": (Scrub, NOTHING),
         "migration": (Migration, NOTHING), "outages": (Outages, NOTHING)}


@dataclass(frozen=True)
class Fleet:
    """Disks, what is on them and what happens to them.

    disks, capacity_bytes, used_share:  of how many disks, how large, how full
    lifetime:     Exponential.per_year(rate) or Weibull; or give failures_per_disk_year, which may
                  be 0: disks that never fail
    shard_bytes:  bytes of one shard of a stripe
    object_bytes: bytes of one object; None means one stripe
    object_on_one_set: whether all stripes of an object share one set of disks (a volume that was
                  carved out of one disk group) or are placed stripe by stripe
    domains:      failure domains (racks), among which a stripe's shards are spread evenly
    placement:    "random": every stripe picks its own disks, evenly (declustered over the fleet).
                  "copyset": stripes share `copysets` fixed disk sets (groups that share no disk
                  are disks/shards sets). Either way a rebuilt shard stands on a new disk of age 0
                  in the place of the lost one; only where its domain's bursts strike is drawn anew
    checksums:    whether repairs and scrubs can tell a wrong shard from a good one
    assumptions:  names of inputs that were invented; carried into every report
    ranges:       what is uncertain among the inputs; each value must lie in its range
    """

    disks: int
    capacity_bytes: float
    repair: Repair
    failures_per_disk_year: float | None = None
    lifetime: Lifetime | None = None
    used_share: float = 0.7
    shard_bytes: float = 64 * 2.0**20
    object_bytes: float | None = None
    object_on_one_set: bool = False
    domains: int = 1
    placement: str = "random"
    copysets: int | None = None
    latent_errors: LatentErrors | None = None
    read_errors: ReadErrors | None = None
    silent_corruption: SilentCorruption | None = None
    checksums: bool = True
    scrub: Scrub | None = None
    bursts: tuple[Burst, ...] = ()
    migration: Migration | None = None
    outages: Outages | None = None
    assumptions: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        for name, kinds in PARTS.items():
            instance(name, getattr(self, name), *kinds)
        for name, kind in (("bursts", Burst), ("ranges", Range)):
            instance(name, getattr(self, name), tuple)
            for part in getattr(self, name):
                instance(name, part, kind)
        flag("checksums", self.checksums)
        flag("object_on_one_set", self.object_on_one_set)
        integer("disks", self.disks, 1, 1e8)
        integer("domains", self.domains, 1)
        if self.domains > self.disks:
            raise InvalidInput("domains", self.domains,
                               f"an integer from 1 to disks = {self.disks}")
        number("capacity_bytes", self.capacity_bytes, 1)
        number("used_share", self.used_share, 0, 1, low_open=True)
        number("shard_bytes", self.shard_bytes, 1)
        if self.shard_bytes > self.capacity_bytes:
            raise InvalidInput("shard_bytes", self.shard_bytes,
                               f"at most capacity_bytes = {self.capacity_bytes:g}")
        if self.object_bytes is not None:
            number("object_bytes", self.object_bytes, 1)
        if self.object_on_one_set and self.object_bytes is None:
            raise InvalidParameter("object_on_one_set = True: object_bytes is needed")
        if (self.failures_per_disk_year is None) == (self.lifetime is None):
            raise InvalidParameter(
                "exactly one of failures_per_disk_year and lifetime is needed"
            )
        if self.failures_per_disk_year is not None:
            number("failures_per_disk_year", self.failures_per_disk_year, 0, 1e9)
        choice("placement", self.placement, PLACEMENTS)
        if (self.placement == "copyset") != (self.copysets is not None):
            raise InvalidInput("copysets", self.copysets, "a number with placement 'copyset', none "
                               f"with any other; placement = {self.placement!r}")
        if self.copysets is not None:
            integer("copysets", self.copysets, 1)
        if self.latent_errors is not None and self.read_errors is not None:
            raise InvalidParameter(
                "latent_errors and read_errors are both given: they count the same faults twice; "
                "give arrivals per disk-year or errors per bit read"
            )

        names = [burst.name for burst in self.bursts]
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput("bursts.name", name, "a name of its own for every burst; it is "
                                   f"given {names.count(name)} times")
        for spread in self.ranges:
            value = self.value(spread.path)
            if spread.path in ("disks", "domains", "copysets") or isinstance(value, bool):
                raise InvalidParameter(
                    f"{spread.path} = {value!r} with a range from {spread.low:g} to "
                    f"{spread.high:g}: allowed is no range, a count or flag is exact"
                )
            if not spread.low <= value <= spread.high:
                raise InvalidParameter(
                    f"{spread.path} = {value!r}: outside its own range "
                    f"{spread.low:g} to {spread.high:g}"
                )

    # -- derived -------------------------------------------------------------------------------

    @property
    def failure_rate(self) -> float:
        """Failures per disk-year in the long run."""
        if self.lifetime is None:
            return self.failures_per_disk_year
        return HOURS_PER_YEAR / self.lifetime.mean_hours

    def check_fits(self, scheme: Scheme) -> None:
        if scheme.shards > self.disks:
            raise InvalidInput("disks", self.disks, f"at least the {scheme.shards} shards of "
                               f"{scheme}: every shard of a stripe needs its own disk")
        sets = math.comb(self.disks, scheme.shards)
        if self.copysets is not None and self.copysets > sets:
            raise InvalidInput("copysets", self.copysets, f"at most {sets}, the sets of "
                               f"{scheme.shards} among disks = {self.disks}")
        if self.object_bytes is None:
            return
        where = "one set of disks" if self.object_on_one_set else "the fleet"
        disks = scheme.shards if self.object_on_one_set else self.disks
        room = (disks * self.capacity_bytes * self.used_share
                * scheme.data_shards / scheme.shards)
        # One stripe is there however small the disks are.
        room = max(room, scheme.data_shards * self.shard_bytes)
        if self.object_bytes > room:
            raise InvalidInput("object_bytes", self.object_bytes, f"at most {room:g}, the bytes "
                               f"of data that {where} holds with {scheme}")

    def fits(self, scheme: Scheme) -> bool:
        """Whether `check_fits` accepts the scheme."""
        try:
            self.check_fits(scheme)
        except InvalidParameter:
            return False
        return True

    def stripes(self, scheme: Scheme) -> float:
        """How many stripes the used bytes of the fleet are."""
        used = self.disks * self.capacity_bytes * self.used_share
        return max(1.0, used / (scheme.shards * self.shard_bytes))

    def stripes_per_object(self, scheme: Scheme) -> float:
        if self.object_bytes is None:
            return 1.0
        return max(1.0, self.object_bytes / (scheme.data_shards * self.shard_bytes))

    def stripes_per_disk_set(self) -> float:
        return max(1.0, self.capacity_bytes * self.used_share / self.shard_bytes)

    def repair_hours(self, scheme: Scheme) -> float:
        """Mean hours from the failure of a disk to the last of its shards rebuilt. An average
        shard is back in less; the models use the whole time for each."""
        repair = self.repair
        if repair.clock is not None:
            mean = repair.clock.mean_hours
        else:
            used = self.capacity_bytes * self.used_share
            transfer = repair.transfer_hours
            if transfer is None:
                # What moves for each byte rebuilt: the sources read, and one byte written. A
                # fleet-wide budget pays for all of it; a stream to one disk hides the reading.
                moved = 1 + scheme.repair_shards if repair.mode == "shared" else 1
                transfer = used * moved / repair.bytes_per_second / SECONDS_PER_HOUR
            if repair.codec_bytes_per_second is not None:
                transfer += used / repair.codec_bytes_per_second / SECONDS_PER_HOUR
            queueing = repair.queueing_hours
            if repair.mode == "shared":
                load = self.disks * self.failure_rate * transfer / HOURS_PER_YEAR
                if load >= 1.0:
                    raise InvalidParameter(
                        f"repair.bytes_per_second = {repair.bytes_per_second:g}: the fleet fails "
                        f"{load:.3g} times as fast as this budget repairs; below 1 is needed"
                    )
                queueing += transfer * load / (1.0 - load)
            mean = repair.detection_hours + queueing + transfer
        if mean < SHORTEST_HOURS:
            raise InvalidParameter(
                f"repair: the mean time is {mean:g} hours; at least {SHORTEST_HOURS:g} is needed")
        if self.outages is not None:
            # A source is away with this probability, and then for its mean time longer; only a
            # stripe with fewer sources online than a repair reads has to wait.
            away = self.outages.unavailable_share
            others = scheme.shards - 1
            blocked = sum(
                math.comb(others, count) * away**count * (1.0 - away) ** (others - count)
                for count in range(others - scheme.repair_shards + 1, others + 1)
            )
            mean += blocked * self.outages.mean_hours
        return mean

    def convention(self, scheme: Scheme) -> str:
        """How repair, placement and loss are counted, in words for every estimate."""
        if self.disks == scheme.shards:
            placement = "all on the same disks"
        elif self.copysets is not None:
            placement = f"{self.copysets} fixed disk sets"
        else:
            placement = "random (declustered) placement"
        if self.object_on_one_set:
            placement += ", each object on one set of disks"
        return (f"{self.repair.mode} repair, mean {self.repair_hours(scheme):.3g} h; {placement}, "
                "a lost disk is replaced by a new one; lost means fewer good shards than decode; "
                "transient outages lose nothing")

    def _share_of_disk(self, unit: str, cluster_bytes: float) -> float:
        """The share of faults on a disk that touch one shard: an extent of `cluster_bytes` at a
        uniform place meets an extent of `shard_bytes`."""
        if unit == "disk_set":
            return self.used_share
        return min(1.0, (self.shard_bytes + cluster_bytes) / self.capacity_bytes)

    def stripe_faults(self, scheme: Scheme, unit: str = "stripe") -> StripeFaults:
        """The rates that a unit sees: a "stripe", or a "disk_set" of whole disks on which any
        lost block counts and hidden faults on two disks lie in different places."""
        self.check_fits(scheme)
        choice("unit", unit, UNITS)
        if unit == "disk_set" and not scheme.is_mds:
            raise InvalidParameter(f"unit = 'disk_set' with {scheme}: allowed is an MDS scheme")
        per_year = HOURS_PER_YEAR / self.repair_hours(scheme)
        mode = self.repair.mode
        latent = silent = read_failure = 0.0
        if self.latent_errors is not None:
            latent = self.latent_errors.per_disk_year * self._share_of_disk(
                unit, self.latent_errors.cluster_bytes
            )
        if self.silent_corruption is not None:
            silent = self.silent_corruption.per_disk_year * self._share_of_disk(
                unit, self.silent_corruption.cluster_bytes
            )
        if self.read_errors is not None:
            size = self.shard_bytes
            if unit == "disk_set":
                size = self.capacity_bytes * self.used_share
            read_failure = -math.expm1(8.0 * size * math.log1p(-self.read_errors.per_bit))
        scrub = self.scrub
        migration = self.migration or Migration(0.0)
        return StripeFaults(
            failure=self.failure_rate,
            lifetime=self.lifetime,
            latent=latent,
            silent=silent,
            read_failure=read_failure,
            buried_share=scrub.buried_share if scrub else 0.0,
            scrub_rate=HOURS_PER_YEAR / scrub.mean_wait_hours if scrub else 0.0,
            scrub_clock=scrub.clock if scrub else None,
            checksums=self.checksums,
            repair=(lambda missing: per_year * missing) if mode == "parallel"
            else (lambda missing: per_year),
            joint=mode == "joint",
            repair_clock=self.repair.clock,
            bursts=tuple(self._stripe_bursts(scheme)),
            migrations=migration.per_year,
            skip_verification=migration.skip_verification,
            early_reclaim=migration.early_reclaim,
            hidden_adds=unit == "stripe",
        )

    def _stripe_bursts(self, scheme: Scheme) -> list[StripeBurst]:
        result = []
        for burst in self.bursts:
            if burst.events_per_year == 0.0 or burst.disk_loss_probability == 0.0:
                continue
            if burst.scope == "fleet":
                touched = [(1, scheme.shards)]
                fleet_events = burst.events_per_year
            else:
                # Even spread: some domains hold one shard of the stripe more than the others.
                low, extra = divmod(scheme.shards, self.domains)
                touched = [(extra, low + 1), (self.domains - extra, low)]
                fleet_events = burst.events_per_year * self.domains
            for domains, at_risk in touched:
                if domains and at_risk:
                    result.append(StripeBurst(
                        burst.name, burst.events_per_year * domains, fleet_events, at_risk,
                        burst.disk_loss_probability, burst.operator,
                    ))
        return result

    # -- inputs by name ------------------------------------------------------------------------

    def value(self, path: str) -> float:
        """The input at a dotted path, as `Range.path` names them."""
        target = self._part(path)
        return getattr(target, path.rsplit(".", 1)[-1])

    def _part(self, path: str) -> object:
        names = path.split(".")
        part: object = self
        if names[0] == "bursts" and len(names) == 3:
            part = next((burst for burst in self.bursts if burst.name == names[1]), None)
        elif len(names) == 2:
            part = getattr(self, names[0], None)
        elif len(names) != 1:
            part = None
        if part is None or not isinstance(getattr(part, names[-1], None), (int, float)):
            raise InvalidParameter(f"{path!r} names no numeric input of this fleet")
        return part

    def with_values(self, values: dict[str, float | None]) -> Fleet:
        """A copy with inputs replaced by path. Ranges are dropped: they were about the old
        values."""
        result = replace(self, ranges=())
        for path, value in values.items():
            names = path.split(".")
            if len(names) == 1:
                result = replace(result, **{path: value})
                continue
            changed = replace(result._part(path), **{names[-1]: value})
            if names[0] == "bursts":
                bursts = tuple(changed if burst.name == names[1] else burst
                               for burst in result.bursts)
                result = replace(result, bursts=bursts)
            else:
                result = replace(result, **{names[0]: changed})
        return result

    # -- what if -------------------------------------------------------------------------------

    def without(self, threat: str) -> Fleet:
        """The same fleet with one threat of `threats()` switched off."""
        if threat not in ALL_THREATS:
            raise InvalidParameter(
                f"threat = {threat!r}: allowed is one of {', '.join(ALL_THREATS)}"
            )
        self = replace(self, ranges=())
        if threat == "latent errors":
            return replace(self, latent_errors=None, read_errors=None)
        if threat == "silent corruption":
            return replace(self, silent_corruption=None)
        if threat == "bursts":
            return replace(self, bursts=tuple(b for b in self.bursts if b.operator))
        if threat == "operator":
            return replace(
                self, bursts=tuple(b for b in self.bursts if not b.operator),
                # The migrations go on, verified: only the fault is switched off.
                migration=self.migration
                and replace(self.migration, skip_verification=0.0, early_reclaim=0.0),
            )
        return replace(self, failures_per_disk_year=0.0, lifetime=None)  # disk failures

    def only(self, threat: str) -> Fleet:
        """The same fleet with every other threat switched off."""
        result = self
        for other in self.threats():
            if other != threat:
                result = result.without(other)
        return result

    def threats(self) -> tuple[str, ...]:
        """The kinds of fault that this fleet has."""
        present = {
            "disk failures": True,
            "latent errors": self.latent_errors is not None or self.read_errors is not None,
            "silent corruption": self.silent_corruption is not None,
            "bursts": any(not burst.operator for burst in self.bursts),
            "operator": any(burst.operator for burst in self.bursts)
            or bool(self.migration and self.migration.skip_verification
                    and self.migration.early_reclaim),
        }
        return tuple(threat for threat in ALL_THREATS if present[threat])


ALL_THREATS = ("disk failures", "latent errors", "silent corruption", "bursts", "operator")

__all__ = [
    "ALL_THREATS", "Burst", "Exponential", "Fixed", "Fleet", "LatentErrors", "Migration",
    "Outages", "Range", "ReadErrors", "Repair", "Scrub", "SilentCorruption", "StripeBurst",
    "StripeFaults", "Uniform", "Weibull",
]
