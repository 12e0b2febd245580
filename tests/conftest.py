"""What all tests share: seeds that are printed, and a loud account of what did not run.

A test that this machine cannot run skips with a reason that begins with ``NOT RUN:``. The summary
lists every skip. With ``REED_REQUIRE_ALL=1`` (as in continuous integration) each one is a failure.

Seeded tests take the ``seed`` fixture; a failure shows the seed, and ``REED_SEED=<number>`` replays
it.
"""

import os
import shutil
import signal
import tempfile
from collections import Counter

import pytest

DEFAULT_SEED = 20180720  # any number would do; a fixed one makes every run the same run
REQUIRE_ALL = os.environ.get("REED_REQUIRE_ALL", "") not in ("", "0")


def _seed():
    return int(os.environ.get("REED_SEED") or DEFAULT_SEED)


@pytest.fixture
def seed():
    print(f"REED_SEED={_seed()} replays this test")
    return _seed()


def pytest_configure(config):
    """A folder for what the session compiles (c_build.py); its workers inherit the name. And
    interrupts as a program at a terminal has them: a shell has what it starts in the background,
    and all that this starts, ignore them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        folder = os.environ["REED_TEST_BUILD"] = tempfile.mkdtemp(prefix="reed-core-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_report_header(config):
    required = "failures" if REQUIRE_ALL else "listed at the end (REED_REQUIRE_ALL=1: failures)"
    return f"reed: REED_SEED={_seed()}; tests that cannot run here are {required}"


def _skip_reason(report):
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def _require(report):
    if REQUIRE_ALL and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.longrepr = f"REED_REQUIRE_ALL=1 and the test did not run: {_skip_reason(report)}"
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _require((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _require((yield))


def pytest_terminal_summary(terminalreporter):
    skipped = Counter(_skip_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if not skipped:
        return
    total = sum(skipped.values())
    terminalreporter.section(f"NOT RUN on this machine: {total} tests", yellow=True, bold=True)
    for reason, count in sorted(skipped.items()):
        terminalreporter.line(f"{count:5}  {reason.removeprefix('NOT RUN:').strip()}")
