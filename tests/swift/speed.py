"""Speed under pyeclib's interface: stock and reed in turn, checksums included on reed's side.

    python tests/swift/speed.py [--rounds 9]

Prints the medians and their ratio for a 10+4 policy: encode, decode of ten data fragments, decode
with four of them lost. Each measurement has a process of its own, since an allocator learns from
what was freed before (``keep_memory`` of reed/_core.pyx), and would share what it learnt: with
pyeclib alone each segment's memory goes back to the system and is fetched again, unless something
larger was freed before ("warm": 24 MiB, before the first measurement).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

SIZES = {"10 MiB": (10 << 20, 6), "1 MiB": (1 << 20, 60), "4 KiB": (4096, 10_000)}
NODES = {"stock": "pyeclib.ec_iface", "reed": "reed.compat.pyeclib.ec_iface"}


def seconds(call, count):
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def worker(module, size, what, is_warm):
    """Measures when a line comes on standard input; a line with the seconds for each."""
    iface = __import__(module, fromlist=["ECDriver"])
    driver = iface.ECDriver(k=10, m=4, ec_type="isa_l_rs_cauchy")
    if is_warm:
        bytes(24 << 20)
    data = os.urandom(size)
    fragments = driver.encode(data)
    given = {"decode": fragments[:10], "decode, 4 lost": fragments[4:]}.get(what)
    for line in sys.stdin:
        call = (lambda: driver.encode(data)) if given is None else (lambda: driver.decode(given))
        print(seconds(call, int(line)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*json.loads(options.worker))
        return
    print(f"{'':30}{'stock us':>12}{'reed us':>12}{'times':>8}")
    for name, (size, count) in SIZES.items():
        for what in ("encode", "decode", "decode, 4 lost"):
            for is_warm in (False, True):
                processes = {node: subprocess.Popen(
                    [sys.executable, __file__, "--worker",
                     json.dumps([module, size, what, is_warm])],
                    text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                    for node, module in NODES.items()}
                found = {node: [] for node in NODES}
                for _ in range(options.rounds):
                    for node, process in processes.items():
                        process.stdin.write(f"{count}\n")
                        process.stdin.flush()
                        found[node].append(float(process.stdout.readline()))
                for process in processes.values():
                    process.stdin.close()
                    process.wait()
                stock, reed = (1e6 * statistics.median(found[node]) for node in NODES)
                state = "warm" if is_warm else "fresh"
                print(f"{name:8}{what:16}{state:6}{stock:12.2f}{reed:12.2f}{stock / reed:8.2f}",
                      flush=True)


if __name__ == "__main__":
    main()
