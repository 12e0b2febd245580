"""The formulas of published durability calculators, reproduced to the digit and marked with what
each gets wrong. For comparison only: nothing else in reed uses them.

Every function returns a `Compatibility`, whose `value` is what the source prints, in the unit it
prints it in; `bias` says which way and how far the formula is off. Years are those of the source
(365 days, 8760 or 8766 hours), as each docstring says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .checks import choice, integer, number


@dataclass(frozen=True)
class Compatibility:
    """value: as the source prints it. unit, source and bias in words. details: steps on the way."""

    value: float
    unit: str
    source: str
    bias: str
    details: tuple[tuple[str, float], ...] = ()

    def detail(self, name: str) -> float:
        return dict(self.details)[name]


def _positive(**values: float) -> None:
    """Rates, times and sizes: above 0, and within what a double can take to high powers."""
    for name, value in values.items():
        number(name, value, 1e-15, 1e18)


def _shape(shards: int, data: int) -> None:
    integer("shards", shards, 1, 256)
    integer("data", data, 1, shards)


def binomial_tail(trials: int, probability: float, at_least: int) -> float:
    """P(Bin(trials, probability) ≥ at_least), summed from its small terms up."""
    return math.fsum(
        math.comb(trials, count) * probability**count * (1.0 - probability) ** (trials - count)
        for count in range(trials, at_least - 1, -1)
    )


def poisson_tail(mean: float, at_least: int) -> float:
    """P(Poisson(mean) ≥ at_least), summed from the tail so that nothing cancels."""
    if mean == 0.0:
        return 1.0 if at_least <= 0 else 0.0
    term = math.exp(-mean + at_least * math.log(mean) - math.lgamma(at_least + 1))
    total, count = 0.0, at_least
    while term > total * 1e-18 or count < mean:
        total += term
        count += 1
        term *= mean / count
    return total


def birth_death_mttdl(failure_rates: Sequence[float], repair_rates: Sequence[float]) -> float:
    """Mean time to loss of a birth–death chain from no failures. failure_rates[i]: total rate with
    i failures, repair_rates[i] the rate back from i + 1. h₀ = 1/f₀, hᵢ = (1 + rᵢ hᵢ₋₁)/fᵢ,
    MTTDL = Σ hᵢ: no subtraction."""
    total = hitting = 1.0 / failure_rates[0]
    for failure, repair in zip(failure_rates[1:], repair_rates, strict=True):
        hitting = (1.0 + repair * hitting) / failure
        total += hitting
    return total


def windows(data: int, parity: int, failures_per_disk_year: float, window_days: float
            ) -> Compatibility:
    """Annual loss probability by fixed repair windows (Backblaze, "Cloud Storage Durability",
    2018): q = 1 − e^(−λ·d/365), window c = P(Bin(D + P, q) ≥ P + 1), year 1 − (1 − c)^(365/d)."""
    integer("data", data, 1, 256)
    integer("parity", parity, 0, 256 - data)
    _positive(failures_per_disk_year=failures_per_disk_year, window_days=window_days)
    q = -math.expm1(-failures_per_disk_year * window_days / 365.0)
    window = binomial_tail(data + parity, q, parity + 1)
    year = 1.0 if window >= 1.0 else -math.expm1(365.0 / window_days * math.log1p(-window))
    return Compatibility(
        year, "loss probability per stripe and year of 365 d",
        "Backblaze, Cloud Storage Durability (2018), and its published script",
        f"low by about {parity + 1} times: failures that straddle two windows are missed",
        (("q", q), ("window", window)),
    )


def storj(data: int, total: int, failures_per_disk_year: float = 0.1) -> Compatibility:
    """Durability in per cent by a Poisson count of losses among `total` pieces without any repair
    within the period (Storj v3 white paper, 2018, section 7.3): P(Poisson(λn) ≤ n − k)."""
    integer("total", total, 1, 10_000)
    integer("data", data, 1, total)
    number("failures_per_disk_year", failures_per_disk_year, 0, 1e3)
    loss = poisson_tail(failures_per_disk_year * total, total - data + 1)
    return Compatibility(
        100.0 * (1.0 - loss), "per cent of files that survive one period",
        "Storj: A Decentralized Cloud Storage Network Framework v3 (2018)",
        "high loss: no repair within the period, and a Poisson count can exceed the pieces; as a "
        "percentage it saturates near 1e-16",
        (("loss", loss),),
    )


def azure(scheme: str, sources: int = 400, node_bytes: float = 16 * 2.0**40,
          bandwidth_bits_per_second: float = 2.0**30, repair_share: float = 0.1,
          detection_hours: float = 0.5, node_mttf_years: float = 5.0,
          decodable_at_four: float = 0.86) -> Compatibility:
    """Stripe MTTF in years (Huang et al., "Erasure Coding in Windows Azure Storage", USENIX ATC
    2012, Table 1). scheme: "3-rep", "RS(6,3)" or "LRC(6,2,2)". The first repair runs at
    ε·sources·B/(S·C) with C = 1, every later one at 1/T. Years of 365 d. The paper writes N − 1
    sources with N = 400; its table comes out with 400, and 0.25 % lower with 399."""
    integer("sources", sources, 1, 1e9)
    _positive(node_bytes=node_bytes, bandwidth_bits_per_second=bandwidth_bits_per_second,
              repair_share=repair_share, detection_hours=detection_hours,
              node_mttf_years=node_mttf_years)
    number("decodable_at_four", decodable_at_four, 0, 1)
    seconds = 365.0 * 86400.0
    first = repair_share * sources * bandwidth_bits_per_second / (8.0 * node_bytes) * seconds
    later = seconds / (detection_hours * 3600.0)
    rate = 1.0 / node_mttf_years
    shapes = {"3-rep": (3, 3), "RS(6,3)": (9, 4), "LRC(6,2,2)": (10, 5)}
    choice("scheme", scheme, tuple(shapes))
    shards, failures = shapes[scheme]
    up = [(shards - lost) * rate for lost in range(failures)]
    down = [first] + [later] * (failures - 2)
    if scheme != "LRC(6,2,2)":
        mttf = birth_death_mttdl(up, down)
    else:
        # With three lost, the fourth loss is decodable with probability p; else all is gone.
        fatal = up[3] * (1.0 - decodable_at_four)
        up[3] *= decodable_at_four
        mttf = _mttdl_with_exit(up, down, {3: fatal})
    return Compatibility(
        mttf, "years, mean time to loss of one stripe",
        "Huang et al., Erasure Coding in Windows Azure Storage (USENIX ATC 2012), Table 1",
        "node MTTF and C are inferred (C as printed does not reproduce); disk failures only, "
        "and the decodable share of four losses, 6/7, rounded to 0.86 (2 % high)",
        (("first_repair_per_year", first), ("later_repair_per_year", later)),
    )


def _mttdl_with_exit(up: list[float], down: list[float], exits: dict[int, float]) -> float:
    """MTTDL of a birth–death chain that may also be lost from inner levels, by elimination from
    the far end without subtraction (GTH)."""
    size = len(up)
    hold = 1.0
    # `reach`: rate of loss, and `hold`: time weight, of the level above as seen from this one.
    reach = up[-1] + exits.get(size - 1, 0.0)
    for level in range(size - 1, 0, -1):
        back = down[level - 1]
        share_lost = reach / (reach + back)
        time_above = hold / (reach + back)
        reach = exits.get(level - 1, 0.0) + up[level - 1] * share_lost
        hold = 1.0 + up[level - 1] * time_above
    return hold / reach


def xorbas(mttf_days: float = 1460.0, repairs_per_day: float = 43200.0, total_bytes: float =
           30 * 2.0**50, block_bytes: float = 256 * 2.0**20, copies: int = 3) -> Compatibility:
    """MTTDL in days of a whole replicated system (Sathiamoorthy et al., "XORing Elephants", VLDB
    2013, Table 1): a stripe's serial-repair MTTDL over the number of stripes."""
    integer("copies", copies, 1, 16)
    _positive(mttf_days=mttf_days, repairs_per_day=repairs_per_day, total_bytes=total_bytes,
              block_bytes=block_bytes)
    rate = 1.0 / mttf_days
    stripe = birth_death_mttdl([(copies - lost) * rate for lost in range(copies)],
                               [repairs_per_day] * (copies - 1))
    stripes = total_bytes / (copies * block_bytes)
    return Compatibility(
        stripe / stripes, "days, mean time to the first loss in the system",
        "Sathiamoorthy et al., XORing Elephants (VLDB 2013), Table 1, row 1",
        "high loss by orders where stripes share disks (losses then come together), low loss "
        "because a 2 s repair counts neither detection nor queueing",
        (("stripe_days", stripe),),
    )


def ford(copies: int, mttf_days: float = 123.0, repairs_per_day: float = 66.0) -> Compatibility:
    """MTTF in days of one stripe (Ford et al., "Availability in Globally Distributed Storage
    Systems", OSDI 2010, Table 3, independent failures, serial repair)."""
    integer("copies", copies, 1, 16)
    _positive(mttf_days=mttf_days, repairs_per_day=repairs_per_day)
    rate = 1.0 / mttf_days
    value = birth_death_mttdl([(copies - lost) * rate for lost in range(copies)],
                              [repairs_per_day] * (copies - 1))
    return Compatibility(
        value, "days, mean time to loss of one stripe",
        "Ford et al., Availability in Globally Distributed Storage Systems (OSDI 2010), Table 3",
        "independent failures only; the paper's own bursts cost orders of magnitude. Printed R = 5 "
        "and RS rows look like saturation of doubles",
    )


def copysets(nodes: int, down: int, copies: int, sets: float) -> Compatibility:
    """Probability that `down` simultaneous node losses kill all copies of something when there
    are `sets` distinct copysets (Cidon et al., "Copysets", USENIX ATC 2013): 1 − (1 − c)^sets,
    c = C(down, R)/C(N, R)."""
    integer("nodes", nodes, 1, 1e9)
    integer("down", down, 0, nodes)
    integer("copies", copies, 1, min(nodes, 256))
    number("sets", sets, 0)
    one = math.comb(down, copies) / math.comb(nodes, copies)
    some = float(sets > 0) if one == 1.0 else -math.expm1(sets * math.log1p(-one))
    return Compatibility(
        some, "probability given the event",
        "Cidon et al., Copysets (USENIX ATC 2013)",
        "sets are treated as drawn independently; says nothing of how much is lost",
        (("one_set", one),),
    )


def ceph(copies: int, fit: float = 826.0, disk_bytes: float = 2e12, full: float = 0.75,
         recovery_bytes_per_second: float = 50e6, groups: int = 200, mark_out_minutes: float = 10.0
         ) -> Compatibility:
    """Annual loss probability of an object (ceph-tools reliability model, 2013): the first copy
    fails within a year of 8766 h, every further one within the recovery time of the one before,
    anywhere in the `groups` placement partners."""
    integer("copies", copies, 1, 16)
    integer("groups", groups, 1, 1e9)
    _positive(fit=fit, disk_bytes=disk_bytes, full=full,
              recovery_bytes_per_second=recovery_bytes_per_second)
    number("mark_out_minutes", mark_out_minutes, 0, 1e18)
    rate = fit * 1e-9
    hours = mark_out_minutes / 60.0 + (
        disk_bytes * full / (recovery_bytes_per_second * groups) / 3600.0)
    value = -math.expm1(-copies * rate * 8766.0)
    for left in range(copies - 1, 0, -1):
        value *= -math.expm1(-rate * hours * groups * left)
    return Compatibility(
        value, "loss probability of some object of one drive's, per year",
        "ceph-tools, models/reliability (2013)",
        "one recovery window for every level: later failures get the whole window although repair "
        "is under way, so high; correlated faults are absent, so low",
        (("recovery_hours", hours),),
    )


def alike(shards: int, data: int, failures_per_hour: float, repairs_per_hour: float
          ) -> Compatibility:
    """MTTDL in hours of an (n, k) group of like disks, first order in λ/μ:
    1/(C(n, k)·(λ/μ)^(n−k)·λ·k)."""
    _shape(shards, data)
    _positive(failures_per_hour=failures_per_hour, repairs_per_hour=repairs_per_hour)
    ratio = failures_per_hour / repairs_per_hour
    rate = math.comb(shards, data) * ratio ** (shards - data) * failures_per_hour * data
    return Compatibility(
        1.0 / rate, "hours, mean time to loss of the group",
        "first-order MTTDL formula of the heterogeneous-reliability literature",
        "low by about nλ/μ (repair never finds the group all good in this order)",
    )


def unlike(failures_per_hour: Sequence[float], data: int, repairs_per_hour: float
           ) -> Compatibility:
    """MTTDL in hours of a group of unlike disks, one over the frequency with which n − k + 1 are
    down: Σ over sets of n − k down disks of Π λ/(λ+μ) · Π μ/(λ+μ) · Σ λ of the others. The sum is
    (n−k+1)·e(λ)/μ^(n−k) with e the elementary symmetric polynomial of that order."""
    _shape(len(failures_per_hour), data)
    for rate in failures_per_hour:
        _positive(failures_per_hour=rate)
    _positive(repairs_per_hour=repairs_per_hour)
    losses = len(failures_per_hour) - data + 1
    symmetric = [1.0] + [0.0] * losses
    for rate in failures_per_hour:
        for order in range(losses, 0, -1):
            symmetric[order] += rate * symmetric[order - 1]
    all_up = math.exp(-math.fsum(math.log1p(rate / repairs_per_hour)
                                 for rate in failures_per_hour))
    frequency = losses * symmetric[losses] / repairs_per_hour ** (losses - 1) * all_up
    return Compatibility(
        1.0 / frequency, "hours, mean time between losses of the group",
        "MTTDL of groups of unlike disks, by failure frequency",
        "a mean time between losses with repair after each, not the time to the first; the two "
        "differ by the order of nλ/μ",
    )


def zstorage(disks: int = 48, annual_failure_probability: float = 0.015,
             recovery_minutes: float = 60.0) -> Compatibility:
    """Annual loss probability of a three-copy group: 8760 windows, each e^(−λ)λ³/6 with
    λ = disks·p/8760 per recovery hour."""
    integer("disks", disks, 1, 1e8)
    number("annual_failure_probability", annual_failure_probability, 0, 1)
    _positive(recovery_minutes=recovery_minutes)
    windows_a_year = 8760.0 * 60.0 / recovery_minutes
    mean = disks * annual_failure_probability / windows_a_year
    return Compatibility(
        windows_a_year * math.exp(-mean) * mean**3 / 6.0, "loss probability per year of 8760 h",
        "zStorage, published durability note",
        "fixed windows (low by about 3) and exactly three failures; any three disks count as loss",
    )


def netease(disks: int = 7200, annual_failure_probability: float = 0.04,
            shards_per_disk: float = 8192 * 0.7 / 10.0, copies: int = 3,
            recovery_hours: float = 1.0) -> Compatibility:
    """Loss probability per recovery window: P(3 failures)·S/C(N, 3), S the number of copysets in
    use (NetEase block-storage reliability note)."""
    integer("copies", copies, 1, 16)
    integer("disks", disks, copies, 1e8)
    number("annual_failure_probability", annual_failure_probability, 0, 1)
    _positive(shards_per_disk=shards_per_disk, recovery_hours=recovery_hours)
    mean = disks * annual_failure_probability / 8760.0 * recovery_hours
    sets = disks * shards_per_disk / copies
    window = math.exp(-mean) * mean**3 / 6.0 * sets / math.comb(disks, copies)
    return Compatibility(
        window, "loss probability per recovery window of one hour",
        "NetEase, published block-storage durability model",
        "fixed windows (low by about 3); exactly three failures; S/C(N,3) counts shared sets once",
        (("copysets", sets),),
    )
