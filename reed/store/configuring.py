"""What a configuration may say: refuses codes, quorums and targets that cannot keep the promise."""

import os

from ..codes import ReedSolomon, Replication
from ..errors import InvalidParameter
from . import domains as domains_module
from .entries import Code
from .roster import Roster
from .target import Target


def code_of(code: ReedSolomon | Replication, block_size: int) -> Code:
    if not isinstance(code, (ReedSolomon, Replication)):
        raise InvalidParameter(f"code must be a ReedSolomon or a Replication, not {code!r}")
    if code.generator == "explicit":
        raise InvalidParameter("a code with a matrix of your own has no number in a shard file")
    chosen = Code(code.generator, code.data_shards, code.parity_shards, block_size)
    chosen.geometry(b"\1" * 16).make_block_geometry()  # refuses a block size out of range
    return chosen


def check_quorum(code: Code, quorum: int | None) -> int:
    """The write quorum, in failure domains."""
    least = code.data_shards + (1 if code.parity_shards else 0)
    if quorum is None:
        return code.data_shards + -(-code.parity_shards // 2)
    if not least <= quorum <= code.shard_count:
        raise InvalidParameter(f"write_quorum must be {least} to {code.shard_count} for {code}, "
                               f"not {quorum}")
    return quorum


def check_domains(targets: list[Target], labels: list[str], quorum: int,
                   allows_shared_devices: bool) -> None:
    """Refuses targets that cannot be the failure domains that they are given for."""
    places = [target.location if "://" in target.location else os.path.realpath(target.location)
              for target in targets]
    for place in places:
        if places.count(place) > 1:
            raise InvalidParameter(f"{place} is given {places.count(place)} times")
    numbers = range(len(targets))
    durable = {labels[number] for number in numbers if targets[number].capabilities.durable}
    if len(durable) < quorum:
        raise InvalidParameter(f"{quorum} durable failure domains are needed, not {len(durable)}")
    if allows_shared_devices:
        return
    devices = {number: targets[number].device() for number in numbers}
    effective = domains_module.effective(dict(enumerate(labels)), devices)
    if len(set(effective.values())) < len(set(labels)):
        shared = [targets[number].location for number in numbers
                  if list(devices.values()).count(devices[number]) > 1]
        raise InvalidParameter(
            f"{len(shared)} targets share a device and would fail together: "
            f"{', '.join(shared[:3])}{', ...' if len(shared) > 3 else ''}; give targets on "
            "different disks, or allow shared devices (for a trial)")


def require_other_device(roster: Roster, target: Target, slot: int) -> None:
    if roster.config.allows_shared_devices:
        return
    device = target.device()
    for member in roster.reachable():
        if member.number != slot and device is not None and member.target.device() == device:
            raise InvalidParameter(
                f"{target.location} is on {device} as slot {member.number} "
                f"({member.target.location}) is: they would fail together")
