"""Runs cases: makes the contenders, proves them, measures them, and works out the result.

A result is plain data, the schema of the JSON file; ``SCHEMA`` counts its changes.
"""

import dataclasses

from benchmarks import accounting, measure, peers
from benchmarks.cases import ROOFLINE, ROOFLINE_NT, Entrant
from benchmarks.contestant import Absent
from benchmarks.job import HOT, ROTATING, Job
from benchmarks.roofline import Roofline
from benchmarks.subject import DropIn, Reed

SCHEMA = 2
MET, MISSED, ABSENT = "met", "missed", "absent"


class Field:
    """All contestants, and what is missing of them."""

    def __init__(self):
        self.contestants, self.missing = peers.load()
        for own in (Reed, DropIn, Roofline):
            try:
                self.contestants[own.name] = own()
            except Absent as reason:
                self.missing[own.name] = str(reason)

    def contender(self, entrant, job):
        """A proven contender. Raises Absent."""
        contestant = self.contestants.get(entrant.contestant)
        if contestant is None:
            why = self.missing.get(entrant.contestant, "there is no module of that name")
            raise Absent(f"{entrant.contestant} is missing: {why}")
        contender = contestant.contender(entrant.operation, job, **entrant.options)
        contender.prove()
        return contender

    def versions(self):
        return {name: each.version for name, each in sorted(self.contestants.items())}


def run_case(field, case, rounds, processor):
    """Measure one case; a plain dict.

    :param processor: where one thread is pinned; a case that needs several is not.
    """
    result = {
        "name": case.name, "title": case.title, "group": case.group,
        "job": {**dataclasses.asdict(case.job), "lost": list(case.job.lost)},
        "rounds": rounds, "disturbed": 0,
        "entrants": {}, "targets": [], "of_roofline": None,
    }
    rates = {}
    with measure.pinned(processor if case.threads == 1 else None):
        contenders = []
        for entrant in case.entrants:
            entry = {"contestant": entrant.contestant, "operation": entrant.operation,
                     "detail": None, "absent": None, "rate": None, "ratio": None}
            result["entrants"][entrant.label] = entry
            try:
                contender = field.contender(entrant, case.job)
            except Absent as reason:
                entry["absent"] = str(reason)
                continue
            entry["detail"] = contender.name if contender.name != entrant.contestant else None
            contenders.append((entrant.label, contender))
        if contenders:
            measured = measure.interleave([each for _, each in contenders], rounds,
                                          case.job.level)
            result["disturbed"] = measured.disturbed_count
            for i, (label, contender) in enumerate(contenders):
                rates[label] = accounting.rates(
                    measured.nanoseconds[:, i],
                    case.job.data_bytes * contender.stripes_per_call)
    subject = case.entrants[0].label
    for label, entry in result["entrants"].items():
        if label in rates:
            entry["rate"] = dataclasses.asdict(accounting.Spread.of(rates[label]))
            entry["ratio"] = _ratio(rates, subject, label)
    limits = [label for label in (ROOFLINE, ROOFLINE_NT) if label in rates]
    limit = max(limits, key=lambda label: result["entrants"][label]["rate"]["median"],
                default=None)
    result["of_roofline"] = _ratio(rates, subject, limit)
    result["targets"] = [_judge(target, rates, limit) for target in case.targets]
    return result


def _ratio(rates, subject, reference):
    if subject not in rates or reference not in rates:
        return None
    return dataclasses.asdict(accounting.ratio(rates[subject], rates[reference]))


def _least_ratio(rates, subject, references):
    """The median ratio of the subject to the fastest reference; None where one of them is
    missing."""
    ratios = [_ratio(rates, subject, reference) for reference in references]
    return min((ratio["median"] for ratio in ratios if ratio is not None), default=None)


def _judge(target, rates, limit):
    """A target beside what was measured, and the ratio that the roofline itself would have."""
    measured = _least_ratio(rates, target.subject, target.against)
    status = ABSENT if measured is None else MET if measured >= target.at_least else MISSED
    return {"subject": target.subject, "against": list(target.against),
            "at_least": target.at_least, "measured": measured,
            "limit": _least_ratio(rates, limit, target.against), "status": status}


NOISE = {
    "in cache": (Job(10, 4, 16 << 10, HOT), "encode"),
    "from memory": (Job(10, 4, 1 << 20, ROTATING), "encode"),
    "from Python": (Job(10, 4, 410, HOT), "array-encode"),
}


def noise_floor(field, rounds, processor):
    """The same work against itself, {where: quartiles of the ratio}: 1 but for the noise."""
    floor = {}
    for where, (job, operation) in NOISE.items():
        with measure.pinned(processor):
            twins = [field.contender(Entrant(name, "reed", operation), job) for name in "ab"]
            measured = measure.interleave(twins, rounds, job.level)
        rates = [accounting.rates(measured.nanoseconds[:, i], job.data_bytes) for i in (0, 1)]
        floor[where] = dataclasses.asdict(accounting.ratio(*rates))
    return floor
