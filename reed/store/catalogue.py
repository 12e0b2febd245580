"""Who is right when targets say different things: two pure functions.

``choose`` finds the configuration in force, ``settle`` what is true of one key. Everything else in
the store asks them; nothing else counts votes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .entries import Config, Entry


def choose(held: Mapping[str, Config]) -> Config | None:
    """The configuration in force, or None when that cannot be said.

    A configuration is written to a majority of the slots that decide until then, to all its active
    targets, then once more to all of them as settled, and only then anything is committed under it.
    So one that is on a majority is in force; and one that an active target of it, which answers,
    does not have was never settled: the one before still is in force. Unless it was finished
    without that target: then its successor is on a majority of its slots, and must not be
    overlooked because those do not answer. Where they are that many, what is on a majority says
    that nothing came after it.

    :param held: what each target that answers holds, by target id.
    """
    candidates: dict[tuple[int, str], Config] = {}
    for config in held.values():
        if config.is_settled or config.identity not in candidates:
            candidates[config.identity] = config
    newest_first = [candidates[identity] for identity in sorted(candidates, reverse=True)]
    for config in newest_first:
        counted = config.counted_ids
        not_older = {target_id for target_id, own in held.items() if own.epoch > config.epoch
                     or own.identity == config.identity}
        active = {slot.target_id for slot in config.slots if slot.state == "active"}
        # One that only targets have that it sends away was never begun.
        is_begun = any(held[target_id].identity == config.identity
                       for target_id in config.ids & held.keys())
        if is_begun and (len(not_older & counted) >= config.majority
                         or not (active & held.keys()) - not_older):
            return config
        if len(counted - held.keys()) >= config.majority:
            break
    for config in newest_first:
        has_just_this = {target_id for target_id, own in held.items()
                         if own.identity == config.identity}
        if len(has_just_this & config.counted_ids) >= config.majority:
            return config
    return None


def may_vote(config: Config, target_id: str, own: Config | None) -> bool:
    """Whether the answers of a target count under a configuration.

    One that has an older configuration missed something, unless nothing was committed since: the
    writer crashed before the new one was settled.
    """
    if own is None:
        return False
    is_behind = own.epoch <= config.epoch and own.identity != config.identity
    if is_behind and config.is_settled:
        return False
    return any(slot.target_id == target_id and slot.state == "active" for slot in config.slots)


@dataclass(frozen=True)
class KeyState:
    """What is true of a key."""

    committed: tuple[Entry, ...]  # the newest first
    undecided: tuple[Entry, ...]  # may be committed, as far as can be seen; the newest first
    dead: tuple[Entry, ...]  # never were, or were removed
    answered: int  # slots that know
    needed: int  # a majority
    newest_sequence: int  # of any entry that was seen

    @property
    def newest(self) -> Entry | None:
        """The entry that decides what the key is; None when there is none."""
        return self.committed[0] if self.committed else None

    @property
    def is_certain(self) -> bool:
        """Whether ``newest`` is the truth: whatever else may be committed is older, or says the
        same of the object: a copy that a migration was making, or once more that it is gone."""
        return self.answered >= self.needed and not any(
            self._would_change(entry) for entry in self.undecided)

    def _would_change(self, entry: Entry) -> bool:
        newest = self.newest
        if newest is not None and newest.version > entry.version:
            return False
        if self.current is None:
            return entry.is_object
        return entry.migrated_from != str(newest.version)

    @property
    def current(self) -> Entry | None:
        """The object as it stands; None when it was deleted or never was."""
        return self.newest if self.newest is not None and self.newest.is_object else None


def settle(answers: Iterable[tuple[Entry, ...] | None], counted: int) -> KeyState:
    """What is true of a key, from what the counted slots that may vote say of it.

    :param answers: the entries of each; None for one that does not know (damaged, unreadable).
    :param counted: how many slots there are in all; those without an answer do not know either.
    """
    votes: dict[Entry, int] = {}
    known = 0
    for entries in answers:
        if entries is None:
            continue
        known += 1
        for entry in entries:
            votes[entry] = votes.get(entry, 0) + 1
    needed = counted // 2 + 1
    unknown = counted - known
    ordered = sorted(votes, key=lambda entry: entry.version, reverse=True)
    return KeyState(
        committed=tuple(entry for entry in ordered if votes[entry] >= needed),
        undecided=tuple(entry for entry in ordered
                        if votes[entry] < needed <= votes[entry] + unknown),
        dead=tuple(entry for entry in ordered if votes[entry] + unknown < needed),
        answered=known, needed=needed,
        newest_sequence=max((entry.version.sequence for entry in ordered), default=0))
