"""The limit as a contestant: the fastest of the kernels that only load, XOR and store, and memcpy.

For each shape, size and memory level every variant (vector width, vectors at a time, prefetch
distance, kind of store) is tried, and the fastest stands beside the others.
"""

import numpy

from benchmarks import harness, measure
from benchmarks.contestant import Contestant
from benchmarks.harness import NativeContender

FINALISTS = 6


class Roofline(Contestant):
    name = "roofline"

    def __init__(self):
        self.library = harness.library()
        self.version = ", ".join(
            self.library.harness_roofline_set_name(each).decode() for each in self._sets())
        self._chosen = {}

    def _sets(self):
        position = 0
        while found := self.library.harness_roofline_set(position):
            yield found
            position += 1

    def _variants(self, nontemporal):
        """(name, function) of every variant of one kind of store that this machine runs."""
        for variants in self._sets():
            set_name = self.library.harness_roofline_set_name(variants).decode()
            position = 0
            while variant := self.library.harness_roofline_variant(variants, position):
                position += 1
                if self.library.harness_roofline_variant_is_nontemporal(variant) == nontemporal:
                    name = self.library.harness_roofline_variant_name(variant).decode()
                    yield (f"{set_name}, {name}",
                           self.library.harness_roofline_variant_run(variant))

    def _contender(self, job, sources, targets, nontemporal):
        contenders = [
            NativeContender(name, job.stripes, sources, targets,
                            lambda contender: _prove(job, contender, sources, targets),
                            coder=harness.CODER_ROOFLINE, function=function)
            for name, function in self._variants(nontemporal)]
        key = (len(sources), len(targets), job.shard_size, job.level, nontemporal)
        if key not in self._chosen:
            finalists = _fastest(contenders, job.level, rounds=2)[:FINALISTS]
            self._chosen[key] = _fastest(finalists, job.level, rounds=5)[0].name
        return next(each for each in contenders if each.name == self._chosen[key])

    def encode(self, job, nontemporal=False):
        return self._contender(job, job.data, job.parity, nontemporal)

    def reconstruct(self, job, nontemporal=False):
        sources = job.available[:job.data_shards]
        return self._contender(job, sources, job.lost, nontemporal)

    def crc32c_reconstruct(self, job, nontemporal=False):
        return self.reconstruct(job, nontemporal)

    def encode_crc32c(self, job, nontemporal=False):
        return self.encode(job, nontemporal)

    def copy(self, job):
        """memcpy of the data alone."""
        copies = range(job.data_shards, 2 * job.data_shards)

        def prove(contender):
            job.poison(copies)
            contender.call_on_first_stripe()
            rows = job.stripes.rows()
            if not numpy.array_equal(rows[list(job.data)], rows[list(copies)]):
                raise AssertionError("memcpy did not copy")

        return NativeContender("memcpy", job.stripes, job.data, copies, prove,
                               coder=harness.CODER_COPY)


def _fastest(contenders, level, rounds):
    """Sorted by their best times: what another program does meanwhile must not choose."""
    measured = measure.interleave(contenders, rounds, level)
    order = numpy.argsort(measured.nanoseconds.min(axis=0), kind="stable")
    return [contenders[i] for i in order]


def _prove(job, contender, sources, targets):
    """Every target is the sum of all sources."""
    job.poison(targets)
    contender.call_on_first_stripe()
    rows = job.stripes.rows()
    expected = numpy.bitwise_xor.reduce(rows[list(sources)], axis=0)
    for target in targets:
        if not numpy.array_equal(rows[target], expected):
            raise AssertionError(f"roofline {contender.name}: wrong sum")
