"""Runs ISA-L's own erasure-code tests against the drop-in, on every kernel of this processor.

    python tools/isal_tests.py ISA-L-SOURCES [--library FILE]

ISA-L's sources are no part of reed: clone github.com/intel/isa-l at a tag. The nine programs are
compiled in a temporary folder and linked to the drop-in of the installed reed, or to FILE. Exits 1
when one fails. Takes some minutes: the `_base` programs compute byte by byte.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = (
    "gf_vect_mul_test", "gf_vect_mul_base_test", "gf_vect_dot_prod_test",
    "gf_vect_dot_prod_base_test", "gf_vect_mad_test", "gf_inverse_test", "erasure_code_test",
    "erasure_code_base_test", "erasure_code_update_test",
)


def installed_library():
    from reed.compat import isal

    return Path(isal.get_isal_dir()) / isal.NAMES[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, help="folder of ISA-L's sources")
    parser.add_argument("--library", type=Path, help="the library to test")
    arguments = parser.parse_args()
    from reed import kernels

    library = (arguments.library or installed_library()).resolve()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="reed-isal-") as folder:
        for name in PROGRAMS:
            subprocess.run(["cc", "-O2", "-w", f"-I{arguments.sources}/include",
                            arguments.sources / "erasure_code" / f"{name}.c", library,
                            "-o", f"{folder}/{name}"], check=True)
        for kernel in kernels():
            environment = {**os.environ, "REED_KERNEL": kernel,
                           "LD_LIBRARY_PATH": str(library.parent)}
            for name in PROGRAMS:
                begin = time.monotonic()
                done = subprocess.run([f"{folder}/{name}"], env=environment, capture_output=True,
                                      text=True)
                passed = done.returncode == 0 and "Pass" in done.stdout
                failures += not passed
                print(f"{'pass' if passed else 'FAIL'}  {kernel:12} {name:28} "
                      f"{time.monotonic() - begin:6.1f} s", flush=True)
                if not passed:
                    print(done.stdout[-2000:] + done.stderr)
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
