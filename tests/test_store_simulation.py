"""The quick run of simulate/store_trials.py: the real store over disks that lie, fail and crash.

`make simulate-store` runs it for as long as wanted. REED_STORE_SEEDS changes how many run
here.
"""

import os

import pytest

from simulate import store_trials

SEEDS = int(os.environ.get("REED_STORE_SEEDS", "2000"))
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_finds_a_loss(part):
    for seed in range(part, SEEDS, PARTS):
        store_trials.run(seed)
