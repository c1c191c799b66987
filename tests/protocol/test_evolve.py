"""Folding events: one step of the revision each, and no event breaks an episode that knows nothing of its subject."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from protocol import events as e
from protocol.effects import effects_of
from protocol.evolve import evolve, was_tried
from tests.protocol.fleet import play
from tests.protocol.invariants import read_event
from tests.protocol.story import START, Story

SEEN_AND_EDITED = {
    *("EpisodeOpened", "FactsRecorded", "StepCompleted", "StepSkipped", "CoSigned", "StageEntered"),
    *("CrisisTypeRecorded", "DecisionRecorded", "RiskRaised", "RiskLowered", "Migrated", "EpisodeClosed"),
}


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_each_event_is_one_revision_and_only_edits_move_the_edited_mark(number: int):
    sim, _ = play(number)
    episode = None
    for row in sim.rows:
        before, episode = episode, evolve(episode, read_event(row))
        assert episode.revision == row.sequence
        edited = row.sequence if row.kind in SEEN_AND_EDITED else before.edited if before else 1
        assert episode.edited == edited, row.kind


@pytest.mark.parametrize(
    "event",
    [
        e.CoSigned("nothing", 1, "", START),
        e.DeadlineMissed("nothing-1", "nothing", START, START),
        e.Acknowledged("nothing-1", "nothing", "ben", "peer", START, START),
        e.PageReported("nothing", False, (), "", START),
        e.PageReported("nothing", True, (), "", START),
        e.EmergencyDeclared("", START),
        e.ReferralRequested("r", "d", "o", "s", START),
        e.NoticeRaised("n", "t", START),
        e.AddendumAdded(1, "t", START),
        e.HandoverDeclined("ben", "", START),
    ],
    ids=lambda event: event.kind,
)
def test_an_event_about_nothing_known_changes_the_revision_alone(event: Any):
    before = Story.begun().episode
    after = evolve(before, event)
    assert replace(after, revision=before.revision, edited=before.edited) == before
    assert after.revision == before.revision + 1


def test_folding_leaves_the_episode_before_as_it_was():
    before = Story.begun().episode
    kept = replace(before)
    evolve(before, e.FactsRecorded({"safe": "yes"}, START))
    evolve(before, e.ObligationMet("finish_assessment-1", "finish_assessment", late=False, at=START))
    assert before == kept
    assert "finish_assessment-1" in before.obligations


def test_what_ends_without_having_been_opened_is_tallied():
    episode = evolve(Story.begun().episode, e.ObligationWaived("dispatch-1", "dispatch", "r", START))
    assert (episode.tallies["dispatch"].opened, episode.tallies["dispatch"].last) == (0, "waived")


def test_a_page_moves_its_obligation_to_its_rung():
    story = Story.begun()
    later = START + timedelta(hours=3)
    page = e.PageRequested("p", "finish_assessment-1", "finish_assessment", 1, "owner", ("email",), later, later, START)
    episode = evolve(story.episode, page)
    owed = episode.obligations["finish_assessment-1"]
    assert (owed.rung, owed.next_page_at, owed.page_id, owed.lease_until) == (1, later, "p", None)
    assert (episode.pages, episode.pages_open) == (1, {"p": "finish_assessment-1"})


def test_only_pages_and_referrals_have_effects():
    story = Story.begun()
    story.answer(harm="yes")
    effects = effects_of(story.episode, story.events(), story.now)
    assert [effect.kind for effect in effects] == ["Page"]


def test_every_kind_of_event_can_be_folded():
    from protocol.evolve import CHANGES

    assert set(CHANGES) == set(get_args(e.Event))


def test_a_skip_written_down_late_does_not_undo_what_was_done_after_it():
    story = Story.begun()
    story.later("1h")
    step = story.engine.spec.stages[story.episode.stage].steps[0]
    done = evolve(story.episode, e.StepCompleted(step, "", story.now))
    skip = e.StepSkipped(step, "r", "mara", story.now)
    assert evolve(done, replace(skip, at=story.now - timedelta(minutes=30))).steps[step].status == "done"
    assert evolve(done, skip).steps[step].status == "skipped", "of two things at the same moment the later entry counts"


def test_a_signature_on_an_entry_that_was_replaced_signs_nothing():
    story = Story.begun()
    decided = evolve(story.episode, e.DecisionRecorded("d", "o", "r", None, "1", {}, "mara", True, story.now))
    assert evolve(decided, e.CoSigned("d", decided.revision + 9, "", story.now)).decisions == decided.decisions


def test_an_automatic_message_tries_nobody():
    attempt = e.ContactAttempted("client", "text", "no_answer", 1, "", "", START)
    assert was_tried(attempt, "client")
    assert not was_tried(attempt, "police")
    assert not was_tried(replace(attempt, outcome="automatic_message"), "client")


@pytest.mark.parametrize(
    ("at", "before"),
    [
        (timedelta(), True),
        (timedelta(seconds=-1), False),
        (timedelta(seconds=40, microseconds=1), True),
        (timedelta(seconds=39), False),
    ],
)
def test_whoever_writes_a_minute_means_the_whole_minute(at: timedelta, before: bool):
    """An obligation opened at 18:00:40 was open at \"18:00\", but not at 18:00:39."""
    story = Story.begun(now=START + timedelta(seconds=40))
    owed = next(iter(story.episode.obligations.values()))
    assert owed.comes_before(START + at, owed.sequence + 1) is before
    assert owed.comes_before(START + timedelta(days=1), owed.sequence) is False
