from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

Bytes: TypeAlias = NDArray[np.uint8]
# A (rows, n) array, or as many buffers of n bytes; a single buffer where one row is meant.
Rows: TypeAlias = Buffer | Sequence[Buffer]
Shards: TypeAlias = Mapping[int, Buffer]
Out = TypeVar("Out", bound=Buffer | MutableSequence[Any] | tuple[Any, ...])
OutBuffer = TypeVar("OutBuffer", bound=Buffer)

def kernels() -> list[str]: ...
def all_kernels() -> dict[str, bool]: ...
def generators() -> list[str]: ...
def crc32c(buffer: Buffer, value: int = 0, kernel: str | None = None) -> int: ...
def crc32(buffer: Buffer, value: int = 0, kernel: str | None = None) -> int: ...
def crc32c_combine(crc_a: int, crc_b: int, size_b: int) -> int: ...

class Code:
    @property
    def data_shards(self) -> int: ...
    @property
    def parity_shards(self) -> int: ...
    @property
    def generator(self) -> str: ...
    @property
    def decode_only(self) -> bool: ...
    @property
    def kernel(self) -> str: ...
    @property
    def generator_matrix(self) -> Bytes: ...
    @property
    def matrix_crc32c(self) -> int: ...
    def __new__(
        cls,
        data_shards: int,
        parity_shards: int,
        generator: str,
        matrix: Rows | None = None,
        kernel: str | None = None,
        decode_only: bool = False,
    ) -> Code: ...
    @overload
    def encode(self, data: Rows, out: None = None, threads: int = 1) -> Bytes: ...
    @overload
    def encode(self, data: Rows, out: Out, threads: int = 1) -> Out: ...
    @overload
    def reconstruct(
        self,
        shards: Shards,
        wanted: Iterable[int] | None = None,
        out: None = None,
        threads: int = 1,
    ) -> dict[int, Bytes]: ...
    @overload
    def reconstruct(
        self,
        shards: Shards,
        wanted: Iterable[int] | None = None,
        *,
        out: Mapping[int, OutBuffer],
        threads: int = 1,
    ) -> dict[int, OutBuffer]: ...
    @overload
    def encode_crc32c(
        self, data: Rows, block_size: int = 65536, out: None = None, threads: int = 1
    ) -> tuple[Bytes, NDArray[np.uint32]]: ...
    @overload
    def encode_crc32c(
        self, data: Rows, block_size: int = 65536, *, out: Out, threads: int = 1
    ) -> tuple[Out, NDArray[np.uint32]]: ...
    def reconstruct_crc32c(
        self,
        shards: Shards,
        checksums: Mapping[int, Sequence[int] | NDArray[np.uint32]] | NDArray[np.uint32],
        block_size: int = 65536,
        wanted: Iterable[int] | None = None,
        out: Mapping[int, Buffer] | None = None,
        threads: int = 1,
    ) -> tuple[dict[int, Any], dict[int, NDArray[np.uint32]]]: ...
    @overload
    def decode(
        self,
        shards: Shards,
        wanted: Iterable[int] | None = None,
        columns: slice | None = None,
        out: None = None,
        threads: int = 1,
    ) -> Bytes: ...
    @overload
    def decode(
        self,
        shards: Shards,
        wanted: Iterable[int] | None = None,
        columns: slice | None = None,
        *,
        out: Out,
        threads: int = 1,
    ) -> Out: ...
    def verify(self, shards: Shards) -> bool: ...
    def locate(self, shards: Shards) -> list[int]: ...
    def update(
        self,
        parity: Rows | Shards,
        shard_index: int,
        old: Buffer,
        new: Buffer,
        offset: int = 0,
    ) -> None: ...

# ---- the shard format ----

# ---- the shard format ----

HEADER_SIZE: int
FOOTER_SIZE: int
BLOCK_HEADER_SIZE: int
BLOCK_ALIGNMENT: int
BLOCK_SIZE_DEFAULT: int
BLOCK_SIZE_MAX: int
STRIPE_ID_SIZE: int
RECORD_ABSENT: int
RECORD_GOOD: int
RECORD_CORRUPT: int

def shard_header_write(fields: dict[str, Any]) -> bytes: ...
def shard_footer_write(fields: dict[str, Any]) -> bytes: ...
def shard_header_parse(data: Buffer) -> dict[str, Any]: ...
def shard_footer_parse(data: Buffer) -> dict[str, Any]: ...
def block_parse(record: Buffer) -> dict[str, Any]: ...
def shard_layout(data_shards: int, block_size: int, object_size: int) -> dict[str, int]: ...

class BlockGeometry:
    def __init__(self, stripe_id: bytes, generator: str, data_shards: int, parity_shards: int,
                 block_size: int) -> None: ...
    def payload_crcs(self, records: NDArray[np.uint8], payload_size: int,
                     out: NDArray[np.uint32]) -> None: ...
    def seal_records(self, records: NDArray[np.uint8], payload_crcs: NDArray[np.uint32],
                     shard_indices: NDArray[np.uint32], first_row: int,
                     last_row_data_size: int = 0) -> None: ...
    def check_records(self, data: Buffer, size: int, shard_index: int, first_row: int, count: int,
                      last_row_data_size: int = 0) -> bytes: ...

# ---- fragments of liberasurecode ----

FRAGMENT_METADATA_SIZE: int

class FragmentCode:
    @property
    def backend_id(self) -> int: ...
    @property
    def backend_version(self) -> int: ...
    @property
    def code(self) -> Code: ...
    def __init__(self, code: Code, backend_id: int, backend_version: int) -> None: ...
    def encode(self, segment: Buffer, checked: bool = True,
               legacy_crc: bool = False) -> list[bytes]: ...
    def inspect(self, fragment: Buffer) -> tuple[bytes, bool]: ...
    def decode(self, fragments: Iterable[Buffer],
               read_all: bool = False) -> tuple[bytes, list[str] | None]: ...
    def reconstruct(self, fragments: Iterable[Buffer], index: int, checked: bool = True,
                    legacy_crc: bool = False) -> tuple[bytes, list[str] | None]: ...
