"""The journal of destructive commands: who asked what, when, with which flags, and what had been
verified. One file for each on every target, never changed."""

from ..errors import FormatError, ReedError
from . import layout, record
from .roster import Member, Roster


def write(roster: Roster, *, time: float, nonce: str, actor: str, command: str, flags: dict,
          verified: str, outcome: dict) -> None:
    """Writes one entry on every target that answers and may vote; at least one must take it."""
    content = {"time": time, "actor": actor, "host": roster.host, "command": command,
               "flags": flags, "verified": verified, "outcome": outcome,
               "epoch": roster.config.epoch}
    name = f"{int(time * 1000):015d}-{nonce}.record"
    taken, problem = 0, None
    for member in roster.voters():
        try:
            _write(roster, member, name, content)
            taken += 1
        except (OSError, ReedError) as error:
            problem = error
    if not taken and problem is not None:
        raise problem


def read(roster: Roster) -> list[dict]:
    """All entries that any target has, in their order."""
    found = _found(roster)
    return [found[name] for name in sorted(found)]


def spread(roster: Roster, members: list[Member]) -> None:
    """Gives targets every entry that any other one has: what came later lacks those from before,
    and the ones that have them leave. Raises OSError, ReadBackMismatch."""
    found = _found(roster)
    for member in members:
        for name in sorted(found.keys() - set(member.target.names(layout.JOURNAL))):
            _write(roster, member, name, found[name])


def _found(roster: Roster) -> dict[str, dict]:
    """The content of every entry, by its name."""
    found = {}
    for member in roster.reachable():
        try:
            names = list(member.target.names(layout.JOURNAL))
        except OSError:
            continue
        for name in names:
            if name not in found:
                try:
                    found[name] = record.read_expected(
                        member.target, f"{layout.JOURNAL}/{name}", "journal",
                        roster.config.store_id, member.slot.target_id)
                except (OSError, FormatError):
                    continue  # another target has it
    return found


def _write(roster: Roster, member: Member, name: str, content: dict) -> None:
    record.write(member.target, f"{layout.JOURNAL}/{name}", record.pack(
        "journal", roster.config.store_id, member.slot.target_id, None, content), replace=False)
