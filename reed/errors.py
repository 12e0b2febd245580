"""Every error that reed raises, each with the values that explain it."""


class ReedError(Exception):
    """Base of all errors of reed."""


class InvalidParameter(ReedError, ValueError):
    """An argument is outside its documented range; nothing was changed."""


class ShardSizeMismatch(InvalidParameter):
    """Shards of one stripe differ in size. Attributes: ``expected``, ``actual`` (bytes)."""

    def __init__(self, message, expected=None, actual=None):
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class UnsupportedKernel(InvalidParameter):
    """A kernel was asked for that does not exist or that this processor cannot run."""


class NotMDS(InvalidParameter):
    """The generator would lose data at this shape, so it is refused for new data."""


class TooFewShards(ReedError):
    """Fewer shards than the operation needs.

    Attributes: ``needed`` and ``available`` (counts), ``missing`` (shard indices).
    """

    def __init__(self, message, needed=None, available=None, missing=()):
        super().__init__(message)
        self.needed = needed
        self.available = available
        self.missing = tuple(missing)


class SingularPattern(ReedError):
    """The losses cannot be inverted: possible only with a generator that is not MDS."""


class AmbiguousCorruption(ReedError):
    """More shards are wrong in one column than can be located. Attribute: ``column``."""

    def __init__(self, message, column=None):
        super().__init__(message)
        self.column = column


class TooComplex(ReedError):
    """Locating wrong shards in this code would take too many trials."""


class FormatError(ReedError):
    """Bytes are not what FORMAT.md says.

    Attributes: ``path`` when a file is concerned; ``field`` (its name in FORMAT.md), ``value``,
    ``minimum`` and ``maximum`` when one field is to blame.
    """

    def __init__(self, message, path=None, field=None, value=None, minimum=None, maximum=None):
        super().__init__(message)
        self.path = path
        self.field = field
        self.value = value
        self.minimum = minimum
        self.maximum = maximum


class CorruptShard(FormatError):
    """A checksum does not match: the bytes are damaged.

    Attributes: ``path`` where a file is concerned, ``shard_index`` and ``block`` where known.
    """

    def __init__(self, message, path=None, shard_index=None, block=None, **field_values):
        super().__init__(message, path, **field_values)
        self.shard_index = shard_index
        self.block = block


class TruncatedShard(FormatError):
    """The bytes end before the structure does."""


class UnsupportedFormat(FormatError):
    """Written by a newer version: a major version, a feature or a number that is not known here."""


class NoShardsFound(FormatError):
    """Nothing among the given paths is a shard. Attribute: ``skipped``, why each file is not."""

    def __init__(self, message, skipped=()):
        super().__init__(message)
        self.skipped = tuple(skipped)


class SeveralStripes(InvalidParameter):
    """The given shards belong to more than one object and none was chosen.

    Attribute: ``stripe_ids``, mapping from hexadecimal id to the number of files that hold it.
    """

    def __init__(self, message, stripe_ids=None):
        super().__init__(message)
        self.stripe_ids = dict(stripe_ids or {})


class ConflictingShards(FormatError):
    """Shards with one stripe id contradict each other although their checksums are right.

    Attributes: ``field``, ``path``.
    """


class ObjectSizeUnknown(FormatError):
    """No footer and no block of the last row is readable, so the object's length is lost."""


class BeyondRepair(TooFewShards):
    """Some rows have fewer good blocks than the code needs.

    Attributes: ``rows``, half-open ranges of row numbers; ``needed``; ``available``, the fewest
    good blocks in any row; ``missing``, the shard indices without any good block; ``unknown``,
    True when blocks that are unreadable now could still make up for it.
    """

    def __init__(self, message, needed=None, available=None, missing=(), rows=(), unknown=False):
        super().__init__(message, needed, available, missing)
        self.rows = tuple(rows)
        self.unknown = unknown


class DigestMismatch(CorruptShard):
    """Every block is right and the whole is not. Attributes: ``expected``, ``actual`` (hex)."""

    def __init__(self, message, expected=None, actual=None):
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class ReadBackMismatch(ReedError):
    """The medium does not give back what was written. Attributes: ``path``, ``offset`` (bytes)."""

    def __init__(self, message, path=None, offset=None):
        super().__init__(message)
        self.path = path
        self.offset = offset


class TargetExists(ReedError, FileExistsError):
    """A file stands where the result should go, and overwriting was not asked for.

    Attribute: ``path``.
    """

    def __init__(self, message, path=None):
        super().__init__(message)
        self.path = path


class Cancelled(ReedError):
    """The caller's ``cancel`` said so; nothing was published."""


class StoreError(ReedError):
    """Base of what only ``reed.Store`` raises."""


class ObjectNotFound(StoreError, LookupError):
    """A majority of the targets says that there is no such object. Attribute: ``key``."""

    def __init__(self, message, key=None):
        super().__init__(message)
        self.key = key


class Uncertain(StoreError):
    """Too few targets answer to say what is true. Nothing is claimed to be absent.

    Attributes: ``key`` where one is concerned; ``answered`` and ``needed`` (counts of slots).
    """

    def __init__(self, message, key=None, answered=None, needed=None):
        super().__init__(message)
        self.key = key
        self.answered = answered
        self.needed = needed


class QuorumNotReached(StoreError):
    """Too few failure domains took the data; nothing was committed.

    Attributes: ``reached`` and ``needed`` (counts of domains); ``failures``, mapping from slot to
    the reason.
    """

    def __init__(self, message, reached=None, needed=None, failures=None):
        super().__init__(message)
        self.reached = reached
        self.needed = needed
        self.failures = dict(failures or {})


class WrongTarget(StoreError):
    """A target is not what it was given for: no store, another store, one twice.

    Attribute: ``location``.
    """

    def __init__(self, message, location=None):
        super().__init__(message)
        self.location = location


class NotAStore(WrongTarget):
    """None of the targets holds a configuration that can be read."""


class StoreBusy(StoreError):
    """Another process holds the store's lock for longer than the caller would wait, or moved an
    object while it was put. Nothing was done: try again."""


class LeaseHeld(StoreError):
    """Another host writes to this store. Attributes: ``holder``, ``host``."""

    def __init__(self, message, holder=None, host=None):
        super().__init__(message)
        self.holder = holder
        self.host = host


class ClockJumped(StoreError):
    """The clock cannot be trusted to count retention; nothing was removed."""
