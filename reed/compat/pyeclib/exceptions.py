"""The exceptions of pyeclib, by name and by kinship; each says what reed knows of the cause."""


class ECDriverError(Exception):
    """Base of all errors of this interface. Attribute: ``error_str``, the message."""

    def __init__(self, error):
        super().__init__(error)
        self.error_str = str(error)

    def __str__(self):
        return self.error_str


class ECDriverErrorWithPosition(ECDriverError):
    """One argument in a list is to blame. Attribute: ``position``, as pyeclib counts it."""

    def __init__(self, error, idx):
        super().__init__(error)
        self.position = idx

    def __str__(self):
        return f"{self.error_str} (position {self.position})"


class ECBackendNotSupported(ECDriverError):
    """The type of code is unknown, not installed, or refused for new data."""


class ECMethodNotImplemented(ECDriverError):
    """Part of pyeclib's interface; never raised here."""


class ECBackendInitializationError(ECDriverError):
    """Part of pyeclib's interface; never raised here."""


class ECBackendInstanceNotAvailable(ECDriverError):
    """The driver was closed."""


class ECBackendInstanceInUse(ECDriverError):
    """Part of pyeclib's interface; never raised here."""


class ECInvalidParameter(ECDriverError):
    """An argument has the wrong type or is out of its range."""


class ECInvalidFragmentMetadata(ECDriverError):
    """Something given is no fragment of this code: damaged, cut, of another code or segment."""


class ECBadFragmentChecksum(ECDriverError):
    """Fragments are corrupt, and without them there are too few.

    Attribute: ``bad_fragments``, the sorted indices of those whose payload does not match its
    checksum; empty where fragments without checksum disagree and none can be named.
    """

    def __init__(self, error, bad_fragments=()):
        super().__init__(error)
        self.bad_fragments = tuple(bad_fragments)


class ECInsufficientFragments(ECDriverError):
    """Fewer fragments than are needed."""


class ECOutOfMemory(ECDriverError):
    """Memory could not be had."""
