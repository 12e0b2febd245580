"""What a drill plays on: a store over folders that stand for disks, and the model of what must be
in it. Only the model says what is right."""

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..codes import ReedSolomon, Replication
from ..errors import BeyondRepair, DigestMismatch, ReedError
from ..files.layout import Layout
from ..store import Store
from ..store.layout import shard_name
from .faulty import FaultyTarget

EXACT, REFUSED, SALVAGED, WRONG = "exact", "refused", "salvaged", "WRONG"
BLOCK_BYTES = 4096
# As a store is used: it writes behind the encoding, and to several targets at once.
THREADS = 4


class Scene:
    """:param contents: {key: bytes} that the store begins with."""

    def __init__(self, folder: Path, code: ReedSolomon | Replication, contents: dict[str, bytes],
                 generator: random.Random):
        self.folder = folder
        self.random = generator
        self.model: dict[str, bytes | None] = {}  # None: deleted, or never there
        self.disks = [folder / f"disk{number:02d}" for number in range(
            code.data_shards + code.parity_shards)]
        for disk in self.disks:
            disk.mkdir(parents=True)
        with Store.create(self.targets(), code=code, block_size=BLOCK_BYTES, reserve_bytes=0,
                          allow_shared_devices=True, threads=THREADS, locate=FaultyTarget.refuse,
                          entropy=generator.randbytes) as store:
            self.code = store.config.code
            self.write_quorum = store.config.write_quorum
            for key, data in contents.items():
                store.put(key, data)
                self.model[key] = data

    # -- its shape --

    @property
    def tolerable(self) -> int:
        """How many targets may be away with every object still readable: as many as there is
        parity for, and never half of those that must say what exists."""
        return min(self.code.parity_shards, (len(self.disks) - 1) // 2)

    @property
    def spare_for_writing(self) -> int:
        """How many targets may refuse a put that is still acknowledged."""
        return min(len(self.disks) - self.write_quorum, (len(self.disks) - 1) // 2)

    def keys_with_blocks(self) -> list[str]:
        return sorted(key for key, data in self.model.items() if data)

    # -- the store, again and again as by a new process --

    def targets(self, faulty: dict[int, str] | None = None) -> list[FaultyTarget]:
        """The disks that are there; some with a fault. Each has a generator of its own, since
        threads ask them in any order."""
        return [FaultyTarget(disk, (faulty or {}).get(number),
                             random.Random(self.random.getrandbits(64)))
                for number, disk in enumerate(self.disks) if disk.is_dir()]

    @contextmanager
    def opened(self, faulty: dict[int, str] | None = None) -> Iterator[Store]:
        # Of its own: how much it takes may depend on what a process that died had done by then,
        # and the next fault is the seed's all the same.
        entropy = random.Random(self.random.getrandbits(64)).randbytes
        with Store.open(self.targets(faulty), threads=THREADS, locate=FaultyTarget.refuse,
                        entropy=entropy) as store:
            yield store

    def paths(self, key: str) -> dict[int, Path]:
        """{shard index: file} of the live version of an object."""
        with self.opened() as store:
            found = store.stat(key)
        return {shard.shard_index: self.disks[shard.slot] / shard_name(
            key, found.object.version, shard.shard_index) for shard in found.shards}

    def layout(self, key: str) -> Layout:
        return Layout(self.code.geometry(b"\1" * 16), len(self.model[key]))

    def new_bytes(self, key: str) -> bytes:
        """Other contents for an object; of its size, so that a fault that is played alone finds
        the rows that it finds among others."""
        return self.random.randbytes(len(self.model[key]))

    # -- judging --

    def judge(self, store: Store, key: str, also: bytes | str | None = "nothing") -> str:
        """One object, as the store answers now. ``also``: other contents that are right too,
        because the store said that it does not know (None: no object)."""
        allowed = [self.model[key]] + ([] if also == "nothing" else [also])
        try:
            found = store.read(key)
        except LookupError:
            return EXACT if None in allowed else WRONG
        except (BeyondRepair, DigestMismatch):
            return self._judge_salvage(store, key)
        except (ReedError, OSError):
            return REFUSED
        return EXACT if found in [data for data in allowed if data is not None] else WRONG

    def _judge_salvage(self, store: Store, key: str) -> str:
        base = self.folder / "salvaged"
        right = self.model[key]
        try:
            report = store.salvage(key, base)
            found = Path(f"{base}.partial").read_bytes()
        except (ReedError, OSError):
            return REFUSED
        finally:
            for path in self.folder.glob("salvaged.*"):
                path.unlink()
        position = 0
        for begin, end in (*report.lost_ranges, (len(right), len(right))):
            if found[position:begin] != right[position:begin]:
                return WRONG
            position = end
        return SALVAGED if report.salvage["verified_size"] else REFUSED

    @staticmethod
    def holds(store: Store, key: str, data: bytes | None) -> bool:
        """Whether the store says that an object is just this (None: that there is none)."""
        try:
            return store.read(key) == data
        except LookupError:
            return data is None
        except (ReedError, OSError):
            return False

    def judge_all(self, store: Store) -> dict[str, str]:
        return {key: self.judge(store, key) for key in sorted(self.model)}

    # -- afterwards --

    def heal(self, lost: list[str]) -> str | None:
        """Makes everything whole again and proves it; says what is not, else None. Objects that
        are lost, as they were to be, are deleted and put anew."""
        with self.opened() as store:
            for key in lost:
                store.delete(key)
                self.model[key] = self.new_bytes(key)
                store.put(key, self.model[key])
            store.reconcile()
            store.scrub(repair=True)
            after = store.scrub()
            if after.status != "clean":
                return f"the scrub after the repair says: {after.status}"
            wrong = [key for key, verdict in self.judge_all(store).items() if verdict != EXACT]
            if wrong:
                return f"after the repair not exact: {', '.join(wrong)}"
            margin = store.audit().margin
            if margin is not None and margin < self.code.parity_shards:
                return f"after the repair the margin is {margin}, not {self.code.parity_shards}"
        return None

    def close(self) -> None:
        shutil.rmtree(self.folder)


def own_contents(code: ReedSolomon | Replication, generator: random.Random) -> dict[str, bytes]:
    """Small objects of sizes where stores go wrong: nothing, one byte, two rows and one byte."""
    row = code.data_shards * BLOCK_BYTES
    return {f"object/{size}": generator.randbytes(size) for size in (0, 1, 2 * row + 1)}


def contents_of(store: Store, count: int, limit_bytes: int) -> dict[str, bytes]:
    """Some objects of a store that is only read, spread over its keys."""
    infos = [info for info in store.list() if info.size <= limit_bytes]
    infos.sort(key=lambda info: hashlib.sha256(os.fsencode(info.key)).digest())
    return {info.key: store.read(info.key) for info in infos[:count]}
