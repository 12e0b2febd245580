"""The redundancy schemes that the durability models know: which losses each one survives.

A scheme is a set of shards and the exact answer to "do these losses still decode?". Replication
and Reed-Solomon are MDS, so only the count matters. Local reconstruction codes are not: their
answers come from the rank of a real parity-check matrix over GF(2^8)/0x11d, computed here in
NumPy so that the models work without the compiled core.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import cached_property, lru_cache

import numpy as np

from reed.errors import InvalidParameter

# Enumerating loss patterns costs memory and time in proportion; beyond this many the exact count
# is refused rather than sampled.
PATTERN_LIMIT = 500_000


def _whole(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidParameter(f"{name} = {value!r}: an integer from {low} to {high} is needed")
    if not low <= value <= high:
        raise InvalidParameter(f"{name} = {value}: allowed is {low} to {high}")
    return int(value)


class Scheme:
    """What every scheme offers. Shards are numbered 0 … shards − 1, data first.

    data_shards:    how many shards' worth of data a stripe holds (k)
    shards:         all shards of a stripe (n)
    overhead:       bytes stored per byte of data, n/k
    repair_shards:  shards read to rebuild one lost shard
    classes:        tuple of tuples of shard indices that are interchangeable: whether losses
                    decode depends only on how many fall into each class
    """

    data_shards: int
    shards: int
    repair_shards: int
    classes: tuple[tuple[int, ...], ...]
    # Runs of classes (first, past the last) that may be swapped whole without changing anything.
    alike: tuple[tuple[int, int], ...] = ()

    @property
    def overhead(self) -> float:
        return self.shards / self.data_shards

    @property
    def parity_shards(self) -> int:
        return self.shards - self.data_shards

    @property
    def is_mds(self) -> bool:
        """Whether any `parity_shards` losses decode."""
        return len(self.classes) == 1

    def survives(self, missing: Iterable[int]) -> bool:
        """Whether the data decode when the shards of these indices are missing."""
        raise NotImplementedError

    def survives_counts(self, missing_per_class: tuple[int, ...]) -> bool:
        """`survives` by how many shards of each class are missing."""
        return self.survives(
            index
            for members, count in zip(self.classes, missing_per_class, strict=True)
            for index in members[:count]
        )

    def decodable(self, losses: int) -> tuple[int, int]:
        """(good, total): of the `total` sets of `losses` shards, how many decode. Exact."""
        raise NotImplementedError

    def _indices(self, missing: Iterable[int]) -> frozenset[int]:
        indices = frozenset(missing)
        for index in indices:
            if not 0 <= index < self.shards:
                raise InvalidParameter(
                    f"shard index {index}: allowed is 0 to {self.shards - 1} for {self}"
                )
        return indices

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.expression

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scheme) and self.expression == other.expression

    def __hash__(self) -> int:
        return hash(self.expression)

    name: str
    expression: str


class _MDS(Scheme):
    def __init__(self, data_shards: int, parity_shards: int):
        self.data_shards = data_shards
        self.shards = data_shards + parity_shards
        self.repair_shards = data_shards
        self.classes = (tuple(range(self.shards)),)

    def survives(self, missing: Iterable[int]) -> bool:
        return len(self._indices(missing)) <= self.parity_shards

    def survives_counts(self, missing_per_class: tuple[int, ...]) -> bool:
        return missing_per_class[0] <= self.parity_shards

    def decodable(self, losses: int) -> tuple[int, int]:
        _whole("losses", losses, 0, self.shards)
        total = math.comb(self.shards, losses)
        return (total if losses <= self.parity_shards else 0), total


class Replication(_MDS):
    """`copies` identical copies; any one of them is enough. copies: 1 to 255."""

    def __init__(self, copies: int):
        self.copies = _whole("copies", copies, 1, 255)
        super().__init__(1, copies - 1)
        self.name = f"{copies} copies" if copies > 1 else "1 copy"
        self.expression = f"Replication({copies})"


class ReedSolomon(_MDS):
    """`k` data and `m` parity shards, any k of which give the data. k + m up to 256."""

    def __init__(self, k: int, m: int):
        k = _whole("k", k, 1, 256)
        m = _whole("m", m, 0, 256 - k)
        super().__init__(k, m)
        self.name = f"{k}+{m}"
        self.expression = f"ReedSolomon({k}, {m})"


class LocalReconstruction(Scheme):
    """A local reconstruction code: `k` data shards in `local_groups` groups, each with one local
    parity, and `global_parities` global ones (Huang et al., "Erasure Coding in Windows Azure
    Storage", USENIX ATC 2012; the paper's LRC(k, l, r)).

    Shards: the data, then the local parities, then the global parities. Without `generator` the
    code is maximally recoverable (it decodes every pattern that any code of this shape can) and
    that has been checked by rank; where no such code is known over GF(2^8) construction is
    refused and an explicit `generator`, a (shards, k) uint8 matrix with the identity on top, can
    be given. Then its patterns are counted as they are.
    """

    def __init__(self, k: int, local_groups: int, global_parities: int, generator=None):
        self.data_shards = _whole("k", k, 1, 128)
        self.local_groups = _whole("local_groups", local_groups, 1, k)
        self.global_parities = _whole("global_parities", global_parities, 0, 64)
        self.shards = k + local_groups + global_parities
        self.name = f"LRC({k},{local_groups},{global_parities})"
        self.expression = f"LocalReconstruction({k}, {local_groups}, {global_parities})"
        bounds = [k * group // local_groups for group in range(local_groups + 1)]
        self.groups = tuple(
            (*range(bounds[group], bounds[group + 1]), k + group) for group in range(local_groups)
        )
        self.repair_shards = max(len(group) for group in self.groups) - 1
        self._globals = tuple(range(k + local_groups, self.shards))
        if generator is None:
            self.generator = _maximally_recoverable(self)
        else:
            self.generator = np.array(generator, dtype=np.uint8)
            if self.generator.shape != (self.shards, k):
                raise InvalidParameter(
                    f"generator shape {self.generator.shape}: {(self.shards, k)} is needed"
                )
            if not np.array_equal(self.generator[:k], np.eye(k, dtype=np.uint8)):
                raise InvalidParameter("generator: the first k rows must be the identity")
            self.expression += f" with generator {self.generator[k:].tobytes().hex()}"
        self._memory: dict[frozenset[int], bool] = {}

    @cached_property
    def maximally_recoverable(self) -> bool:
        losses = self.parity_shards
        return self.decodable(losses)[0] == sum(
            self._within_bound(pattern)
            for pattern in itertools.combinations(range(self.shards), losses)
        )

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The groups and the globals where counts decide; else every shard by itself."""
        if self.maximally_recoverable:
            return (*self.groups, self._globals) if self._globals else self.groups
        return tuple((index,) for index in range(self.shards))

    @property
    def alike(self) -> tuple[tuple[int, int], ...]:
        if self.maximally_recoverable and len({len(group) for group in self.groups}) == 1:
            return ((0, self.local_groups),)
        return ()

    @property
    def parity_check(self) -> np.ndarray:
        """(n−k, n) uint8 matrix H with H·codeword = 0."""
        parity = self.generator[self.data_shards :]
        return np.hstack([parity, np.eye(self.parity_shards, dtype=np.uint8)])

    def survives(self, missing: Iterable[int]) -> bool:
        indices = self._indices(missing)
        known = self._memory.get(indices)
        if known is None:
            known = self._memory[indices] = bool(_decodable_patterns(
                self.parity_check, np.array([sorted(indices)], dtype=np.int64)
            )[0])
        return known

    def decodable(self, losses: int) -> tuple[int, int]:
        _whole("losses", losses, 0, self.shards)
        total = math.comb(self.shards, losses)
        if losses > self.parity_shards:
            return 0, total
        if total > PATTERN_LIMIT:
            raise InvalidParameter(
                f"{self}: {total} patterns of {losses} losses; at most {PATTERN_LIMIT} are counted"
            )
        patterns = np.array(
            list(itertools.combinations(range(self.shards), losses)), dtype=np.int64
        ).reshape(total, losses)
        return int(_decodable_patterns(self.parity_check, patterns).sum()), total

    def _within_bound(self, pattern: Iterable[int]) -> bool:
        """Whether any code of this shape could decode: one loss per group is repaired locally,
        the rest needs one global parity each."""
        missing = set(pattern)
        excess = sum(max(0, len(missing.intersection(group)) - 1) for group in self.groups)
        return excess + len(missing.intersection(self._globals)) <= self.global_parities


@lru_cache(maxsize=1)
def _field() -> tuple[np.ndarray, np.ndarray]:
    """Logarithms and (doubled) powers of the generator 2 of GF(2^8)/0x11d."""
    powers = np.zeros(510, dtype=np.uint8)
    logarithms = np.zeros(256, dtype=np.int64)
    value = 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        value <<= 1
        if value & 0x100:
            value ^= 0x11D
    return logarithms, powers


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    logarithms, powers = _field()
    product = powers[logarithms[a] + logarithms[b]]
    return np.where((a == 0) | (b == 0), np.uint8(0), product)


def _decodable_patterns(parity_check: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """For each row of `patterns` (count, losses), whether those columns of `parity_check` are
    linearly independent: Gaussian elimination over GF(2^8) on all patterns at once."""
    logarithms, powers = _field()
    count, losses = patterns.shape
    rows = parity_check.shape[0]
    if losses > rows:
        return np.zeros(count, dtype=bool)
    work = parity_check[:, patterns].transpose(1, 0, 2).copy()  # (count, rows, losses)
    everyone = np.arange(count)
    independent = np.ones(count, dtype=bool)
    for column in range(losses):
        pivot = column + (work[:, column:, column] != 0).argmax(axis=1)
        independent &= work[everyone, pivot, column] != 0
        top = work[everyone, pivot].copy()
        work[everyone, pivot] = work[:, column]
        work[:, column] = top
        inverse = powers[(255 - logarithms[top[:, column]]) % 255]
        factor = _multiply(work[:, column + 1 :, column], inverse[:, None])
        work[:, column + 1 :] ^= _multiply(factor[:, :, None], top[:, None, :])
    return independent


def _maximally_recoverable(code: LocalReconstruction) -> np.ndarray:
    """A generator that decodes every pattern the shape allows, found by trial and proved by rank.

    Local parities are the XOR of their group. The global rows raise one element per data shard to
    the powers 1, 2, 4, …; elements of one group come from one coset of the subfield GF(16), whose
    sums never meet those of another group, which settles one and two global parities (the
    construction of Azure's code, Huang et al. 2012, section 2.4). Three or more need luck, so
    random Cauchy-like rows are tried too, from a fixed seed.
    """
    k, patterns_size = code.data_shards, code.parity_shards
    total = math.comb(code.shards, patterns_size)
    if total > PATTERN_LIMIT:
        raise InvalidParameter(
            f"{code}: {total} patterns of {patterns_size} losses must be checked by rank; "
            f"at most {PATTERN_LIMIT} are"
        )
    patterns = np.array(
        list(itertools.combinations(range(code.shards), patterns_size)), dtype=np.int64
    ).reshape(total, patterns_size)
    wanted = np.array([code._within_bound(pattern) for pattern in patterns.tolist()])
    _, powers = _field()
    local = np.zeros((code.local_groups, k), dtype=np.uint8)
    elements = np.zeros(k, dtype=np.uint8)
    for group, members in enumerate(code.groups):
        data = members[:-1]
        local[group, list(data)] = 1
        # 17 generates the multiplicative group of GF(16) inside GF(256): 255 / 15.
        elements[list(data)] = [powers[(group + 17 * place) % 255] for place in range(len(data))]
    random = np.random.default_rng(20180720)
    logarithms, _ = _field()
    for trial in range(200):
        if trial == 0:
            rows = [powers[(logarithms[elements] << row) % 255]
                    for row in range(code.global_parities)]
            shared = np.array(rows, dtype=np.uint8).reshape(code.global_parities, k)
        else:
            shared = random.integers(1, 256, (code.global_parities, k)).astype(np.uint8)
        generator = np.vstack([np.eye(k, dtype=np.uint8), local, shared])
        check = np.hstack([generator[k:], np.eye(patterns_size, dtype=np.uint8)])
        if np.array_equal(_decodable_patterns(check, patterns), wanted):
            return generator
    raise InvalidParameter(
        f"{code}: no maximally recoverable generator over GF(2^8) found; pass generator="
    )
