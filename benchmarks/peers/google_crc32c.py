"""google-crc32c, Google's package."""

from importlib import metadata

from benchmarks.contestant import Absent, Contestant, PythonContender


class Peer(Contestant):
    name = "google-crc32c"

    def __init__(self):
        import google_crc32c

        if google_crc32c.implementation != "c":
            raise Absent("its C extension is not there, and its Python code is no peer")
        self._value = google_crc32c.value
        self.version = metadata.version("google-crc32c")

    def object_crc32c(self, job):
        return PythonContender(self.name, lambda: self._value(job.payload),
                               job.prove_object_crc32c)
