"""What forbids any command, what is heard though refused, and when things count as having happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from protocol import acts
from protocol import commands as c
from protocol import decide as deciding
from protocol import events as e
from protocol.decide import decide
from tests.protocol.specs import compact
from tests.protocol.story import KEY, START, Story, code, kinds, span

PROTOCOL = Path(deciding.__file__).parent
FORM: dict[str, Any] = {"step": "start", "facts": {"harm": "yes"}}


@pytest.fixture
def story() -> Story:
    return Story.begun()


# Opening


def test_an_opening_says_who_what_and_under_which_protocol():
    story = Story(now=START)
    receipt = story.do(
        c.OpenEpisode,
        episode_id="ep-1",
        client_ref="client-1",
        owner="ben",
        crisis_types=("relapse",),
        facts={"pain": 9},
        drill=True,
        ago="10m",
    )
    at = START - timedelta(minutes=10)
    assert receipt.events[:3] == (
        e.EpisodeOpened(
            episode_id="ep-1",
            client_ref="client-1",
            protocol="compact",
            protocol_version="1.0.0",
            protocol_hash=compact().content_hash,
            owner="ben",
            owner_role="therapist",
            stage="assessment",
            risk="none",
            drill=True,
            at=at,
        ),
        e.CrisisTypeRecorded("relapse", at),
        e.FactsRecorded({"pain": 9}, at),
    )
    episode = story.episode
    assert (episode.owner, episode.client_ref, episode.drill) == ("ben", "client-1", True)
    assert (episode.opened_at, episode.risk) == (at, "low")
    assert story.owed("finish_assessment")[0].due_at == at + span("2h")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"role": "cook"}, "unknown_role"),
        ({"crisis_types": ("boredom",)}, "unknown_crisis_type"),
        ({"facts": {"nonsense": "x"}}, "unknown_fact"),
        ({"facts": {"pain": 99}}, "invalid_fact"),
        ({"ago": "721h"}, "before_opening"),
        ({"at": START + timedelta(minutes=6)}, "future_time"),
    ],
)
def test_a_wrong_opening_opens_nothing(fields: dict[str, Any], refused: str):
    story = Story(now=START)
    receipt = story.do(c.OpenEpisode, episode_id="ep-1", client_ref="x", owner="mara", **fields)
    assert code(receipt) == refused
    assert (receipt.revision, receipt.stage, receipt.risk, receipt.next_deadline) == (0, "", "", None)
    assert story.engine.episode is None
    assert story.engine.rows == []


def test_a_crisis_noticed_some_days_ago_may_be_reported():
    assert Story.begun(ago="719h").episode.opened_at == START - span("719h")


def test_nothing_is_done_in_an_episode_that_is_not_open():
    story = Story()
    assert code(story.do(c.DeclareEmergency)) == "not_open"
    assert code(story.do(c.AddAddendum, refers_to=1, text="x")) == "not_open"


def test_an_episode_is_opened_once(story: Story):
    again = story.do(c.OpenEpisode, episode_id="ep-1", client_ref="x", owner="ben", facts={"harm": "yes"})
    assert code(again) == "already_open"
    assert story.episode.owner == "mara"
    assert story.episode.risk == "none"


# What forbids any command


def test_a_refusal_is_recorded_with_reason_and_remedy(story: Story):
    receipt = story.do(c.Advance)
    (refusal,) = receipt.events
    assert isinstance(refusal, e.CommandRefused)
    assert refusal.command == "Advance"
    assert refusal.at == story.now
    assert refusal.remedy
    assert story.events()[-1] == refusal
    assert story.episode.revision == len(story.engine.rows)


def test_a_role_that_the_protocol_does_not_have_may_do_nothing(story: Story):
    refusal = story.do(c.DeclareEmergency, role="cook").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_role", "Act as one of: therapist, supervisor, peer.")
    assert story.episode.stage == "assessment"


def test_a_closed_episode_takes_addenda_only(story: Story):
    story.in_follow_up()
    story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    story.contact()
    assert code(story.do(c.CloseEpisode, outcome="resolved", reason="r")) is None
    for kind, fields in (
        (c.RecordFacts, {"facts": {"harm": "yes"}}),
        (c.DeclareEmergency, {}),
        (c.OpenEpisode, {"episode_id": "ep-1", "client_ref": "x", "owner": "x"}),
        (c.RecordContact, {"party": "client", "channel": "phone", "outcome": "reached"}),
    ):
        assert code(story.do(kind, **fields)) == "already_closed"
    assert story.episode.risk == "none"
    assert kinds(story.do(c.AddAddendum, refers_to=1, text="late thought")) == ["AddendumAdded"]


def test_an_addendum_stands_beside_an_entry_that_exists(story: Story):
    revision = story.episode.revision
    receipt = story.do(c.AddAddendum, refers_to=revision, text="more")
    assert receipt.events == (e.AddendumAdded(revision, "more", story.now),)
    assert code(story.do(c.AddAddendum, refers_to=revision + 3, text="x")) == "unknown_entry"


# When it happened


def test_a_late_entry_counts_from_when_it_happened(story: Story):
    story.later("1h")
    receipt = story.answer_ago("50m", pain=9)
    happened = story.now - span("50m")
    assert {event.at for event in receipt.events} == {happened}
    assert story.episode.facts["pain"].at == happened
    assert story.episode.risk_changed.at == happened


def test_a_clock_a_little_ahead_counts_as_now(story: Story):
    receipt = story.do(c.RecordFacts, facts={"safe": "yes"}, at=story.now + timedelta(minutes=5))
    assert code(receipt) is None
    assert receipt.events[0].at == story.now


def test_a_time_in_the_future_is_refused(story: Story):
    receipt = story.do(c.RecordFacts, facts={"safe": "yes"}, at=story.now + timedelta(minutes=5, seconds=1))
    assert code(receipt) == "future_time"


def test_a_time_long_before_the_opening_is_refused(story: Story):
    assert code(story.do(c.RecordFacts, facts={"safe": "yes"}, ago="24h")) is None
    early = story.now - timedelta(hours=24, seconds=1)
    assert code(story.do(c.RecordFacts, facts={"safe": "yes"}, at=early)) == "before_opening"
    oldest = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert code(story.do(c.RecordFacts, facts={"safe": "yes"}, at=oldest)) == "before_opening"


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_wrong_clock_never_refuses_an_emergency(story: Story, at: datetime):
    assert code(story.do(c.DeclareEmergency, at=at)) is None
    assert story.episode.stage == "emergency_response"
    assert START - timedelta(days=1) <= story.episode.stage_entered.at <= story.now


def test_times_in_any_zone_mean_the_same_instant(story: Story):
    story.later("1h")
    pacific = timezone(timedelta(hours=-8))
    receipt = story.do(c.RecordFacts, facts={"safe": "yes"}, at=story.now.astimezone(pacific))
    assert receipt.events[0].at == story.now


# Two people at once


def test_an_entry_written_before_somebody_else_changed_something_is_refused(story: Story):
    seen = story.episode.revision
    story.answer(safe="yes")
    receipt = story.do(c.RecordFacts, facts={"safe": "no"}, expected_revision=seen)
    assert code(receipt) == "stale_revision"
    assert receipt.refusal is not None
    assert f"since revision {seen}; it is now at {seen + 1}" in receipt.refusal.message
    assert story.episode.facts["safe"].value == "yes"


def test_an_entry_written_with_the_latest_in_view_is_taken(story: Story):
    assert code(story.do(c.RecordFacts, facts={"safe": "no"}, expected_revision=story.episode.revision)) is None


def test_a_revision_that_does_not_exist_yet_is_stale(story: Story):
    future = story.episode.revision + 1
    assert code(story.do(c.RecordFacts, facts={"safe": "no"}, expected_revision=future)) == "stale_revision"


def test_pages_and_refusals_make_nobodys_entry_stale(story: Story):
    seen = story.episode.revision
    story.later("2h").sweep()
    story.do(c.Advance)
    assert story.episode.revision > seen
    assert code(story.do(c.RecordFacts, facts={"safe": "no"}, expected_revision=seen)) is None


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (c.DeclareEmergency, {}),
        (c.RecordContact, {"party": "client", "channel": "phone", "outcome": "no_answer"}),
        (c.Acknowledge, {"obligation_id": "finish_assessment-1"}),
        (c.AddAddendum, {"refers_to": 1, "text": "x"}),
    ],
)
def test_what_only_adds_to_the_record_is_never_stale(kind: type[Any], fields: dict[str, Any]):
    story = Story.begun().later("2h")
    story.sweep()
    story.answer(safe="yes")
    assert code(story.do(kind, expected_revision=1, **fields)) is None


def edits(story: Story) -> list[tuple[str, bool]]:
    """Each event so far and whether it made a view of its moment before stale."""
    return [(event.kind, isinstance(event, e.FactsRecorded)) for event in story.events()]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (c.RecordFacts, {"facts": {"safe": "yes"}}),
        (c.CompleteStep, {"step": "reassess"}),
        (c.RecordCrisisType, {"crisis_type": "relapse"}),
        (c.RecordDecision, {"decision": "plain", "option": "left", "rationale": "r"}),
        (c.DeclareEmergency, {}),
    ],
)
def test_whatever_people_see_and_edit_makes_an_older_view_stale(story: Story, kind: type[Any], fields: dict[str, Any]):
    seen = story.episode.revision
    assert code(story.do(kind, **fields)) is None
    assert code(story.do(c.RecordFacts, facts={"safe": "no"}, expected_revision=seen)) == "stale_revision"


# Heard though refused


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({**FORM}, "missing_facts"),
        ({**FORM, "expected_revision": 99}, "stale_revision"),
        ({**FORM, "step": "calm"}, "wrong_stage"),
        ({**FORM, "step": "nonsense"}, "unknown_step"),
        ({**FORM, "step": "screening"}, "step_order"),
        ({**FORM, "ago": "100h"}, "before_opening"),
        ({**FORM, "at": START + timedelta(hours=1)}, "future_time"),
        ({"step": "reassess", "facts": {"harm": "yes", "pain": 99}}, "invalid_fact"),
        ({"step": "reassess", "facts": {"nonsense": "x", "harm": "yes"}}, "unknown_fact"),
    ],
)
def test_a_disclosure_in_a_refused_entry_is_heard(story: Story, fields: dict[str, Any], refused: str):
    receipt = story.do(c.CompleteStep, **fields)
    assert code(receipt) == refused
    assert kinds(receipt)[:2] == ["FactsRecorded", "CommandRefused"]
    assert receipt.events[0].facts == {"harm": "yes"}  # type: ignore[union-attr]
    assert story.episode.risk == "imminent"
    assert story.episode.stage == "emergency_response"
    assert story.owed("dispatch")
    assert "start" not in story.episode.steps


def test_a_disclosure_in_a_contact_that_is_not_permitted_is_heard(story: Story):
    assert code(story.contact(party="family", facts={"harm": "yes"})) == "not_permitted"
    assert story.episode.risk == "imminent"


def test_a_second_disclosure_in_a_refused_entry_is_heard_at_the_highest_level(story: Story):
    story.answer(harm="yes")
    story.do(c.Advance)
    receipt = story.do(c.CompleteStep, step="calm", facts={"plan": "yes", "intent": "yes"})
    assert code(receipt) == "wrong_stage"
    assert story.episode.stage == "emergency_response"


def test_a_refused_entry_that_raises_nothing_leaves_no_answers(story: Story):
    receipt = story.do(c.CompleteStep, step="start", facts={"safe": "yes"})
    assert kinds(receipt) == ["CommandRefused"]
    assert "safe" not in story.episode.facts


@pytest.mark.parametrize(("role", "refused"), [("cook", "unknown_role"), ("peer", "wrong_role")])
def test_whoever_may_not_act_is_not_heard(story: Story, role: str, refused: str):
    receipt = story.do(c.CompleteStep, role=role, **FORM)
    assert kinds(receipt) == ["CommandRefused"]
    assert code(receipt) == refused
    assert story.episode.risk == "none"


# Every refusal


def codes_in_source() -> set[str]:
    """Every code that an episode can refuse with; those of publishing a protocol are of another kind."""
    files = [path for path in PROTOCOL.glob("*.py") if path.name != "publishing.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r'Refused\(\s*"([a-z_]+)"', text))


def test_every_refusal_code_is_tested():
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    untested = {name for name in codes_in_source() if f'"{name}"' not in tests}
    assert len(codes_in_source()) >= 30
    assert not untested


def test_deciding_twice_gives_the_same(story: Story):
    command = c.RecordFacts(command_id="x", actor="mara", role="therapist", occurred_at=START, facts={"harm": "yes"})
    first = decide(compact(), story.episode, command, START)
    assert decide(compact(), story.episode, command, START) == first
    assert story.episode.revision < (first.episode.revision if first.episode else 0)
    assert first.refusal is None
    assert len(KEY) == 32


def test_the_skew_that_is_forgiven_is_five_minutes():
    assert timedelta(minutes=5) == acts.CLOCK_SKEW
