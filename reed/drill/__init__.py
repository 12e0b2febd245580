"""Drills: faults on purpose, on real bytes, with a verdict for each.

``replay_incident`` plays the loss that reed was made for; ``run_drill`` injects faults into a store
and judges what it answers.
"""

from .incident import Case, Event, IncidentReport, replay_incident

__all__ = ["Case", "Event", "IncidentReport", "replay_incident"]
