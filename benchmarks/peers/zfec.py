"""zfec, the coder of Tahoe-LAFS."""

from benchmarks import oracle
from benchmarks.contestant import Contestant, PythonContender


class Peer(Contestant):
    name = "zfec"

    def __init__(self):
        import zfec

        self._zfec = zfec
        self.version = zfec.__version__

    def _blocks(self, job):
        size, view = job.shard_size, memoryview(job.payload)
        return tuple(view[begin:begin + size] for begin in range(0, len(view), size))

    def object_encode(self, job):
        encoder = self._zfec.Encoder(job.data_shards, job.shard_count)
        parity = tuple(job.parity)

        def call():
            return encoder.encode(self._blocks(job), parity)

        def prove(result):
            decoder = self._zfec.Decoder(job.data_shards, job.shard_count)
            numbers = range(len(result), len(result) + job.data_shards)
            blocks = (*self._blocks(job), *result)[len(result):][:job.data_shards]
            oracle.require_equal(self.name, b"".join(decoder.decode(blocks, tuple(numbers))),
                                 job.payload)

        return PythonContender(self.name, call, prove)

    def object_decode(self, job):
        encoder = self._zfec.Encoder(job.data_shards, job.shard_count)
        decoder = self._zfec.Decoder(job.data_shards, job.shard_count)
        blocks = encoder.encode(self._blocks(job))
        numbers = tuple(job.available[:job.data_shards])
        given = tuple(blocks[number] for number in numbers)
        return PythonContender(
            self.name, lambda: b"".join(decoder.decode(given, numbers)),
            lambda result: oracle.require_equal(self.name, result, job.payload))
