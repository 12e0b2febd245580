"""pyeclib, the Python face of liberasurecode (OpenStack Swift's), with an ISA-L backend."""

from importlib import metadata

from benchmarks import oracle
from benchmarks.contestant import Contestant, PythonContender


class Peer(Contestant):
    name = "pyeclib"
    backend = "isa_l_rs_cauchy"

    def __init__(self):
        from pyeclib.ec_iface import ECDriver

        self._driver = ECDriver
        self.version = f"{metadata.version('pyeclib')}, {self.backend}"

    def _fragments(self, job):
        driver = self._driver(k=job.data_shards, m=job.parity_shards, ec_type=self.backend)
        fragments = driver.encode(job.payload)
        return driver, fragments, [fragments[shard] for shard in job.available]

    def object_encode(self, job):
        driver, _, _ = self._fragments(job)

        def prove(fragments):
            kept = [fragments[shard] for shard in range(job.parity_shards, job.shard_count)]
            oracle.require_equal(self.name, driver.decode(kept), job.payload)

        return PythonContender(self.name, lambda: driver.encode(job.payload), prove)

    def object_decode(self, job):
        driver, _, given = self._fragments(job)
        return PythonContender(
            self.name, lambda: driver.decode(given),
            lambda result: oracle.require_equal(self.name, result, job.payload))

    def object_reconstruct(self, job):
        driver, fragments, given = self._fragments(job)
        lost = list(job.lost)

        def prove(result):
            for shard, fragment in zip(lost, result, strict=True):
                oracle.require_equal(self.name, fragment, fragments[shard])

        return PythonContender(self.name, lambda: driver.reconstruct(given, lost), prove)
