"""reed-solomon-leopard: the Rust crate reed-solomon-simd, O(n log n) over GF(2^16)."""

from importlib import metadata

from benchmarks import oracle
from benchmarks.contestant import Contestant, PythonContender


class Peer(Contestant):
    name = "leopard"

    def __init__(self):
        import reed_solomon_leopard

        self._library = reed_solomon_leopard
        self.version = metadata.version("reed-solomon-leopard")

    def _data(self, job):
        return [row.tobytes() for row in job.stripes.rows()[:job.data_shards]]

    def array_encode(self, job):
        data = self._data(job)
        count = job.parity_shards

        def prove(parity):
            kept = {shard: data[shard] for shard in range(count, job.data_shards)}
            restored = self._library.decode(job.data_shards, count, kept,
                                            dict(enumerate(parity)))
            for shard in set(job.data) - set(kept):
                oracle.require_equal(self.name, restored[shard], data[shard])

        return PythonContender(self.name, lambda: self._library.encode(data, count), prove)

    def array_reconstruct(self, job):
        data = self._data(job)
        parity = self._library.encode(data, job.parity_shards)
        kept_data = {shard: data[shard] for shard in job.available if shard < job.data_shards}
        kept_parity = {shard - job.data_shards: parity[shard - job.data_shards]
                       for shard in job.available[:job.data_shards] if shard >= job.data_shards}

        def call():
            return self._library.decode(job.data_shards, job.parity_shards, kept_data, kept_parity)

        def prove(restored):
            for shard in job.lost:
                oracle.require_equal(self.name, restored[shard], data[shard])

        return PythonContender(self.name, call, prove)
