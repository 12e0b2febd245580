"""reed.durability: which scheme, under which faults and with which repair speed, earns which claim.

Works without the compiled core and needs NumPy alone (plots and the command line have extras).
Exact chains, rare-event simulation, published formulas with their bias, claims with a verdict.
"""

from .burst import BurstLoss, burst
from .chain import chain
from .claim import Verdict, claim
from .clocks import Exponential, Fixed, Uniform, Weibull
from .compat import windows
from .fleet import (
    Burst,
    Fleet,
    LatentErrors,
    Migration,
    Outages,
    Range,
    ReadErrors,
    Repair,
    Scrub,
    SilentCorruption,
)
from .model import Outcome, evaluate
from .result import HOURS_PER_YEAR, Estimate, Interval
from .schemes import LocalReconstruction, ReedSolomon, Replication, Scheme
from .simulate import simulate
from .splitting import split

__all__ = [
    "HOURS_PER_YEAR",
    "Burst",
    "BurstLoss",
    "Estimate",
    "Exponential",
    "Fixed",
    "Fleet",
    "Interval",
    "LatentErrors",
    "LocalReconstruction",
    "Migration",
    "Outages",
    "Outcome",
    "Range",
    "ReadErrors",
    "ReedSolomon",
    "Repair",
    "Replication",
    "Scheme",
    "Scrub",
    "SilentCorruption",
    "Uniform",
    "Verdict",
    "Weibull",
    "burst",
    "chain",
    "claim",
    "evaluate",
    "simulate",
    "split",
    "windows",
]
