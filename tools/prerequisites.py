"""Says, before anything is built, what this machine lacks and which Debian package brings it.

Run by the Makefile with the Python that will make the environment. Exits 1 with one line for each
thing that is missing. Kept in plain syntax, so that an old Python can print its own verdict.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile

OLDEST_PYTHON = (3, 11)


def has_venv():
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def has_headers():
    return os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h"))


def can_compile(compiler):
    """Whether the compiler builds a C11 program that uses the C library."""
    folder = tempfile.mkdtemp(prefix="reed-prerequisites-")
    source = os.path.join(folder, "hello.c")
    program = os.path.join(folder, "hello")
    try:
        with open(source, "w") as stream:
            stream.write("#include <stdio.h>\nint main(void) { puts(\"\"); return 0; }\n")
        command = shlex.split(compiler) + ["-std=c11", source, "-o", program]
        with open(os.devnull, "w") as nothing:
            return subprocess.call(command, stdout=nothing, stderr=nothing) == 0
    except OSError:
        return False
    finally:
        for path in (source, program):
            if os.path.exists(path):
                os.remove(path)
        os.rmdir(folder)


def missing_things():
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info < OLDEST_PYTHON:
        yield "Python {} is too old: reed needs {}.{} or newer; set PYTHON=python3.12, say".format(
            version, *OLDEST_PYTHON)
        return
    if not has_venv():
        yield "Python {} cannot make environments: apt-get install python3-venv".format(version)
    if not has_headers():
        yield "the headers of Python {} are missing ({}): apt-get install python3-dev".format(
            version, sysconfig.get_paths()["include"])
    compiler = os.environ.get("CC") or "cc"
    if not can_compile(compiler):
        yield "{} cannot build a C11 program: apt-get install gcc libc6-dev, or set CC".format(
            compiler)


def main():
    missing = list(missing_things())
    for line in missing:
        sys.stderr.write("reed: " + line + "\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
