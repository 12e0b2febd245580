"""Speed under pyeclib's interface: stock and reed in turn, each in a process of its own as on a
server, checksums included on reed's side.

    python tests/swift/speed.py [--rounds 9]

Prints the medians and their ratio for a 10+4 policy: encode, decode of ten data fragments, decode
with four of them lost. A process of its own for each, since the allocator of a process learns from
what was freed before (``keep_memory`` of reed/_core.pyx), and would share what it learnt.
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


def worker(module):
    """Measures what each line of standard input asks for; one line of JSON for each."""
    iface = __import__(module, fromlist=["ECDriver"])
    driver = iface.ECDriver(k=10, m=4, ec_type="isa_l_rs_cauchy")
    for line in sys.stdin:
        size, count = json.loads(line)
        data = os.urandom(size)
        fragments = driver.encode(data)
        whole, lost = fragments[:10], fragments[4:]
        assert driver.decode(whole) == driver.decode(lost) == data
        print(json.dumps({
            "encode": seconds(lambda d=data: driver.encode(d), count),
            "decode": seconds(lambda f=whole: driver.decode(f), count),
            "decode, 4 lost": seconds(lambda f=lost: driver.decode(f), count),
        }), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--worker", choices=NODES.values(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    processes = {node: subprocess.Popen([sys.executable, __file__, "--worker", module], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                 for node, module in NODES.items()}
    print(f"{'':24}{'stock us':>12}{'reed us':>12}{'times':>8}")
    for name, job in SIZES.items():
        found = {node: [] for node in NODES}
        for _ in range(options.rounds):
            for node, process in processes.items():
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                found[node].append(json.loads(process.stdout.readline()))
        for what in found["stock"][0]:
            stock, reed = (1e6 * statistics.median(one[what] for one in found[node])
                           for node in NODES)
            print(f"{name:8}{what:16}{stock:12.2f}{reed:12.2f}{stock / reed:8.2f}")
    for process in processes.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
