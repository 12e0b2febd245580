"""The demonstration on OpenStack Swift: a flipped bit on stock Swift, then the same with reed.

``make swift-demo`` runs it. It installs Swift from PyPI into an environment of its own under
build/swift (a minute, once), starts a real cluster on loopback with an erasure-coding policy 4+2,
flips one bit of one stored fragment, and reads the object back; first with pyeclib as it is, then
with reed in front of it. Both outcomes are printed, and every claim is checked; the first that does
not hold ends it with exit code 1.
"""

import random
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "swift"))

import swift_cluster  # noqa: E402
import swift_trials  # noqa: E402

WORK = ROOT / "build" / "swift" / "demo"
OBJECTS, GETS = 4, 6
SEED = 20180720  # the same bits in every run


def tell(text=""):
    print(text, flush=True)


def claim(text, holds):
    tell(f"  {'checked' if holds else 'FAILED'}: {text}")
    if not holds:
        sys.exit(1)


def story(node, python):
    """One cluster of one kind, and what its clients got."""
    folder = WORK / node
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with swift_cluster.Cluster(folder, python, [node], [node]) as running:
        tell("  proxy, account, container and object servers run; six folders stand for disks")
        claim("the policy is erasure coding, isa_l_rs_cauchy 4+2", running.ec_type
              == "isa_l_rs_cauchy")
        rng = random.Random(SEED)
        outcome = swift_trials.bit_rot(running, rng, OBJECTS, gets=GETS, size=300_000)
        tell(f"  {OBJECTS} objects of 300,000 bytes; one bit of one of six fragments of each "
             f"flipped on disk; {GETS} GETs each:")
        tell(f"    right bodies                       {outcome.right:3}")
        tell(f"    HTTP 200, full length, WRONG BYTES {outcome.wrong:3}")
        tell(f"    errors that the client sees        {outcome.errors:3}")
        running.audit()
        running.reconstruct()
        running.reconstruct()
        tell(f"  fragments set aside (quarantined): {len(running.quarantined())}")
        healed = swift_trials.damaged(running, outcome) == {}
    return outcome, healed


def main():
    tell("=== OpenStack Swift from PyPI, in an environment of its own\n")
    try:
        python = swift_cluster.install()
    except swift_cluster.CannotInstall as error:
        sys.exit(f"OpenStack Swift cannot be installed here: {error}")
    tell(f"  {swift_cluster.SWIFT} with {swift_cluster.PYECLIB}")

    tell("\n=== Stock: pyeclib as it is\n")
    stock, _ = story("stock", python)
    claim("stock Swift served wrong bytes as a success", stock.wrong > 0)

    tell("\n=== The same with reed in front of pyeclib (reed compat pyeclib --install)\n")
    reed, healed = story("reed", python)
    claim("no wrong byte was served", reed.wrong == 0)
    claim("every hit fragment was found, set aside and rebuilt as it was written", healed)

    tell(f"\nThe same damage: {stock.wrong} wrong answers with pyeclib, {reed.wrong} with reed.")


if __name__ == "__main__":
    main()
