"""An episode ends only when nothing is owed any more; the refusal lists all that is missing."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.specs import duty, with_duties
from tests.protocol.story import START, Story, code


@pytest.fixture
def ready() -> Story:
    """Nothing is owed any more."""
    story = Story.begun().in_follow_up()
    story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    story.contact()
    assert not story.episode.obligations
    return story


def close(story: Story, outcome: str = "resolved", **fields: Any) -> Any:
    return story.do(c.CloseEpisode, outcome=outcome, reason="well again", **fields)


def missing(receipt: Any) -> tuple[str, ...]:
    assert code(receipt) == "closing_not_met"
    return receipt.refusal.missing


def test_an_episode_with_nothing_owed_ends(ready: Story):
    receipt = close(ready)
    assert receipt.events == (
        e.StageEntered("closed", "follow_up", "well again", ready.now),
        e.EpisodeClosed("resolved", "well again", "closed", ready.now),
    )
    episode = ready.episode
    assert (episode.stage, episode.outcome, episode.closed_at) == ("closed", "resolved", ready.now)
    assert receipt.next_deadline is None
    assert ready.engine.next_deadline() is None


def test_an_open_obligation_forbids_the_end(ready: Story):
    ready.answer(pain=9)
    assert missing(close(ready)) == ("open: Speak to the client",)
    assert ready.episode.closed_at is None
    assert ready.episode.stage == "follow_up"


def test_the_refusal_lists_all_that_is_missing(ready: Story):
    ready.answer(plan="yes", intent="no")
    ready.do(c.RecordDecision, decision="report", option="no", rationale="r")
    assert missing(close(ready, "moved")) == (
        "open: Speak to the client",
        "open: Decide",
        "open: Duty",
        "unsigned: report",
        "Lower the risk.",
        "Hand over first.",
    )


def test_what_one_outcome_needs_is_not_asked_of_another(ready: Story):
    assert missing(close(ready, "moved")) == ("Hand over first.",)
    assert code(close(ready, "resolved")) is None


def test_an_outcome_whose_needs_are_met_ends_the_episode(ready: Story):
    ready.answer(handed="yes")
    assert code(close(ready, "moved")) is None
    assert ready.episode.outcome == "moved"


def test_an_open_dispatch_forbids_the_end(ready: Story):
    ready.do(c.DeclareEmergency)
    assert "open: Hand over" in missing(close(ready))


def test_an_undeclared_outcome_is_refused(ready: Story):
    refusal = close(ready, "bored").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_outcome", "Choose one of: resolved, moved.")


def test_only_the_named_roles_close(ready: Story):
    assert code(close(ready, role="supervisor")) == "wrong_role"


def test_what_leaving_the_last_stage_fulfils_does_not_forbid_the_end():
    story = Story.begun()
    story.answer(handed="yes")
    receipt = close(story, "moved")
    assert code(receipt) is None
    assert [event.kind for event in receipt.events] == ["StageEntered", "EpisodeClosed", "ObligationMet"]
    assert not story.episode.obligations


@pytest.mark.parametrize(
    "evidence",
    [
        {"left": "assessment", "when": {"safe": "yes", "if_unknown": "fails"}},
        {"left": "assessment", "reached": "client"},
        {"left": "assessment", "done": "reassess"},
        {"left": "assessment", "decided": "plain"},
        {"left": "assessment", "attempted": "client"},
        {"left": "assessment", "acknowledged": "supervisor"},
        {"left": "assessment", "refreshed": ["safe"]},
        {"left": "coping"},
    ],
)
def test_what_leaving_alone_does_not_fulfil_forbids_the_end(evidence: dict[str, Any]):
    story = Story.begun(with_duties(more=duty("9h", [{"event": "episode_opened"}], [evidence], title="More")))
    assert missing(close(story)) == ("open: More",)


def test_an_episode_does_not_end_before_what_is_owed_began():
    """Written down as having ended before the last duty opened, leaving would fulfil nothing."""
    story = Story.begun().later("1h")
    receipt = close(story, ago="2h")
    assert missing(receipt) == ("open: Finish",)
    assert story.episode.opened_at == START
    assert code(close(story, ago="30m")) is None


def test_what_the_end_itself_would_open_forbids_it():
    story = Story.begun(
        with_duties(after=duty("1h", [{"met": "finish_assessment"}], [{"done": "start"}], title="After"))
    )
    assert missing(close(story)) == ("open: After",)
    assert story.episode.closed_at is None
