"""Objects over failure domains: put, get, list, delete, scrub, repair, rebuild, migrate, reclaim,
audit.

docs/store.md says what stands on a target, who decides what is true, and what the store promises.
Everything here rests on ``reed.files`` for shards and on ``reed.store.target`` for where they lie.
"""

from .clock import Clock, SystemClock
from .folder import FolderTarget
from .remote import RemoteTarget, open_location
from .reports import (
    AuditReport,
    GetReport,
    IncidentReport,
    MigrateReport,
    ObjectAudit,
    ObjectInfo,
    ObjectScrub,
    PutReport,
    RebuildReport,
    ReclaimReport,
    RepairedObject,
    RetireReport,
    ScrubReport,
    ShardState,
    SlotState,
)
from .store import Store
from .target import Capabilities, Target

__all__ = [
    "AuditReport",
    "Capabilities",
    "Clock",
    "FolderTarget",
    "GetReport",
    "IncidentReport",
    "MigrateReport",
    "ObjectAudit",
    "ObjectInfo",
    "ObjectScrub",
    "PutReport",
    "RebuildReport",
    "ReclaimReport",
    "RemoteTarget",
    "RepairedObject",
    "RetireReport",
    "ScrubReport",
    "ShardState",
    "SlotState",
    "Store",
    "SystemClock",
    "Target",
    "open_location",
]
