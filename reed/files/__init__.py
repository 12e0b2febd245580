"""Files to shards and back: encode, decode, verify, repair, inspect and salvage.

The law of this package: no byte is returned, copied or used to rebuild another before a checksum
that covers its identity has proved it. All reading and repairing happens block by block, so
shards that are all damaged in different places still give the object back wherever every row
keeps as many good blocks as the code needs.

Every verb works in bounded memory: at most 64 MiB of buffers plus four rows, where one row is
``(data_shards + parity_shards) * (block_size + 64)`` bytes; lists that grow with the *damage*
(ranges of lost rows) come on top. Nothing under a final name is ever half written: see
``reed.files.medium`` for how files are published and what a crash leaves.
"""

from .decoding import decode
from .encoding import encode
from .inspecting import inspect
from .repairing import repair
from .reports import (
    DecodeReport,
    EncodeReport,
    FileReport,
    InspectReport,
    RepairAction,
    RepairReport,
    RowCounts,
    SalvageReport,
    ShardReport,
    SkippedFile,
    StripeReport,
    VerifyReport,
)
from .salvaging import salvage
from .verifying import verify

__all__ = [
    "DecodeReport",
    "EncodeReport",
    "FileReport",
    "InspectReport",
    "RepairAction",
    "RepairReport",
    "RowCounts",
    "SalvageReport",
    "ShardReport",
    "SkippedFile",
    "StripeReport",
    "VerifyReport",
    "decode",
    "encode",
    "inspect",
    "repair",
    "salvage",
    "verify",
]
