"""Exit codes: what they mean, which error leads to which, and what to advise then.

The first six are par2's.
"""

import enum
import errno

from .. import errors


class Exit(enum.IntEnum):
    """The exit codes of every verb."""

    HEALTHY = 0  # nothing to do, or done
    REPAIRABLE = 1  # something is damaged and can be repaired
    BEYOND_REPAIR = 2  # more is damaged than the redundancy covers
    USAGE = 3  # the command cannot be done as it stands; nothing was changed
    NO_METADATA = 4  # no shard was found, or none that this version can read
    REPAIR_FAILED = 5  # repair was tried and some shard is not whole afterwards
    INPUT_OUTPUT = 6  # the operating system refused: absent, unreadable, full
    BUG = 70  # a defect of reed itself
    INTERRUPTED = 130  # SIGINT, SIGTERM or SIGHUP


MEANINGS = (
    "0 healthy or done, 1 damaged but repairable, 2 beyond repair, 3 usage, 4 no readable shard "
    "found, 5 repair failed, 6 input or output failed, 130 interrupted"
)

_SALVAGE = "give more shards, or let `reed salvage SHARDS... -o FILE` write what can be proved"
_SALVAGE_IN_STORE = (
    "bring more targets back, or let `reed store salvage KEY -o FILE` write what can be proved")

# (error, exit code, what to do next). The first class that fits decides, so that subclasses stand
# before their bases.
_RULES = (
    (errors.Cancelled, Exit.INTERRUPTED, None),
    (KeyboardInterrupt, Exit.INTERRUPTED, None),
    (errors.NoShardsFound, Exit.NO_METADATA,
     "`reed inspect PATHS...` tells what the files are"),
    (errors.ObjectSizeUnknown, Exit.NO_METADATA, _SALVAGE),
    (errors.UnsupportedFormat, Exit.NO_METADATA, "a newer version of reed may read it"),
    (errors.BeyondRepair, Exit.BEYOND_REPAIR, _SALVAGE),
    (errors.DigestMismatch, Exit.BEYOND_REPAIR, _SALVAGE),
    (errors.ConflictingShards, Exit.BEYOND_REPAIR,
     "`reed inspect SHARDS...` tells them apart; leave out those that are not of this object"),
    (errors.ReadBackMismatch, Exit.INPUT_OUTPUT,
     "do not trust this medium; write to another one"),
    (errors.ObjectNotFound, Exit.NO_METADATA, "`reed store list` shows the keys"),
    (errors.NotAStore, Exit.NO_METADATA, "give a target of the store with -s"),
    (errors.WrongTarget, Exit.USAGE, "`reed store audit` shows the targets of a store"),
    (errors.LeaseHeld, Exit.USAGE, "`reed store take-over`, when that host has stopped for good"),
    (errors.ClockJumped, Exit.USAGE,
     "`reed store reclaim --accept-clock`, when the clock is right"),
    (errors.Uncertain, Exit.INPUT_OUTPUT, "bring more targets back, and repeat"),
    (errors.QuorumNotReached, Exit.INPUT_OUTPUT,
     "bring targets back or free space on them, and repeat"),
    (errors.StoreBusy, Exit.INPUT_OUTPUT, "wait for the other process, and repeat"),
    (errors.TargetExists, Exit.USAGE, "choose another place, or replace it with -f"),
    (errors.SeveralStripes, Exit.USAGE, "choose one with --stripe-id"),
    (errors.InvalidParameter, Exit.USAGE, None),
    (OSError, Exit.INPUT_OUTPUT, None),
    (MemoryError, Exit.INPUT_OUTPUT, "use a smaller --block-size or fewer --threads"),
)

_ADVICE_BY_ERRNO = {
    errno.ENOSPC: "free some space or choose another folder, and repeat",
    errno.EDQUOT: "free some space or choose another folder, and repeat",
    errno.ENOENT: "check the path; leave out a disk that is not there",
    errno.EIO: "the medium failed; leave it out, and repeat with the others",
}


def exit_of(error):
    """The exit code for an exception that a verb raised."""
    if isinstance(error, errors.BeyondRepair) and error.unknown:
        return Exit.INPUT_OUTPUT  # the disk that cannot be read now may still have the blocks
    return next((code for kind, code, _ in _RULES if isinstance(error, kind)), Exit.BUG)


def advice_for(error, in_store=False):
    """What to do next, as a sentence without its stop; None where the error says it all.

    :param in_store: a verb of ``reed store`` met it.
    """
    if isinstance(error, OSError) and error.errno in _ADVICE_BY_ERRNO:
        return _ADVICE_BY_ERRNO[error.errno]
    advice = next((advice for kind, _, advice in _RULES if isinstance(error, kind)),
                  "this is a bug in reed: please report it with the output of --debug")
    return _SALVAGE_IN_STORE if in_store and advice is _SALVAGE else advice
