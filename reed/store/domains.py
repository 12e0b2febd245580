"""Which slots fail together, whatever their labels say."""

from collections import Counter
from collections.abc import Iterable, Mapping


def effective(labels: Mapping[int, str], devices: Mapping[int, str | None]) -> dict[int, str]:
    """The failure domain of each slot: slots of one label or on one device are one domain, named
    by its labels."""
    group = {slot: slot for slot in labels}

    def root(slot: int) -> int:
        while group[slot] != slot:
            slot = group[slot]
        return slot

    for tags in (labels, devices):
        first: dict[str, int] = {}
        for slot in sorted(labels):
            tag = tags.get(slot)
            if tag is not None:
                group[root(slot)] = root(first.setdefault(tag, slot))
    names: dict[int, set[str]] = {}
    for slot in labels:
        names.setdefault(root(slot), set()).add(labels[slot])
    return {slot: " = ".join(sorted(names[root(slot)])) for slot in labels}


def margins(domains: Iterable[str], data_shards: int) -> tuple[int, int, tuple[str, ...]]:
    """What good shards, given by the domain of each, can lose: (how many shards; how many whole
    domains, the largest first; the domains whose loss alone is fatal). Negative: too few."""
    counts = Counter(domains)
    total = sum(counts.values())
    margin = total - data_shards
    if margin < 0:
        return margin, -1, tuple(sorted(counts))
    left, survived = total, 0
    for _, count in counts.most_common():
        left -= count
        if left < data_shards:
            break
        survived += 1
    return margin, survived, tuple(sorted(
        domain for domain, count in counts.items() if total - count < data_shards))
