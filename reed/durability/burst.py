"""What one burst costs: many disks of a fleet gone at once, and the stripes that lay on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reed.errors import InvalidParameter

from .checks import InvalidInput, instance, integer, number
from .schemes import Scheme


@dataclass(frozen=True)
class BurstLoss:
    """stripe: probability that one given stripe is lost. any: probability that at least one of
    the stripes is. expected_stripes: expected number lost. All given that the burst happens."""

    stripe: float
    any: float
    expected_stripes: float


def burst(scheme: Scheme, disks: int, down: int, stripes: float, placement: str = "random",
          copysets: int | None = None, domains: int | None = None,
          domains_hit: int | None = None) -> BurstLoss:
    """The loss when `down` of `disks` disks are destroyed at once.

    placement: "random" (every stripe on its own random disks) or "copyset" (`stripes` share
        `copysets` distinct disk sets).
    domains, domains_hit: with both, disks stand evenly in `domains` domains, a stripe has at most
        one shard in each, and the burst takes `down` disks spread evenly over `domains_hit` of
        them; without, any `down` disks are equally likely.

    Which shards are hit is exact (hypergeometric); whether those losses decode is the scheme's
    exact share of patterns. Stripes of a random placement are drawn independently, which a burst
    of known disks makes exact for `any`.
    """
    number("stripes", stripes, 0)
    instance("scheme", scheme, Scheme)
    if copysets is not None:
        integer("copysets", copysets, 1)
    integer("disks", disks, 1)
    integer("down", down, 0)
    if down > disks:
        raise InvalidInput("down", down, f"0 to disks = {disks}")
    if scheme.shards > disks:
        raise InvalidParameter(f"disks = {disks}: {scheme} needs at least {scheme.shards}")
    if placement not in ("random", "copyset"):
        raise InvalidParameter(f"placement = {placement!r}: allowed is random or copyset")
    if (placement == "copyset") != (copysets is not None):
        raise InvalidInput("copysets", copysets, "a number with placement 'copyset', none with any "
                           f"other; placement = {placement!r}")
    if (domains is None) != (domains_hit is None):
        raise InvalidParameter("domains and domains_hit: both or neither are needed")
    for name, value in (("domains", domains), ("domains_hit", domains_hit)):
        if value is not None:
            integer(name, value, 1)
    if domains is None:
        hits = [_hypergeometric(disks, down, scheme.shards, count)
                for count in range(scheme.shards + 1)]
    else:
        hits = _hits_over_domains(scheme.shards, disks, down, domains, domains_hit)
    lost = math.fsum(chance * (1.0 - good / total) for chance, (good, total) in
                     ((hits[count], scheme.decodable(count))
                      for count in range(scheme.shards + 1) if hits[count] > 0.0))
    lost = min(1.0, lost)
    units = stripes if copysets is None else min(stripes, copysets)
    some = 1.0 if lost == 1.0 else -math.expm1(units * math.log1p(-lost))
    return BurstLoss(stripe=lost, any=some, expected_stripes=stripes * lost)


def _hypergeometric(population: int, marked: int, drawn: int, hits: int) -> float:
    if hits > marked or drawn - hits > population - marked:
        return 0.0
    return (math.comb(marked, hits) * math.comb(population - marked, drawn - hits)
            / math.comb(population, drawn))


def _hits_over_domains(shards: int, disks: int, down: int, domains: int, hit: int
                       ) -> list[float]:
    if not 1 <= hit <= domains or domains < shards:
        raise InvalidParameter(
            f"domains = {domains}, domains_hit = {hit}: at least {shards} domains are needed for "
            f"{shards} shards, and domains_hit from 1 to domains"
        )
    share = down / hit / (disks / domains)
    if share > 1.0:
        raise InvalidParameter(f"down = {down}: more than all disks of {hit} domains")
    result = [0.0] * (shards + 1)
    for inside in range(shards + 1):
        chance = _hypergeometric(domains, hit, shards, inside)
        for count in range(inside + 1):
            result[count] += (chance * math.comb(inside, count) * share**count
                              * (1.0 - share) ** (inside - count))
    return result
