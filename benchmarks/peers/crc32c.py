"""crc32c, the ICRAR package."""

from benchmarks.contestant import Contestant, PythonContender


class Peer(Contestant):
    name = "crc32c"

    def __init__(self):
        import crc32c

        self._crc32c = crc32c.crc32c
        self.version = crc32c.__version__

    def object_crc32c(self, job):
        return PythonContender(self.name, lambda: self._crc32c(job.payload),
                               job.prove_object_crc32c)
