"""Running to completion: what is due first, then the command; each command once; rows and effects for the caller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from protocol import commands as c
from protocol import events as e
from protocol import happenings
from protocol.conditions import Guard
from protocol.conditions import Test as Comparison
from protocol.effects import EFFECT, Page
from protocol.engine import MOST_RECEIPTS, RECEIPT, Engine
from protocol.episode import EPISODE, next_deadline
from protocol.evolve import evolve
from protocol.program import program
from protocol.trail import genesis, verify
from tests.protocol.fleet import play
from tests.protocol.invariants import read_event
from tests.protocol.specs import compact
from tests.protocol.story import KEY, START, Story, code, kinds, span


def test_what_is_due_fires_before_the_command_is_taken():
    story = Story.begun().later("2h")
    receipt = story.answer(safe="yes")
    assert kinds(receipt) == ["FactsRecorded"]
    assert [row.kind for row in story.engine.rows[-3:]] == ["DeadlineMissed", "PageRequested", "FactsRecorded"]


def test_the_engine_acts_under_its_own_name():
    story = Story.begun().later("2h")
    story.sweep()
    row = story.engine.rows[-1]
    assert (row.actor, row.role, row.command_id) == ("holdfast", "system", "deadline-3")
    assert row.recorded_at == row.occurred_at == story.now


def test_nothing_happens_before_it_is_due():
    story = Story.begun().later("119m")
    assert story.sweep() == ()
    assert Story().sweep() == ()


def test_a_command_sent_again_gets_its_receipt_and_changes_nothing():
    story = Story.begun()
    command = c.RecordFacts(command_id="x", actor="mara", role="peer", occurred_at=START, facts={"safe": "yes"})
    first = story.engine.submit(command, story.now)
    rows = len(story.engine.rows)
    assert story.engine.submit(command, story.now + timedelta(days=1)) == first
    assert len(story.engine.rows) == rows
    assert story.owed("finish_assessment")[0].missed is False


def test_an_id_that_was_used_for_something_else_is_refused_without_a_trace():
    story = Story.begun()
    told = {"command_id": "x", "actor": "mara", "role": "therapist", "occurred_at": START}
    first = story.engine.submit(c.RecordFacts(**told, facts={"safe": "yes", "pain": 1}), story.now)
    before, rows, kept = story.episode, len(story.engine.rows), dict(story.engine.receipts)
    for other in (
        c.RecordFacts(**told, facts={"safe": "no", "pain": 1}),
        c.RecordFacts(**{**told, "actor": "ben"}, facts={"safe": "yes", "pain": 1}),
        c.RecordFacts(**{**told, "role": "peer"}, facts={"safe": "yes", "pain": 1}),
        c.DeclareEmergency(**told),
    ):
        receipt = story.engine.submit(other, story.now + timedelta(days=1))
        assert code(receipt) == "command_id_reused"
        assert (receipt.command_id, receipt.revision) == ("x", before.revision)
        assert kinds(receipt) == ["CommandRefused"]
        assert receipt.refusal is not None
        assert receipt.refusal.remedy == "Send it under an id of its own."
    assert story.episode is before
    assert (len(story.engine.rows), story.engine.receipts) == (rows, kept)
    assert story.engine.effects == []
    assert first.refusal is None


def test_a_command_sent_again_may_be_stamped_anew():
    """With another time and another revision, and its answers in another order, it is the same command."""
    story = Story.begun()
    told = {"command_id": "x", "actor": "mara", "role": "therapist"}
    first = story.engine.submit(c.RecordFacts(**told, occurred_at=START, facts={"safe": "yes", "pain": 1}), story.now)
    again = c.RecordFacts(
        **told, occurred_at=START + timedelta(seconds=9), expected_revision=1, facts={"pain": 1, "safe": "yes"}
    )
    assert story.engine.submit(again, story.now + timedelta(seconds=9)) == first
    assert first.fingerprint == c.fingerprint(again)
    assert len(first.fingerprint) == 32


def test_a_refusal_is_remembered_as_well():
    story = Story.begun()
    command = c.Advance(command_id="x", actor="mara", role="therapist", occurred_at=START)
    assert story.engine.submit(command, START) == story.engine.submit(command, START)
    early = Story()
    assert code(early.engine.submit(command, START)) == "not_open"
    assert early.engine.submit(command, START).command_id == "x"


def test_only_the_latest_commands_are_remembered():
    story = Story.begun()
    for _ in range(MOST_RECEIPTS):
        story.do(c.Advance)
    assert len(story.engine.receipts) == MOST_RECEIPTS == 500
    assert "c-1" not in story.engine.receipts
    assert next(iter(story.engine.receipts)) == "c-2"
    assert list(story.engine.receipts)[-1] == "c-501"


def test_a_receipt_says_where_the_episode_stands():
    story = Story.begun()
    receipt = story.answer(harm="yes")
    assert (receipt.command_id, receipt.episode_id) == ("c-2", "ep-1")
    assert (receipt.stage, receipt.risk) == ("emergency_response", "imminent")
    assert receipt.revision == story.episode.revision == len(story.engine.rows)
    assert receipt.next_deadline == START + span("5m") == story.engine.next_deadline()
    assert receipt.refusal is None
    assert RECEIPT.validate_json(RECEIPT.dump_json(receipt)) == receipt


def test_the_caller_takes_rows_and_effects_away_once():
    story = Story.begun()
    story.answer(harm="yes")
    rows, effects = story.engine.take_rows(), story.engine.take_effects()
    assert len(rows) == story.episode.revision
    assert [effect.kind for effect in effects] == ["Page"]
    assert story.engine.take_rows() == []
    assert story.engine.take_effects() == []
    story.answer(safe="yes")
    assert [row.sequence for row in story.engine.take_rows()] == [len(rows) + 1]


def test_the_first_row_of_a_step_carries_the_command_and_only_it():
    story = Story.begun()
    story.answer(harm="yes", pain=3)
    payloads = [row.payload or {} for row in story.engine.rows]
    assert [("command" in payload) for payload in payloads[:3]] == [True, False, True]
    assert sum("command" in payload for payload in payloads) == 2
    assert c.COMMAND.validate_python(payloads[2]["command"], strict=False).command_id == "c-2"


def test_rows_say_who_when_and_what():
    story = Story.begun().later("1h")
    story.do(c.RecordFacts, by="ben", role="peer", ago="30m", facts={"safe": "yes"})
    row = story.engine.rows[-1]
    assert (row.actor, row.role, row.command_id, row.kind) == ("ben", "peer", "c-2", "FactsRecorded")
    assert (row.occurred_at, row.recorded_at) == (story.now - span("30m"), story.now)
    assert row.sequence == story.episode.revision
    story.do(c.DeclareEmergency, at=story.now + timedelta(days=1))
    assert story.engine.rows[-1].occurred_at == story.now


def test_the_trail_dates_nothing_before_1970():
    story = Story.begun()
    story.do(c.Advance, at=datetime(1, 1, 1, tzinfo=UTC))
    assert story.engine.rows[-1].occurred_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_chain_begins_with_the_episode_and_holds():
    story = Story.begun()
    story.answer(harm="yes")
    assert story.engine.rows[0].previous_hash == genesis("ep-1").hash
    assert verify(story.engine.rows, "ep-1", story.engine.head) is None


def test_an_engine_goes_on_from_what_was_kept():
    story = Story.begun()
    story.answer(safe="yes")
    kept = EPISODE.validate_json(EPISODE.dump_json(story.episode))
    again = Engine(compact(), "ep-1", KEY, kept, story.engine.head, story.engine.receipts)
    command = c.RecordFacts(command_id="x", actor="mara", role="peer", occurred_at=START, facts={"harm": "yes"})
    assert again.submit(command, START) == story.engine.submit(command, START)
    assert again.episode == story.episode
    rows = again.take_rows()
    assert rows == story.engine.rows[-len(rows) :]


def test_an_episode_that_owes_nothing_has_no_deadline():
    story = Story()
    assert story.engine.next_deadline() is None
    story = Story.begun().in_follow_up()
    story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    story.contact()
    assert next_deadline(story.episode) is None


def test_an_episode_begins_with_its_opening():
    with pytest.raises(ValueError, match="begins with EpisodeOpened"):
        evolve(None, e.FactsRecorded({}, START))


@pytest.mark.parametrize("number", range(20))
def test_every_change_of_a_value_is_announced(number: int):
    """Triggers, evidence and risk rules look only at what `happenings` names: a forgotten name is a deaf rule."""
    sim, _ = play(number)
    if not sim.rows:
        return
    readers = program(sim.spec).readers
    episode = evolve(None, read_event(sim.rows[0]))
    for row in sim.rows[1:]:
        event = read_event(row)
        after = evolve(episode, event)
        announced = {name for key, name in happenings.happenings(event) if key == "changed"}
        for name in readers.domains:
            if readers.reader(name)(episode) != readers.reader(name)(after):
                bases = readers.bases(Guard(Comparison(name, "known", ("yes",))))
                assert bases & announced, f"{event.kind} changes {name} and says nothing"
        episode = after


def test_a_page_effect_survives_its_json_form():
    story = Story.begun()
    story.answer(harm="yes")
    for effect in story.engine.take_effects():
        assert isinstance(effect, Page)
        assert EFFECT.validate_json(EFFECT.dump_json(effect)) == effect
