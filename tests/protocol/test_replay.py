"""An auditor's replay: from the trail and the pinned protocol alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from protocol import commands as c
from protocol import events as e
from protocol.episode import Episode
from protocol.replay import Difference, Replayed, ReplayError, replay
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from tests.protocol.specs import compact
from tests.protocol.story import START, Story


def told() -> tuple[list[TrailRow], Episode]:
    """A short episode with a refusal, a miss and a late entry; its trail and its end."""
    story = Story.begun().in_follow_up()
    story.contact("no_answer")
    story.later("30h").contact(ago="1h")
    story.contact(party="nobody")
    return story.engine.take_rows(), story.episode


def differences(steps: Sequence[Replayed]) -> list[Difference]:
    return [one for step in steps for one in step.differences]


def test_a_trail_replays_to_the_same_end_without_a_difference():
    rows, end = told()
    steps = list(replay(compact(), rows))
    assert differences(steps) == []
    assert steps[-1].after == end
    assert [step.sequence for step in steps] == [row.sequence for row in rows if "command" in (row.payload or {})]
    assert steps[0].before is None
    assert all(later.before == step.after for step, later in itertools.pairwise(steps))


def changed(row: TrailRow, **fields: object) -> TrailRow:
    assert row.payload is not None
    return replace(row, payload={**row.payload, "event": {**row.payload["event"], **fields}})


def test_a_decision_that_does_not_follow_is_shown_and_hides_no_other():
    rows, _ = told()
    number = next(place for place, row in enumerate(rows) if row.kind == "ObligationOpened")
    rows[number] = changed(rows[number], due_at="2027-01-01T00:00:00Z")
    found = differences(list(replay(compact(), rows)))
    assert found[0].sequence == rows[number].sequence
    assert isinstance(found[0].recorded, e.ObligationOpened)
    assert isinstance(found[0].decided, e.ObligationOpened)
    assert found[0].recorded.due_at != found[0].decided.due_at


def test_an_entry_too_few_and_one_too_many_are_differences():
    rows, _ = told()
    number = next(place for place, row in enumerate(rows) if row.kind == "ObligationMet")
    missing = differences(list(replay(compact(), rows[:number])))
    assert [one.recorded for one in missing] == [None] * len(missing)
    assert isinstance(missing[0].decided, e.ObligationMet)
    twice = [*rows[: number + 1], rows[number], *rows[number + 1 :]]
    assert any(one.decided is None for one in differences(list(replay(compact(), twice))))


def test_what_is_no_trail_is_named():
    rows, _ = told()
    with pytest.raises(ReplayError, match="entry 2"):
        list(replay(compact(), rows[1:]))
    with pytest.raises(ReplayError, match=f"entry {rows[3].sequence} .*destroyed"):
        list(replay(compact(), [*rows[:3], replace(rows[3], payload=None, salt=None), *rows[4:]]))


def test_another_version_of_the_protocol_is_refused():
    rows, _ = told()
    other = ProtocolSpec.model_validate_json(compact().canonical().replace(compact().version, "9.9.9", 1))
    with pytest.raises(ReplayError, match="not under this one"):
        list(replay(other, rows))


def test_the_longest_episode_id_leaves_room_for_the_ids_made_from_it():
    longest = "e" * 48
    report = c.ReportPage(
        command_id=f"report-{longest}-p9999",
        actor=c.SYSTEM_ACTOR,
        role=c.SYSTEM_ROLE,
        occurred_at=START,
        page_id=f"{longest}-p9999",
        delivered=True,
    )
    assert c.COMMAND.validate_json(c.COMMAND.dump_json(report)) == report
    opening = c.OpenEpisode(
        command_id="c-1",
        actor="mara",
        role="therapist",
        occurred_at=START,
        episode_id=longest,
        client_ref="client-1",
        owner="mara",
    )
    written = c.HUMAN_COMMAND.dump_json(opening)
    assert c.HUMAN_COMMAND.validate_json(written) == opening
    with pytest.raises(ValidationError):
        c.HUMAN_COMMAND.validate_json(written.replace(longest.encode(), longest.encode() + b"e"))
