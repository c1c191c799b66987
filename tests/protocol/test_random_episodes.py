"""Random episodes against the safety rules of the product and against what the trail promises."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from protocol import events as e
from tests.protocol.fleet import sail, sail_together
from tests.protocol.test_decide import codes_in_source

ROOT = Path(__file__).parents[2]
SLICE = range(200)
ALL = 20_000
FAULTS = {
    "late entry",
    "wrong clock",
    "expected revision",
    "outage",
    "clock jumps back",
    "lost timer",
    "lost page report",
    "undeliverable page",
    "providers away",
    "page reported twice",
    "moved in the middle",
    "duplicate command",
    "reused command id",
    "crash",
}


def test_random_episodes_keep_every_safety_rule():
    voyage = sail(SLICE)
    assert voyage.episodes == len(SLICE)
    assert set(voyage.faults) == FAULTS
    assert voyage.kinds["EpisodeClosed"] > 2


def test_the_same_number_plays_the_same_episode():
    heads = sail(range(20)).heads
    assert heads == sail(range(20)).heads
    assert len(set(heads)) == 20


@pytest.mark.full
def test_the_order_in_which_sets_are_walked_decides_nothing():
    """Python orders sets anew in every process; a trail that followed it would not replay."""
    script = "from tests.protocol.fleet import sail; print(sail(range(300)).hash)"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(hashes) == 1


@pytest.mark.full
def test_twenty_thousand_random_episodes_keep_every_safety_rule():
    begun = time.monotonic()
    voyage = sail_together(ALL)
    print(  # noqa: T201  the figure that people ask for; shown by `pytest -s`
        f"\n{voyage.episodes} episodes, {voyage.steps} steps, {sum(voyage.kinds.values())} events in "
        f"{time.monotonic() - begun:.0f} s ({voyage.seconds:.0f} CPU s on 2 processes); "
        f"{voyage.steps / voyage.seconds:.0f} steps/s a process; hash {voyage.hash[:16]}"
    )
    assert voyage.episodes == ALL
    assert voyage.seconds / 2 < 60
    assert set(voyage.kinds) == {kind.__name__ for kind in get_args(e.Event)}
    assert codes_in_source() <= set(voyage.refusals)
    assert set(voyage.faults) == FAULTS
    assert min(voyage.faults.values()) >= 1000
    assert sail_together(200).heads == voyage.heads[:200]
