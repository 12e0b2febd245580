"""The evidence: what exists of every object, where, since when verified, and what it would take to
lose it. Looks at every shard file from outside; ``scrub`` is what looks inside."""

import dataclasses
from collections.abc import Callable, Iterator

from ..errors import Uncertain
from ..files.layout import Layout
from . import domains as domains_module
from . import journal, layout
from .entries import Entry
from .examine import domain_of, is_counted
from .reports import AuditReport, ObjectAudit, ObjectInfo, ShardState, SlotState
from .roster import Roster, describe
from .verified import ScrubStates


def info(key: str, entry: Entry) -> ObjectInfo:
    """An entry as reports say it."""
    return ObjectInfo(key=key, size=entry.size, version=str(entry.version), time=entry.time,
                      digest=entry.digest, digest_type=entry.digest_type, code=str(entry.code))


def slot_states(roster: Roster) -> tuple[SlotState, ...]:
    """Every slot, with the domain that it really is in."""
    devices, free, capabilities = {}, {}, {}
    for member in roster.members.values():
        if member.is_present:
            try:
                devices[member.number] = member.target.device()
                free[member.number] = member.target.free_bytes()
                capabilities[member.number] = dataclasses.asdict(member.target.capabilities)
            except OSError as error:
                member.reason = describe(error)
    effective = domains_module.effective(
        {member.number: member.slot.domain for member in roster.members.values()}, devices)
    return tuple(SlotState(
        number=member.number, target_id=member.slot.target_id,
        location=member.target.location if member.is_present else member.slot.location,
        domain=member.slot.domain, effective_domain=effective[member.number],
        device=devices.get(member.number),
        state="absent" if not member.is_present else "active" if member.is_voter else (
            "stale" if member.slot.state == "active" else member.slot.state),
        reason=None if member.is_voter else member.reason,
        free_bytes=free.get(member.number), capabilities=capabilities.get(member.number),
        is_counted=member.slot.is_counted, is_draining=member.slot.is_draining,
        suspect=member.suspect)
        for member in roster.members.values())


def shard_states(roster: Roster, states: ScrubStates, key: str,
                 entry: Entry) -> tuple[ShardState, ...]:
    """Every shard of a version by its file's existence and size, and what the last scrub said."""
    size = Layout(entry.code.geometry(b"\1" * 16), entry.size).file_size
    result = []
    for index, slot in enumerate(entry.placement):
        verified, how, last = states.of_shard(key, entry, index)
        problems = ()
        state, problem = _look(roster, key, entry, index, size)
        if state == "good" and last == "corrupt":
            state, problem = "corrupt", "as the last scrub found it"
        if problem:
            problems = (problem,)
        result.append(ShardState(
            shard_index=index, slot=slot, domain=domain_of(roster, slot), state=state,
            is_counted=is_counted(roster, slot), verified=verified, how=how, problems=problems))
    return tuple(result)


def _look(roster: Roster, key: str, entry: Entry, index: int, size: int) -> tuple[str, str | None]:
    slot = entry.placement[index]
    member = roster.members.get(slot) if slot is not None else None
    if member is None:
        return "missing", "it has no slot"
    if not member.is_present:
        return "unknown", member.reason
    try:
        handle = member.target.open(layout.shard_name(key, str(entry.version), index))
    except FileNotFoundError:
        if roster.is_there(member):
            return "missing", "no file"
        return "unknown", "the target is gone"
    except OSError as error:
        return "unknown", describe(error)
    try:
        found = handle.size()
    except OSError as error:
        return "unknown", describe(error)
    finally:
        handle.close()
    if found != size:
        return "corrupt", f"{found} bytes, must be {size}"
    return "good", None


def audit_object(roster: Roster, states: ScrubStates, effective: dict[int, str], key: str,
                 entry: Entry) -> ObjectAudit:
    """What there is of one object."""
    shards = shard_states(roster, states, key, entry)
    needed = entry.code.data_shards
    good = [shard for shard in shards if shard.state == "good"]
    # A slot that came since the domains were looked at is in the one that it was given.
    held = [effective.get(shard.slot, shard.domain) for shard in good if shard.is_counted]
    margin, domain_margin, fatal = domains_module.margins(held, needed)
    if len(good) < needed:
        unknown = sum(shard.state == "unknown" for shard in shards)
        status = "unknown" if len(good) + unknown >= needed else "beyond repair"
    else:
        is_whole = all(shard.state == "good" and shard.is_counted for shard in shards)
        status = "healthy" if is_whole else "degraded"
    return ObjectAudit(object=info(key, entry), status=status, shards=shards,
                       good_shards=len(held), margin=margin, domain_margin=domain_margin,
                       fatal_domains=fatal)


def audit_objects(roster: Roster, prefix: str, uncertain: dict[str, str],
                  check: Callable[[], None]) -> Iterator[ObjectAudit]:
    """Every object that there is; the keys of which that cannot be said go into `uncertain`."""
    states = ScrubStates(roster)
    effective = {slot.number: slot.effective_domain for slot in slot_states(roster)}
    for key in roster.list_keys(prefix):
        check()
        try:
            entry = roster.require_state(key).current
        except Uncertain as error:
            uncertain[key] = str(error)
            continue
        if entry is not None:
            yield audit_object(roster, states, effective, key, entry)


def audit(roster: Roster, prefix: str, now: float, check: Callable[[], None],
          with_objects: bool) -> AuditReport:
    """The whole store, or the keys that begin with `prefix`."""
    slots = slot_states(roster)
    uncertain: dict[str, str] = {}
    objects = []
    counts: dict[str, int] = {}
    stored, margin, oldest, never = 0, None, None, 0
    fatal: set[str] = set()
    for found in audit_objects(roster, prefix, uncertain, check):
        counts[found.status] = counts.get(found.status, 0) + 1
        stored += found.object.size
        margin = found.margin if margin is None else min(margin, found.margin)
        fatal.update(found.fatal_domains)
        for shard in found.shards:
            if shard.verified is None or shard.how != "medium":
                never += 1
            elif oldest is None or shard.verified < oldest:
                oldest = shard.verified
        if with_objects:
            objects.append(found)
    config = roster.config
    if counts.get("beyond repair"):
        verdict = "beyond repair"
    elif uncertain or counts.get("unknown"):
        verdict = "unknown"
    elif (counts.get("degraded") or not config.is_settled
          or any(slot.state != "active" for slot in slots)):
        verdict = "degraded"
    else:
        verdict = "healthy"
    return AuditReport(
        store_id=config.store_id, epoch=config.epoch, writer=config.writer, code=str(config.code),
        write_quorum=config.write_quorum, retention_hours=config.retention_hours, time=now,
        verdict=verdict, warnings=tuple(_warnings(config, slots, margin)), slots=slots,
        objects=tuple(objects), uncertain_keys=uncertain, counts=counts, bytes_stored=stored,
        margin=margin, fatal_domains=tuple(sorted(fatal)), oldest_verified=oldest,
        never_verified=never, journal=tuple(journal.read(roster)))


def _warnings(config, slots: tuple[SlotState, ...], margin: int | None) -> Iterator[str]:
    spare = sum(slot.state == "active" and slot.is_counted for slot in slots) - config.majority
    if margin is not None and margin > spare:
        yield (f"shards can lose {margin} more, but only {max(spare, 0)} more targets can go: of "
               f"{config.counted} records of each object {config.majority} must answer. Beyond "
               "that no object can be named; `reed decode` still reads its shard files")
    if not config.is_settled:
        yield "a change of the configuration was not finished: repair or reconcile finishes it"
    emptied = [str(slot.number) for slot in slots if slot.is_draining]
    if emptied:
        yield (f"slots {', '.join(emptied)} are being emptied, and must answer until they left: "
               "reclaim when the retention has ended, then retire")
    shared: dict[str, list[str]] = {}
    for slot in slots:
        if slot.device is not None:
            shared.setdefault(slot.device, []).append(slot.location)
    for device, locations in shared.items():
        if len(locations) > 1:
            yield (f"{len(locations)} targets are on {device}: they fail together and count as one "
                   "failure domain")
    domains = {slot.effective_domain for slot in slots}
    if len(domains) < config.write_quorum:
        yield (f"the targets are {len(domains)} failure domains in truth, fewer than the "
               f"{config.write_quorum} of the write quorum")
    for slot in slots:
        if slot.capabilities is not None and not slot.capabilities["durable"]:
            yield f"slot {slot.number} ({slot.location}) is not durable: it adds nothing"
        if slot.state != "active":
            yield f"slot {slot.number} ({slot.location}) is {slot.state}: {slot.reason}"
        if slot.suspect is not None:
            yield (f"slot {slot.number} ({slot.location}) failed to write: {slot.suspect}; it "
                   "takes no new objects for a while")
        if slot.free_bytes is not None and slot.free_bytes < config.reserve_bytes:
            yield (f"slot {slot.number} ({slot.location}) has less free space than the reserve: "
                   "it takes no new objects")
