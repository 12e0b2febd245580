"""The living claim: the nines of a store as it stands, from what the store itself has measured.

An audit says which shards of each object are good and in which failure domains; the journal says
what repairs took and what scrubs found. What the store has not measured is taken from the
typical fleet of ``reed.durability``, and the report says so of every input. The number is the
expected share of objects lost within a year, of the objects as they are now: an object that can
lose two more domains is counted as a code with a parity of two, not as what it was meant to be.
"""

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace

from ..durability import HOURS_PER_YEAR, Fleet, Repair, Scrub, SilentCorruption, evaluate
from ..durability import ReedSolomon as Scheme
from ..durability.measure import typical_fleet
from ..durability.result import nines_of
from .reports import AuditReport, ObjectAudit

RECENT_DAYS = 30
_REPAIRS = ("rebuilt", "reconciled")
# A rate from less time than this says little when nothing was found.
_LEAST_DISK_YEARS = 1.0


@dataclass(frozen=True)
class Input:
    """One input of the model. is_measured: by this store; else a default stands in."""

    name: str
    value: float
    unit: str
    is_measured: bool
    origin: str


@dataclass(frozen=True)
class Act:
    """What happened to the store, and the nines of its objects while it lasted."""

    time: float  # seconds since 1970
    text: str
    nines_during: float
    nines_cost: float
    hours: float | None  # how long; None: it lasts


@dataclass(frozen=True)
class StoreClaim:
    """The answer. Losses are expected shares of objects within a year; nines are infinite (None in
    ``as_dict``) for a loss of 0."""

    store_id: str
    code: str
    objects: int
    loss_now: float
    loss_designed: float  # were every shard good and every target a domain of its own
    states: tuple[tuple[int, int, int], ...]  # (domains with good shards, how many may go, objects)
    inputs: tuple[Input, ...]
    acts: tuple[Act, ...]  # of the last RECENT_DAYS days, the dearest first

    @property
    def nines_now(self) -> float:
        return nines_of(self.loss_now)

    @property
    def nines_designed(self) -> float:
        return nines_of(self.loss_designed)

    def as_dict(self) -> dict:
        """What ``json.dumps`` takes."""
        return _plain({**asdict(self), "nines_now": self.nines_now,
                       "nines_designed": self.nines_designed})


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def claim(audit: AuditReport, data_shards: int, parity_shards: int) -> StoreClaim:
    """The claim of a store from its audit, which must list its objects; the shard counts are those
    of the store's code. An empty store is judged as it is designed."""
    fleet, inputs = measured_fleet(audit)
    losses: dict[tuple[int, int], float] = {}

    def loss(domains: int, margin: int) -> float:
        """Of one object with good shards in so many domains of which `margin` may go."""
        if margin < 0:
            return 1.0
        if (domains, margin) not in losses:
            scheme = Scheme(domains - margin, margin)
            shape = replace(fleet, disks=max(fleet.disks, scheme.shards))
            losses[domains, margin] = evaluate(scheme, shape).object_loss
        return losses[domains, margin]

    designed = loss(data_shards + parity_shards, parity_shards)
    effective = {slot.number: slot.effective_domain for slot in audit.slots}
    states = Counter(state_of(found, effective) for found in audit.objects)
    count = sum(states.values())
    now = sum(loss(*state) * objects for state, objects in states.items()) / count if count else (
        designed)
    return StoreClaim(
        store_id=audit.store_id, code=audit.code, objects=count, loss_now=now,
        loss_designed=designed,
        states=tuple(sorted((*state, objects) for state, objects in states.items())),
        inputs=inputs, acts=tuple(_acts(audit, loss, data_shards, parity_shards, now)))


def state_of(found: ObjectAudit, effective: dict[int, str]) -> tuple[int, int]:
    """(domains with counted good shards, how many of them may go; -1: the object is lost or nobody
    can say). effective: the domain that each slot really is in."""
    if found.status in ("beyond repair", "unknown") or found.domain_margin < 0:
        return 0, -1
    domains = {effective.get(shard.slot, shard.domain) for shard in found.shards
               if shard.state == "good" and shard.is_counted}
    return len(domains), found.domain_margin


# ---- what was measured ---------------------------------------------------------------------------


def measured_fleet(audit: AuditReport) -> tuple[Fleet, tuple[Input, ...]]:
    """The typical fleet with everything in its place that the store has measured."""
    typical = typical_fleet()
    slots = [slot for slot in audit.slots if slot.is_counted]
    domains = len({slot.effective_domain for slot in slots})
    repair_rate, repair = _repair_rate(audit, typical)
    interval, scrub = _scrub_interval(audit, typical)
    errors, found = _error_rate(audit, len(slots), typical)
    used, capacity, filled = _capacity(audit, len(slots), typical)
    fleet = replace(
        typical, disks=max(1, len(slots)), domains=max(1, domains), capacity_bytes=capacity,
        used_share=used, shard_bytes=min(typical.shard_bytes, capacity),
        repair=Repair(detection_hours=typical.repair.detection_hours,
                      bytes_per_second=repair_rate),
        scrub=Scrub(interval),
        silent_corruption=SilentCorruption(errors, typical.silent_corruption.cluster_bytes))
    default = "not measured by a store: typical fleet, docs/durability.md"
    return fleet, (
        Input("targets", len(slots), "", True, "the configuration"),
        Input("failure domains", domains, "", True, "devices and labels of the targets"),
        filled, repair,
        Input("detection of a lost target", typical.repair.detection_hours, "h", False, default),
        scrub, found,
        Input("failures per disk-year", typical.failures_per_disk_year, "", False, default),
        Input("latent errors per disk-year", typical.latent_errors.per_disk_year, "", False,
              default))


def _repair_rate(audit: AuditReport, typical: Fleet) -> tuple[float, Input]:
    done = [entry["outcome"] for entry in audit.journal if entry["command"] in _REPAIRS
            and entry["outcome"]["bytes_written"] and entry["outcome"]["seconds"]]
    name, unit = "repair rate", "bytes/s"
    if not done:
        rate = typical.repair.bytes_per_second
        return rate, Input(name, rate, unit, False, "no target was rebuilt yet: typical disk")
    rate = (sum(outcome["bytes_written"] for outcome in done)
            / sum(outcome["seconds"] for outcome in done))
    return rate, Input(name, rate, unit, True, f"{len(done)} in the journal")


def _scrub_interval(audit: AuditReport, typical: Fleet) -> tuple[float, Input]:
    """As old as the verification is that is oldest, once every object was scrubbed."""
    name = "scrub interval"
    fallback = typical.scrub.interval_hours
    ages = []
    for found in audit.objects:
        for shard in found.shards:
            if shard.state != "good":
                continue
            # What a put read back is no scrub.
            if shard.verified is None or shard.verified <= found.object.time:
                return fallback, Input(name, fallback, "h", False,
                                       "some shard was never scrubbed: typical interval")
            ages.append(audit.time - shard.verified)
    if not ages:
        return fallback, Input(name, fallback, "h", False, "nothing to scrub: typical interval")
    # Two scrubs within the hour do not make an hourly scrub.
    hours = max(1.0, max(ages) / 3600)
    return hours, Input(name, hours, "h", True, "age of the oldest verification, at least 1 h")


def _error_rate(audit: AuditReport, slots: int, typical: Fleet) -> tuple[float, Input]:
    name = "wrong shards per disk-year"
    fallback = typical.silent_corruption.per_disk_year
    begin = min((found.object.time for found in audit.objects), default=audit.time)
    disk_years = slots * max(0.0, audit.time - begin) / 3600 / HOURS_PER_YEAR
    mended = sum(entry["outcome"]["shards"] for entry in audit.journal
                 if entry["command"] == "scrub")
    standing = sum(shard.state == "corrupt" for found in audit.objects for shard in found.shards)
    seen = mended + standing
    words = f"{seen} found in {disk_years:.3g} disk-years"
    if disk_years < _LEAST_DISK_YEARS:
        # Found in days, an error says that there are some and not how many a year brings.
        rate = max(fallback, float(seen))
        return rate, Input(name, rate, "", bool(seen), words + (
            ": counted as of one disk-year" if seen else ": too few to say, typical disk"))
    rate = max(seen, 1) / disk_years
    return rate, Input(name, rate, "", True, words + ("" if seen else ": counted as one"))


def _capacity(audit: AuditReport, slots: int, typical: Fleet) -> tuple[float, float, Input]:
    """(used share, bytes of a target, the input)."""
    free = [slot.free_bytes for slot in audit.slots if slot.free_bytes is not None]
    stored = sum(found.object.size / max(1, found.good_shards - found.margin)
                 * found.good_shards for found in audit.objects)
    used = stored / slots if slots else 0.0
    if not free or not used:
        value = typical.capacity_bytes * typical.used_share
        return typical.used_share, typical.capacity_bytes, Input(
            "bytes on a target", value, "bytes", False, "nothing is stored: typical disk")
    capacity = max(used + sum(free) / len(free), 1.0)
    return used / capacity, capacity, Input("bytes on a target", used, "bytes", True,
                                            "sizes of the objects and their good shards")


# ---- what it cost --------------------------------------------------------------------------------


def _acts(audit: AuditReport, loss, data_shards: int, parity_shards: int, now: float):
    """Recent acts that had a price, the dearest first."""
    shards = data_shards + parity_shards
    whole = nines_of(loss(shards, parity_shards))
    found = []

    def add(time: float, text: str, during: float, hours: float | None) -> None:
        cost = 0.0 if math.isinf(whole) and math.isinf(during) else whole - during
        found.append(Act(time, text, during, max(0.0, cost), hours))

    for entry in audit.journal:
        if entry["time"] < audit.time - RECENT_DAYS * 86400:
            continue
        if entry["command"] in _REPAIRS:
            lost = len(entry["flags"]["slots"])
            during = nines_of(loss(shards - lost, parity_shards - lost))
            add(entry["time"], f"slot {', '.join(map(str, entry['flags']['slots']))} was away and "
                f"{entry['command']}", during, entry["outcome"]["seconds"] / 3600)
        elif entry["command"] == "migrate" and entry["flags"]["unsafe_skip_verify"]:
            # Nobody knows of one copy that it is good until a scrub has read it.
            add(entry["time"], "a migration whose copies were not read back", 0.0, None)
    away = [slot.number for slot in audit.slots if slot.is_counted and slot.state != "active"]
    if away or nines_of(now) < whole - 1e-9:
        add(audit.time, f"slots {', '.join(map(str, away))} are away" if away else
            "shards are bad or targets share a domain", nines_of(now), None)
    return sorted(found, key=lambda act: -act.nines_cost)
