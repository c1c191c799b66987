"""Episodes of every release must go on under today's code, to the second."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowHistory

from protocol.engine import Engine
from tests.workflows.kept import kept, recorded, replayed

KEPT = dict(kept())


@pytest.mark.parametrize("name", KEPT)
async def test_a_kept_history_replays_and_asks_for_the_same(name: str):
    assert await replayed(KEPT[name]) == await recorded(KEPT[name]), (
        "open episodes would go wrong; before the release of this version: python -m tests.workflows.kept"
    )


def test_histories_of_an_emergency_and_of_a_continued_run_are_kept():
    assert {name.rpartition("_")[2] for name in KEPT} >= {"1", "2"}


async def test_a_changed_duration_is_caught(monkeypatch: pytest.MonkeyPatch):
    real = Engine.next_deadline
    monkeypatch.setattr(
        Engine, "next_deadline", lambda engine: (due := real(engine)) and due + timedelta(milliseconds=1)
    )
    history: WorkflowHistory = next(iter(KEPT.values()))
    changed, written = await replayed(history), await recorded(history)
    assert [kind for kind, _ in changed] == [kind for kind, _ in written], "Temporal's own replay sees no difference"
    assert changed != written
