"""What is counted: data bytes per second, and ratios of samples that were taken side by side.

Every rate in this suite comes from ``data_bytes``. Parity, checksums and rebuilt shards are work
that the data needs, not bytes that count: some peers' own programs count them, and their figures
must be multiplied by k / (k + m) before they stand beside these.
"""

from dataclasses import dataclass

import numpy

PERCENTILES = {"low": 25, "median": 50, "high": 75}


def data_bytes(data_shards, shard_size):
    """The bytes that one call on one stripe counts for, whatever else it reads or writes."""
    return data_shards * shard_size


@dataclass(frozen=True)
class Spread:
    """The quartiles of a set of samples."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, samples):
        return cls(**{name: float(numpy.percentile(samples, percent))
                      for name, percent in PERCENTILES.items()})


def rates(nanoseconds, bytes_per_call):
    """Data bytes per second of each sample; `nanoseconds` are those of one call."""
    return bytes_per_call * 1e9 / numpy.asarray(nanoseconds, float)


def ratio(subject_rates, reference_rates):
    """How many times as fast the subject is, pair by pair: sample i of both was taken in round i.

    The ratio of two neighbours in time survives what changes the speed of the whole machine; the
    ratio of two medians does not.
    """
    subject_rates = numpy.asarray(subject_rates, float)
    reference_rates = numpy.asarray(reference_rates, float)
    if subject_rates.shape != reference_rates.shape:
        raise ValueError(f"{subject_rates.size} samples cannot be paired with "
                         f"{reference_rates.size}")
    return Spread.of(subject_rates / reference_rates)
