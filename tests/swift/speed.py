"""Speed under pyeclib's interface: stock and reed in turn, checksums included on reed's side, and
beside them what memory allows: bytes of the same sizes, copied.

    python tests/swift/speed.py [--rounds 9] [--size "1 MiB"]

Prints the medians and their ratios for a 10+4 policy: encode, decode of ten data fragments, decode
with four of them lost. Each measurement has a process of its own, since an allocator learns from
what was freed before (``keep_memory`` of reed/_core.pyx), and would share what it learnt:

- "alone": the process does nothing else, and the segment stays;
- "proxy": as in a proxy of Swift each segment is joined from chunks of 64 KiB that were just read,
  and each fragment to decode was just received; that is not timed, but the allocator sees it;
- "warm": 24 MiB were freed before the first measurement, so that no call waits for the system.

"faults" are the pages that stock got from the system for each call; reed gets none.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

SIZES = {"10 MiB": (10 << 20, 6), "1 MiB": (1 << 20, 60), "4 KiB": (4096, 10_000)}
STATES = ("alone", "proxy", "warm")
NODES = {"stock": "pyeclib.ec_iface", "reed": "reed.compat.pyeclib.ec_iface", "copy": None}
DATA, PARITY = 10, 4
CHUNK = 65536


class Copy:
    """Writes as many bytes as an ECDriver does, into as many objects, and computes nothing."""

    def encode(self, segment):
        size = -(-len(segment) // DATA)
        starts = [i % DATA * size for i in range(DATA + PARITY)]
        return [segment[start:start + size] for start in starts]

    def decode(self, fragments):
        return b"".join(fragments[:DATA])


def received(data):
    """A copy of bytes, as it comes from the network."""
    return b"".join([data[begin:begin + CHUNK] for begin in range(0, len(data), CHUNK)])


def seconds_alone(call, argument, count):
    begin = time.perf_counter()
    for _ in range(count):
        call(argument)
    return (time.perf_counter() - begin) / count


def seconds_proxy(call, argument, count):
    total = 0
    for _ in range(count):
        if isinstance(argument, bytes):
            fresh = received(argument)
        else:
            fresh = [received(fragment) for fragment in argument]
        begin = time.perf_counter()
        result = call(fresh)
        total += time.perf_counter() - begin
        del fresh, result
    return total / count


def worker(module, size, what, state):
    """Measures when a line comes on standard input; a line with seconds and faults for each."""
    driver = Copy()
    if module is not None:
        iface = __import__(module, fromlist=["ECDriver"])
        driver = iface.ECDriver(k=DATA, m=PARITY, ec_type="isa_l_rs_cauchy")
    if state == "warm":
        bytes(24 << 20)
    data = os.urandom(size)
    fragments = driver.encode(data)
    call, argument = {"encode": (driver.encode, data),
                      "decode": (driver.decode, fragments[:DATA]),
                      "decode, 4 lost": (driver.decode, fragments[PARITY:])}[what]
    measure = seconds_proxy if state == "proxy" else seconds_alone
    for line in sys.stdin:
        count = int(line)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        spent = measure(call, argument, count)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        print(json.dumps([spent, faults / count]), flush=True)


def compare(size, count, what, state, rounds):
    """{node: (median seconds, median faults)}, from processes that take turns."""
    processes = {node: subprocess.Popen(
        [sys.executable, __file__, "--worker", json.dumps([module, size, what, state])],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for node, module in NODES.items()}
    found = {node: [] for node in NODES}
    for _ in range(rounds):
        for node, process in processes.items():
            process.stdin.write(f"{count}\n")
            process.stdin.flush()
            found[node].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {node: [statistics.median(values) for values in zip(*rows, strict=True)]
            for node, rows in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", choices=SIZES, help="one size of segments alone")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*json.loads(options.worker))
        return
    print(f"{'us a call':29}{'stock':>10}{'reed':>10}{'copy':>10}{'stock/reed':>12}"
          f"{'stock/copy':>12}{'faults':>8}")
    for name in [options.size] if options.size else SIZES:
        size, count = SIZES[name]
        for what in ("encode", "decode", "decode, 4 lost"):
            for state in STATES:
                found = compare(size, count, what, state, options.rounds)
                stock, reed, copy = (1e6 * found[node][0] for node in NODES)
                print(f"{name:8}{what:15}{state:6}{stock:10.2f}{reed:10.2f}{copy:10.2f}"
                      f"{stock / reed:12.2f}{stock / copy:12.2f}{found['stock'][1]:8.0f}",
                      flush=True)


if __name__ == "__main__":
    main()
