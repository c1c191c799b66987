"""The page about the trail is enough to compute a row by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.tables import trail
from protocol.trail import Wrong, commit, genesis, row_hash

PAGE = (Path(__file__).parents[2] / "docs" / "trail.md").read_text(encoding="utf-8")


def test_the_example_computes_what_we_compute():
    example: dict[str, Any] = {}
    exec(PAGE.split("```python")[1].split("```")[0], example)
    commitment = commit(example["payload"], example["salt"].hex())
    at = "2026-11-01T09:00:00.000000Z"
    assert datetime.fromisoformat(at) == datetime(2026, 11, 1, 9, tzinfo=UTC)
    names = ("lee", "therapist", "c-1", "FactsRecorded")
    assert example["commitment"] == commitment
    assert example["row_hash"] == row_hash(genesis("ep-1").hash, "ep-1", 1, at, at, *names, commitment)


def test_every_column_and_every_fault_is_explained():
    for name in (*trail.columns.keys(), *Wrong):
        assert f"`{name}`" in PAGE
