"""The long run on a real Swift: bit rot on stock and on reed, mixed clusters, both ways, 10+4.

    python tests/swift/long_run.py [--trials 25] [--seed N] [--only NAME]

``make swift-test`` runs it in the environment of the tests. Ends with exit code 1 at the first
claim that does not hold. Stock's wrong answers are counted and reported: they are why reed is here.
"""

import argparse
import random
import shutil
import sys

import swift_cluster
import swift_trials

WORK = swift_cluster.ROOT / "build/swift/long_run"


def claim(text, holds):
    print(f"  {'checked' if holds else 'FAILED'}: {text}", flush=True)
    if not holds:
        sys.exit(1)


def cluster(python, *nodes, **options):
    folder = WORK / "-".join(nodes)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return swift_cluster.Cluster(folder, python, nodes, nodes, **options)


def bit_rot(python, rng, trials):
    """One random bit of one, two, three fragments; six GETs each."""
    for node in ("stock", "reed"):
        with cluster(python, node) as running:
            for hits, same_segment, what in ((1, False, "one fragment"), (2, False, "two"),
                                             (3, False, "three, anywhere"),
                                             (3, True, "three, in one segment")):
                outcome = swift_trials.bit_rot(running, rng, trials, hits,
                                               same_segment=same_segment, label=what[-3:])
                print(f"{node}, a bit flipped in {what}: {outcome}", flush=True)
                if node == "stock":
                    continue
                claim("no wrong body", outcome.wrong == 0)
                if same_segment:
                    claim("three in one segment: only errors", outcome.right == 0)
                if hits < 3:
                    running.audit()
                    running.reconstruct()
                    running.reconstruct()
                    claim("every fragment is again as it was written",
                          swift_trials.damaged(running, outcome) == {})
            print(f"{node}: {len(running.quarantined())} fragments quarantined", flush=True)


def small_objects(python, rng, trials):
    """Objects of one segment: the object server checks a fragment after it has sent it."""
    for node in ("stock", "reed"):
        with cluster(python, node) as running:
            outcome = swift_trials.bit_rot(running, rng, trials, size=40_000, label="small")
            print(f"{node}, small objects, one fragment hit: {outcome}", flush=True)
            if node == "reed":
                claim("no wrong body", outcome.wrong == 0)


def ranges(python, rng, trials):
    """Ranged GETs do not begin at byte 0, where object servers do not check what they send."""
    for node in ("stock", "reed"):
        with cluster(python, node) as running:
            outcome = swift_trials.Outcome()
            for trial in range(trials):
                data, name = rng.randbytes(4 * running.segment_size), f"range{trial}"
                running.put(name, data)
                fragments = running.all_fragments(name)
                path = fragments[rng.randrange(len(fragments))]
                swift_trials.flip(path, swift_trials.payload_bit(rng, path, 2))
                begin, end = 2 * running.segment_size, 3 * running.segment_size - 1
                for _ in range(6):
                    outcome.count(running.get(name, byte_range=(begin, end)), data[begin:end + 1])
                outcome.objects += 1
            print(f"{node}, ranges of a hit segment: {outcome}", flush=True)
            if node == "reed":
                claim("no wrong range", outcome.wrong == 0)


def mixed(python, rng, trials):
    """Two object servers and two proxies, one of each kind, three disks for each server."""
    with cluster(python, "reed", "stock") as running:
        written = {}
        for trial in range(trials):
            for proxy, writer in enumerate(running.proxies):
                name = f"{writer}{trial}"
                data = rng.randbytes(rng.randrange(1, 5 * running.segment_size))
                running.put(name, data, proxy)
                written[name] = data
        claim("each proxy reads what both wrote",
              all(running.get(name, proxy) == (200, data)
                  for name, data in written.items() for proxy in (0, 1)))
        before = {name: {index: swift_trials.payloads(path.read_bytes())
                         for index, path in running.all_fragments(name).items()}
                  for name in written}
        for name in written:
            for index in rng.sample(range(6), 2):
                running.fragments(name)[index].unlink()
        claim("each proxy reads it with two fragments lost",
              all(running.get(name, proxy) == (200, data)
                  for name, data in written.items() for proxy in (0, 1)))
        for _ in range(2):
            running.reconstruct()
        after = {name: {index: swift_trials.payloads(path.read_bytes())
                        for index, path in running.fragments(name).items()} for name in written}
        claim("nodes of both kinds rebuild the same payloads", before == after)
        running.audit()
        claim("auditors of both kinds find nothing wrong", running.quarantined() == [])
        claim("each proxy reads what was rebuilt",
              all(running.get(name, proxy) == (200, data)
                  for name, data in written.items() for proxy in (0, 1)))


def wide(python, rng, trials):
    """10+4 with Swift's own segment size, with codes of Intel's and with reed's own."""
    for ec_type in ("isa_l_rs_cauchy", "reed_native"):
        with cluster(python, "reed", data=10, parity=4, segment_size=1 << 20,
                     ec_type=ec_type) as running:
            data = rng.randbytes(5_300_001)
            running.put("wide", data)
            fragments = running.all_fragments("wide")
            for index in rng.sample(range(14), 4):
                fragments[index].unlink()
            claim(f"{ec_type} 10+4 reads 5.3 MB with four fragments lost",
                  running.get("wide") == (200, data))
            outcome = swift_trials.bit_rot(running, rng, max(2, trials // 5), hits=4, gets=6,
                                           size=2_500_000)
            print(f"reed, {ec_type} 10+4, four fragments hit: {outcome}", flush=True)
            claim("no wrong body", outcome.wrong == 0)


PARTS = {part.__name__: part for part in (bit_rot, small_objects, ranges, mixed, wide)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--seed", type=int, default=20180720)
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    try:
        python = swift_cluster.install()
    except swift_cluster.CannotInstall as error:
        sys.exit(f"OpenStack Swift cannot be installed: {error}")
    for name, part in PARTS.items():
        if options.only in (None, name):
            print(f"\n=== {part.__doc__}", flush=True)
            part(python, random.Random(f"{options.seed} {name}"), options.trials)
    print("\nAll claims hold.")


if __name__ == "__main__":
    main()
