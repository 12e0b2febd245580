"""reed.durability: which scheme, under which faults and with which repair speed, earns which claim.

Works without the compiled core and needs NumPy alone (plots and the command line have extras).
Exact chains, rare-event simulation, published formulas with their bias, claims with a verdict.
"""

from .chain import chain
from .clocks import Exponential, Fixed, Uniform, Weibull
from .fleet import (
    Burst,
    Fleet,
    LatentErrors,
    Migration,
    Outages,
    ReadErrors,
    Repair,
    Scrub,
    SilentCorruption,
)
from .model import Outcome, evaluate
from .result import HOURS_PER_YEAR, Estimate, Interval
from .schemes import LocalReconstruction, ReedSolomon, Replication, Scheme
from .simulate import simulate
from .burst import BurstLoss, burst
from .compat import windows
from .splitting import split
from .claim import Verdict, claim
