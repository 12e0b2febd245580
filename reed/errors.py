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
    """Bytes are not what FORMAT.md says. Attribute: ``path`` when a file is concerned."""

    def __init__(self, message, path=None):
        super().__init__(message)
        self.path = path


class CorruptShard(FormatError):
    """A checksum does not match: the bytes are damaged."""
