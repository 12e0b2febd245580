"""pyeclib with the drop-in in place of its ISA-L: the same fragments, byte for byte, and the same
objects and fragments back, for three backends and ten geometries, in 1,000 seeded trials."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyeclib_trials
from reed.compat import isal

TRIALS = 1000
pytest.importorskip("pyeclib", reason="NOT RUN: pyeclib is not installed")


def run(face, seed, **environment):
    script = Path(__file__).parent / "pyeclib_trials.py"
    done = subprocess.run([sys.executable, script, face, str(seed), str(TRIALS)],
                          capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    *lines, library = done.stdout.splitlines()
    assert len(lines) == TRIALS
    return lines, Path(library)


@pytest.fixture(scope="module")
def reference():
    """ISA-L's own results, for the seed that the tests below have."""
    results = {}

    def of(seed):
        if seed not in results:
            results[seed] = run("isal", seed)
            assert results[seed][1].parent.name == "pyeclib.libs"
        return results[seed][0]

    return of


def test_trials_are_equal(seed, reference):
    lines, library = run("reed", seed)
    assert library == Path(isal.get_isal_dir()) / pyeclib_trials.LOADED_NAME
    expected = reference(seed)
    assert lines == expected
    # Every backend and geometry was there, and nearly all trials had a result to compare.
    assert len({tuple(line.split()[1:3]) for line in lines}) == (
        len(pyeclib_trials.BACKENDS) * len(pyeclib_trials.GEOMETRIES))
    assert sum(len(line.rsplit("] ", 1)[1].split()) == 3 for line in lines) > 0.99 * TRIALS


def test_preloading_by_the_environment_is_the_same(seed, reference):
    """A program that is not changed at all: LD_PRELOAD, and REED_KERNEL for another kernel."""
    path = Path(isal.get_isal_dir()) / pyeclib_trials.LOADED_NAME
    lines, library = run("isal", seed, LD_PRELOAD=str(path), REED_KERNEL="portable")
    assert library == path
    assert lines == reference(seed)
