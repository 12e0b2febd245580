"""The drill: every fault in both strengths, with a verdict for each and a proof that everything is
whole again before the next."""

import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..codes import ReedSolomon, Replication
from ..errors import Cancelled, InvalidParameter
from ..store import Store
from .faults import FAULTS, ONE_STRENGTH
from .scene import EXACT, REFUSED, SALVAGED, WRONG, Scene, contents_of, own_contents

STRENGTHS = ("within", "beyond")
_OBJECTS_OF_STORE, _OBJECT_BYTES_MAX = 8, 8 << 20


@dataclass(frozen=True)
class Finding:
    """One fault, once."""

    fault: str
    strength: str  # "within" what the redundancy covers, or one step "beyond"
    seed: str  # replays it: the drill's seed, the round, the fault
    what: str
    verdict: str  # the worst of all objects: "exact", "salvaged", "refused", "WRONG"
    objects: dict[str, int]  # how many objects had which verdict
    is_as_promised: bool
    not_healed: str | None  # what a repair afterwards did not make whole


@dataclass(frozen=True)
class DrillReport:
    """All of them."""

    code: str
    seed: int
    objects: int
    bytes_stored: int
    findings: tuple[Finding, ...]

    @property
    def is_as_promised(self) -> bool:
        """Within the redundancy exact, beyond it never wrong and nobody else's loss."""
        return all(finding.is_as_promised for finding in self.findings)

    @property
    def is_healed(self) -> bool:
        return all(finding.not_healed is None for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Findings by verdict."""
        return dict(Counter(finding.verdict for finding in self.findings))

    def as_dict(self) -> dict:
        """What ``json.dumps`` takes."""
        return {**asdict(self), "counts": self.counts, "is_as_promised": self.is_as_promised,
                "is_healed": self.is_healed}


def run_drill(folder: str | os.PathLike | None = None, *,
              code: ReedSolomon | Replication | None = None, like: Store | None = None,
              seed: int = 0, rounds: int = 1, faults: Sequence[str] | None = None,
              on_finding: Callable[[Finding], object] | None = None,
              cancel: Callable[[], bool] | None = None) -> DrillReport:
    """Plays every fault on a store of its own below ``folder`` (by default a temporary one).

    ``code``: 10+4 by default. ``like``: a store whose code and some of whose objects are taken
    instead; it is only read. ``faults``: names of ``FAULTS``; by default all. ``rounds``: how often
    each; the seed decides all that is chosen. ``on_finding`` gets each as it comes.

    Raises InvalidParameter, Cancelled, OSError.
    """
    names = list(FAULTS) if faults is None else list(faults)
    for name in names:
        if name not in FAULTS:
            raise InvalidParameter(f"fault must be one of {', '.join(FAULTS)}, not {name!r}")
    if rounds < 1:
        raise InvalidParameter(f"rounds must be at least 1, not {rounds}")
    if like is not None:
        code = like.config.code.make()
    code = ReedSolomon(10, 4) if code is None else code
    if not code.parity_shards:
        raise InvalidParameter(f"{code!r} survives no fault: it has no parity")
    generator = random.Random(f"{seed} contents")
    contents = own_contents(code, generator)
    if like is not None:
        contents |= contents_of(like, _OBJECTS_OF_STORE, _OBJECT_BYTES_MAX)
    findings = []
    with tempfile.TemporaryDirectory(prefix="reed-drill-", dir=folder) as base:
        for number in range(rounds):
            scene = Scene(Path(base) / f"round{number}", code, contents, generator)
            for name in names:
                for strength in STRENGTHS:
                    if strength == "beyond" and name in ONE_STRENGTH:
                        continue
                    if cancel is not None and cancel():
                        raise Cancelled("the drill was cancelled")
                    findings.append(_play(scene, name, strength, f"{seed}/{number}"))
                    if on_finding is not None:
                        on_finding(findings[-1])
            scene.close()
    return DrillReport(str(scene.code), seed, len(contents), sum(map(len, contents.values())),
                       tuple(findings))


def _play(scene: Scene, name: str, strength: str, seed: str) -> Finding:
    is_beyond = strength == "beyond"
    # Of its own, so that a fault alone does the same as among all others.
    scene.random = random.Random(f"{seed}/{name}/{strength}")
    with FAULTS[name](scene, is_beyond) as harm:
        verdicts = harm.verdicts
    order = (WRONG, REFUSED, SALVAGED, EXACT)
    worst = next(verdict for verdict in order if verdict in verdicts.values())
    if not is_beyond:
        as_promised = worst == EXACT
    else:
        # Nobody but those that were struck may suffer, and those may not be wrong.
        as_promised = worst != WRONG and all(
            verdict == EXACT for key, verdict in verdicts.items() if key not in harm.at_risk)
    lost = [key for key in harm.at_risk if harm.is_lasting and verdicts[key] != EXACT]
    return Finding(name, strength, f"{seed}/{name}/{strength}", harm.text, worst,
                   dict(Counter(verdicts.values())), as_promised, scene.heal(lost))
