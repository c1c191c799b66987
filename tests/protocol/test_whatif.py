"""A draft over recorded episodes: where it would have differed, and what it would have asked of whom."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol.rerun import NotComparableError
from protocol.whatif import Comparison, compare
from tests.protocol.specs import FACTS, LADDERS, OBLIGATIONS, RISK, STAGES, STEPS, P, compact, protocol
from tests.protocol.story import Story


def told(story: Story, **changes: Any) -> Comparison:
    """What a draft with these changes would have done."""
    return compare(compact(), protocol(version="2.0.0", **changes), story.engine.rows)


def in_follow_up() -> Story:
    """An episode in follow-up whose first contact was made after 20 hours."""
    story = Story.begun().in_follow_up()
    story.later("20h").do(c.RecordContact, party="client", channel="phone", outcome="reached")
    return story


def test_the_revision_that_people_saw_does_not_count() -> None:
    story = Story.begun().later("3h")
    story.sweep()
    seen = story.episode.revision
    story.do(c.RecordFacts, facts={"safe": "yes"}, expected_revision=seen)
    quick = {**OBLIGATIONS, "finish_assessment": {**OBLIGATIONS["finish_assessment"], "due": "9h"}}
    assert told(story, obligations=quick).refused == ()


def with_contact(due: str) -> dict[str, Any]:
    contact = {**OBLIGATIONS["first_contact"], "due": {"by": "peak_risk", "values": {"high": "1h"}, "otherwise": due}}
    return {**OBLIGATIONS, "first_contact": contact}


def test_a_draft_that_changes_words_changes_nothing() -> None:
    found = told(in_follow_up(), title="Other words")
    assert found.first is None
    assert (found.missed, found.spared, found.step_ups, found.refused, found.notes) == ((), (), (), (), ())
    assert all(then == now for then, now in found.pages.values())


def test_a_shorter_deadline_would_have_missed_the_contact_and_paged() -> None:
    found = told(in_follow_up(), obligations=with_contact("12h"))
    assert found.first is not None
    assert "Speak to the client" in found.first.draft
    assert found.missed_contacts == 1
    assert found.missed[0].startswith("Speak to the client, due ")
    then, now = found.pages["the owner"]
    assert now > then


def test_a_longer_deadline_spares_what_was_missed() -> None:
    story = Story.begun().in_follow_up()
    story.later("90h").sweep()
    found = told(story, obligations=with_contact("200h"))
    assert next(one.split(",")[0] for one in found.spared) == "Speak to the client"
    assert found.missed_contacts == 0


def test_a_stricter_rule_would_have_raised_the_risk_and_opened_the_emergency() -> None:
    rule = {"level": "imminent", "when": {"means": "ready", "if_unknown": "fails"}, "because": "means", "source": P}
    story = Story.begun()
    story.later("5m").answer(means="ready")
    found = told(story, risk={**RISK, "rules": [*RISK["rules"], rule]})
    assert found.highest_risk == ("none", "imminent")
    assert found.step_ups[0] == "1 more times into Emergency"
    assert found.first is not None
    assert found.first.pinned == ""
    assert "IMMINENT" in found.first.draft


def test_more_intensive_advice_is_a_step_up() -> None:
    story = Story.begun()
    story.answer(means="some")
    story.do(c.RecordDecision, decision="step_up", option="stay", rationale="calm")
    tables: Any = {
        "care": {
            "title": "Level of care",
            "outcomes": {"stay": "Stay", "more": "More sessions", "hospital": "Hospital"},
            "unknown_as": {"means": "ready"},
            "rows": [
                {"when": {"means": {"at_least": "some"}}, "then": "more", "because": "means"},
                {"when": {"means": "none"}, "then": "stay", "because": "else"},
            ],
            "source": P,
        }
    }
    assert "Step up: the advice would have been More" in told(story, tables=tables).step_ups


def test_an_act_that_the_draft_refuses_is_told_with_its_reason() -> None:
    story = Story.begun()
    story.answer(means="ready")
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    refusal = {
        "act": {"done": "start", "when": {"means": "ready", "if_unknown": "fails"}},
        "because": "Means are ready.",
        "remedy": "Secure them.",
    }
    (found,) = told(story, refusals={"no_start": refusal}).refused
    assert found.deed == "completes “Start”"
    assert found.why == "Means are ready. Secure them."


def test_what_was_refused_then_and_would_be_taken_is_told() -> None:
    story = Story.begun()
    story.do(c.Advance, to="follow_up")
    stages: dict[str, Any] = {**STAGES, "assessment": {**STAGES["assessment"], "steps": []}}
    (found,) = told(story, stages=stages).allowed
    assert found.deed == "goes on to Follow-up"


def test_answers_and_steps_that_the_draft_does_not_know_are_noted_and_the_rest_is_kept() -> None:
    story = Story.begun()
    story.answer(safe="yes", story="long")
    facts = {name: fact for name, fact in FACTS.items() if name != "story"}
    found = told(story, facts=facts)
    assert found.notes == ("no answer like that to story: left out",)
    assert found.refused == ()


def test_names_that_the_draft_changed_are_followed() -> None:
    story = Story.begun().in_follow_up()
    facts = {("place" if name == "address" else name): fact for name, fact in FACTS.items()}
    steps = {**STEPS, "start": {**STEPS["start"], "form": ["place"]}}
    found = told(story, facts=facts, steps=steps, migrates_from={"1.0.0": {"facts": {"address": "place"}}})
    assert found.first is None
    assert found.notes == ()


def test_a_page_that_failed_then_fails_in_the_draft() -> None:
    story = Story.begun()
    story.do(c.DeclareEmergency)
    story.later("1m").do(
        c.ReportPage, by="holdfast", role="system", page_id="ep-1-p1", delivered=False, recipients=(), detail="x"
    )
    story.later("2m").sweep()
    same = told(story, title="Same rules")
    assert same.first is None
    assert same.pages["Supervisor"] == (1, 1)


def test_an_acknowledgement_counts_where_the_draft_pages_too() -> None:
    story = Story.begun()
    story.do(c.DeclareEmergency)
    story.later("1m").do(c.Acknowledge, obligation_id="dispatch-1")
    story.later("40m").sweep()
    ladders = {**LADDERS, "now": {**LADDERS["now"], "lease": "10m"}}
    found = told(story, ladders=ladders)
    assert found.refused == ()
    assert sum(now for _, now in found.pages.values()) > sum(then for then, _ in found.pages.values())


def test_what_can_not_be_compared_says_why() -> None:
    story = Story.begun()
    with pytest.raises(NotComparableError, match="another protocol"):
        told(story, protocol="other")
    started = Story.begun(crisis_types=("relapse",))
    with pytest.raises(NotComparableError, match=r"would not open it: .*crisis type"):
        told(started, crisis_types={})
    onto = protocol(version="1.5.0", migrates_from={"1.0.0": {}})
    command = c.Migrate(
        command_id="m", actor="mara", role="therapist", occurred_at=story.now, protocol_hash=onto.content_hash
    )
    story.engine.submit(command, story.now, onto)
    with pytest.raises(NotComparableError, match="moved to another version"):
        told(story)
