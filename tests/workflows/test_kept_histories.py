"""Episodes of every release must go on under today's code, to the second."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from protocol.engine import Engine
from tests.workflows.kept import KINDS, VERSION, kept, missing, recorded, replayed
from workflows.ports import APPEND_ROWS, DELIVER_PAGE

KEPT = dict(kept())
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


@pytest.mark.parametrize("name", KEPT)
async def test_a_kept_history_replays_and_asks_for_the_same(name: str):
    assert await replayed(KEPT[name]) == await recorded(KEPT[name]), (
        "open episodes would go wrong; before the release of this version: python -m tests.workflows.kept"
    )


def test_every_release_and_the_next_has_all_its_histories():
    assert missing(CHANGELOG.read_text(encoding="utf-8"), KEPT) == set()
    assert missing(f"## {VERSION}", KEPT) == set()
    assert f"{VERSION}_emergency_run_2" in KEPT, "of a continued run"


def test_a_release_without_its_histories_is_told():
    changelog = f"## Unreleased\n\n### Engineers\n- Words\n\n## [9.8.7] - 2026-12-01\n\n## {VERSION} (2026-11-30)\n"
    assert missing(changelog, KEPT) == {f"9.8.7_{what}" for what in KINDS}
    assert missing(changelog, set(KEPT) - {f"{VERSION}_outage_run_1"}) >= {f"{VERSION}_outage"}


async def asked_for(what: str, kind: str) -> list[dict[str, Any]]:
    """What the activities of a kind were given in the first run of what is kept."""
    told = await recorded(KEPT[f"{VERSION}_{what}_run_1"])
    return [given for name, asked in told if name == kind for given in asked[-1]]


async def test_the_kept_episodes_went_through_what_they_are_kept_for():
    calls = [page for page in await asked_for("crisis", DELIVER_PAGE) if page["obligation"].startswith("Live contact")]
    assert [page["role"] for page in calls] == ["on_call", "second_on_call", "second_on_call"]
    first, second, _ = (datetime.fromisoformat(page["at"]) for page in calls)
    assert second - first < timedelta(minutes=1), "the first page failed, so the ladder did not wait"
    documents = {batch["protocol"] for batch in await asked_for("migration", APPEND_ROWS) if batch["protocol"]}
    assert {json.loads(one)["version"] for one in documents} == {"1.0.0", "1.1.0"}
    batches = [len(batch["rows"]) for batch in await asked_for("outage", APPEND_ROWS)]
    assert max(batches) > 1
    assert len(batches) > 2


async def test_a_changed_duration_is_caught(monkeypatch: pytest.MonkeyPatch):
    real = Engine.next_deadline
    monkeypatch.setattr(
        Engine, "next_deadline", lambda engine: (due := real(engine)) and due + timedelta(milliseconds=1)
    )
    history: WorkflowHistory = next(iter(KEPT.values()))
    changed, written = await replayed(history), await recorded(history)
    assert [kind for kind, _ in changed] == [kind for kind, _ in written], "Temporal's own replay sees no difference"
    assert changed != written
