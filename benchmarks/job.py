"""One stripe's worth of work: its shape, the memory it lies in, and proofs that it was done."""

import functools
from dataclasses import dataclass

import numpy

from benchmarks import accounting, harness, machine, oracle
from benchmarks.memory import SEED, SPREAD, Stripes

POISON = 0xA5

HOT, ROTATING = "hot", "rotating"  # one stripe again and again; a ring that no cache holds


@dataclass(frozen=True)
class Job:
    """What is coded. `lost` are the shards to rebuild; `block_size` is what a checksum covers;
    `layout` says how shards lie in memory, see benchmarks.memory."""

    data_shards: int
    parity_shards: int
    shard_size: int
    level: str = HOT
    lost: tuple = ()
    block_size: int = 65536
    layout: str = SPREAD

    @property
    def shard_count(self):
        return self.data_shards + self.parity_shards

    @property
    def data_bytes(self):
        return accounting.data_bytes(self.data_shards, self.shard_size)

    @property
    def block_count(self):
        return -(-self.shard_size // self.block_size)

    @property
    def data(self):
        """Positions of the data shards in a stripe."""
        return range(self.data_shards)

    @property
    def parity(self):
        """Positions of the parity shards in a stripe."""
        return range(self.data_shards, self.shard_count)

    @property
    def available(self):
        """Positions of the shards that are not lost."""
        return [shard for shard in range(self.shard_count) if shard not in self.lost]

    @functools.cached_property
    def stripes(self):
        """The ring. Room for copies of all data stands behind the shards, for memcpy."""
        touched = self.data_shards + (len(self.lost) or self.parity_shards)
        return Stripes(self.shard_size, max(self.shard_count, 2 * self.data_shards),
                       touched * self.shard_size, self.level == ROTATING,
                       machine.last_cache_size(), self.layout)

    @functools.cached_property
    def payload(self):
        """An object of as many bytes as the stripe has data, as bytes."""
        return numpy.random.default_rng(SEED).bytes(self.data_bytes)

    # -- proofs, on stripe 0 --

    def poison(self, positions):
        """Overwrites shards, so that a contender that leaves them alone is found out."""
        self.stripes.rows()[list(positions)] = POISON

    def prove_encode(self, contender, matrix):
        """The parity rows are the matrix times the data."""
        self.poison(self.parity)
        contender.call_on_first_stripe()
        rows = self.stripes.rows()
        oracle.require_product(contender.name, matrix, rows[:self.data_shards],
                               rows[self.data_shards:self.shard_count])

    def prove_reconstruct(self, contender, encoder):
        """The lost shards come back as they were; `encoder` makes this code's parity."""
        rows = self.stripes.rows()
        encoder.call_on_first_stripe()
        lost = list(self.lost)
        expected = rows[lost]
        self.poison(lost)
        contender.call_on_first_stripe()
        oracle.require_equal(contender.name, rows[lost], expected)

    def prove_crc32c(self, who, positions, crc32c):
        """The checksums, [position][block], are those of another implementation."""
        kernel = harness.find_kernel("portable")
        rows = self.stripes.rows()
        for position, found in zip(positions, crc32c, strict=True):
            for block in range(self.block_count):
                data = rows[position][block * self.block_size:(block + 1) * self.block_size]
                expected = harness.core().reed_kernel_crc32c(kernel, 0, data.ctypes.data, data.size)
                if found[block] != expected:
                    raise AssertionError(
                        f"{who}: CRC32C of shard {position}, block {block} is "
                        f"{found[block]:#010x}, not {expected:#010x}")

    def prove_object_crc32c(self, found):
        """The CRC32C of the payload."""
        view = numpy.frombuffer(self.payload, numpy.uint8)
        expected = harness.core().reed_kernel_crc32c(
            harness.find_kernel("portable"), 0, view.ctypes.data, view.size)
        if found != expected:
            raise AssertionError(f"CRC32C {found:#010x}, not {expected:#010x}")

    def crc32c_arrays(self, source_count, target_count):
        """Room for the checksums of the harness: the fields of a task that take them."""
        return {"block_size": self.block_size,
                "source_crc32c": numpy.zeros((source_count, self.block_count), numpy.uint32),
                "target_crc32c": numpy.zeros((target_count, self.block_count), numpy.uint32)}
