"""Drills: faults on purpose, on real bytes, with a verdict for each.

``replay_incident`` plays the loss that reed was made for; ``run_drill`` injects faults into a store
and judges what it answers.
"""

from .faults import FAULTS
from .incident import Case, Event, ReplayReport, replay_incident
from .run import DrillReport, Finding, run_drill

__all__ = ["FAULTS", "Case", "DrillReport", "Event", "Finding", "ReplayReport", "replay_incident",
           "run_drill"]
