"""Moving an open episode to a newer version: each policy, and what needs a clinician's name."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.commands import COMMAND
from protocol.engine import Receipt
from protocol.episode import EPISODE
from protocol.events import EVENT
from protocol.facts import Refused
from protocol.migrating import Plan, plan
from protocol.replay import UNKEPT, ReplayError, replay
from protocol.spec import ProtocolSpec
from tests.protocol.specs import DECISIONS, FACTS, OBLIGATIONS, RISK, P, compact, duty, protocol
from tests.protocol.story import Story, code, kinds

SIGNED: dict[str, Any] = {
    "sign_off_by": "dora",
    "sign_off_role": "supervisor",
    "sign_off_reason": "Agreed in the round.",
}
QUICK = {**OBLIGATIONS, "finish_assessment": {**OBLIGATIONS["finish_assessment"], "due": "1h"}}
SLOW = {**OBLIGATIONS, "finish_assessment": {**OBLIGATIONS["finish_assessment"], "due": "5h"}}


def newer(way: dict[str, Any] | None = None, **changes: Any) -> ProtocolSpec:
    """The next version of the compact protocol, with a way from the one before."""
    return protocol(version="2.0.0", migrates_from={"1.0.0": way or {}}, **changes)


def policy(deadline: str, **more: Any) -> dict[str, Any]:
    """A way that says what becomes of the assessment's deadline."""
    return {"obligations": {"finish_assessment": {"deadline": deadline, **more}}}


def move(story: Story, onto: ProtocolSpec, role: str = "therapist", **more: Any) -> Receipt:
    command = c.Migrate(
        command_id=f"move-{story.episode.revision}",
        actor="mara",
        role=role,
        occurred_at=story.now,
        protocol_hash=onto.content_hash,
        **more,
    )
    return story.engine.submit(command, story.now, onto)


def due_after(story: Story) -> timedelta:
    (owed,) = story.owed("finish_assessment")
    return owed.due_at - story.episode.opened_at


def test_an_accrued_deadline_stays_where_nothing_else_is_said() -> None:
    for changed in (QUICK, SLOW):
        story = Story.begun().later("30m")
        before = story.owed("finish_assessment")
        receipt = move(story, newer(obligations=changed))
        assert kinds(receipt) == ["Migrated"]
        assert story.owed("finish_assessment") == before
        assert story.episode.protocol_version == "2.0.0"


def test_shortening_counts_from_the_opening_and_moves_the_ladder() -> None:
    story = Story.begun().later("30m")
    receipt = move(story, newer(policy("shorten"), obligations=QUICK))
    assert kinds(receipt) == ["Migrated", "ObligationRescheduled"]
    assert due_after(story) == timedelta(hours=1)
    (owed,) = story.owed("finish_assessment")
    assert owed.next_page_at == owed.due_at, "the ladder that begins at the deadline begins at the new one"


def test_shortening_to_what_has_passed_is_due_at_once() -> None:
    story = Story.begun().later("90m")
    receipt = move(story, newer(policy("shorten"), obligations=QUICK))
    assert kinds(receipt)[:3] == ["Migrated", "ObligationRescheduled", "DeadlineMissed"]
    assert "PageRequested" in kinds(receipt)
    assert story.owed("finish_assessment")[0].due_at == story.now


def test_shortening_never_makes_later() -> None:
    story = Story.begun()
    assert kinds(move(story, newer(policy("shorten"), obligations=SLOW))) == ["Migrated"]
    assert due_after(story) == timedelta(hours=2)


def test_arming_anew_supersedes_and_needs_a_name_where_it_comes_later() -> None:
    story = Story.begun().later("30m")
    onto = newer(policy("rearm"), obligations=SLOW)
    refused = move(story, onto)
    assert code(refused) == "sign_off_needed"
    assert refused.refusal is not None
    assert refused.refusal.missing == ("finish_assessment-1: later",)
    assert due_after(story) == timedelta(hours=2)
    assert story.episode.protocol_version == "1.0.0"
    receipt = move(story, onto, **SIGNED)
    assert kinds(receipt) == ["Migrated", "ObligationOpened", "ObligationSuperseded"]
    assert due_after(story) == timedelta(hours=5, minutes=30)
    (moved,) = [one for one in receipt.events if isinstance(one, e.Migrated)]
    assert (moved.sign_off_by, moved.sign_off_role, moved.sign_off_reason) == tuple(SIGNED.values())


def test_arming_anew_sooner_needs_no_name() -> None:
    story = Story.begun().later("30m")
    assert kinds(move(story, newer(policy("rearm"), obligations=QUICK))) == [
        "Migrated",
        "ObligationOpened",
        "ObligationSuperseded",
    ]
    assert due_after(story) == timedelta(minutes=90)


def test_a_ladder_that_has_begun_is_not_begun_again_without_a_name() -> None:
    story = Story.begun()
    story.do(c.DeclareEmergency)
    onto = newer({"obligations": {"dispatch": {"deadline": "rearm"}}}, obligations=_with_dispatch("3m"))
    assert code(move(story.later("1m"), onto)) == "sign_off_needed"


def test_a_ladder_that_has_begun_goes_on_as_it_was_when_its_deadline_comes_sooner() -> None:
    story = Story.begun()
    story.do(c.DeclareEmergency)
    (before,) = story.owed("dispatch")
    assert before.rung == 0
    onto = newer({"obligations": {"dispatch": {"deadline": "shorten"}}}, obligations=_with_dispatch("3m"))
    move(story.later("1m"), onto)
    (after,) = story.owed("dispatch")
    assert after.due_at == before.due_at - timedelta(minutes=2)
    assert after.next_page_at == before.next_page_at


def test_a_move_enters_no_emergency_anew_that_was_left() -> None:
    story = Story.begun()
    story.do(c.DeclareEmergency)
    story.do(c.GoBack, to="assessment", reason="It was handed over.")
    receipt = move(story, newer())
    assert (story.episode.risk, story.episode.stage) == ("imminent", "assessment")
    assert "StageEntered" not in kinds(receipt)


def test_an_obligation_that_is_new_opens_only_where_its_condition_holds() -> None:
    when = {"entered": "assessment", "when": {"plan": "yes", "if_unknown": "fails"}}
    onto = newer(obligations={**OBLIGATIONS, "extra": duty("9h", [when], [{"done": "calm"}])})
    for plan_told, opens in (("no", 0), ("yes", 1)):
        story = Story.begun()
        story.answer(plan=plan_told)
        move(story, onto)
        assert len(story.owed("extra")) == opens


def _with_dispatch(due: str) -> dict[str, Any]:
    return {**OBLIGATIONS, "dispatch": {**OBLIGATIONS["dispatch"], "due": due}}


@pytest.mark.parametrize(
    ("obligations", "effect"), [(QUICK, "sooner"), (OBLIGATIONS, "kept"), (SLOW, "later")], ids=["1h", "2h", "5h"]
)
def test_the_plan_says_what_arming_anew_means(obligations: dict[str, Any], effect: str) -> None:
    story = Story.begun()
    planned = plan(compact(), newer(policy("rearm"), obligations=obligations), story.episode, story.now)
    assert isinstance(planned, Plan)
    assert [one.effect for one in planned.moved] == [effect]


@pytest.mark.parametrize("deadline", ["keep", "shorten", "rearm"])
def test_what_is_overdue_stays_overdue(deadline: str) -> None:
    story = Story.begun().later("3h")
    story.sweep()
    (before,) = story.owed("finish_assessment")
    assert before.missed
    assert code(move(story, newer(policy(deadline), obligations=SLOW))) is None
    assert story.owed("finish_assessment") == [before]


def test_names_move_with_what_they_hold() -> None:
    renamed = {
        "stages": {"assessment": "intake"},
        "steps": {"start": "begin"},
        "facts": {"address": "place"},
        "obligations": {"finish_assessment": {"to": "finish_intake"}},
    }
    text = json.dumps(newer(renamed).model_dump(mode="json", exclude_defaults=True))
    for old, new in (("assessment", "intake"), ("start", "begin"), ("address", "place")):
        text = text.replace(f'"{old}"', f'"{new}"')
    text = text.replace('"finish_assessment"', '"finish_intake"')
    document = json.loads(text)
    document["migrates_from"] = {"1.0.0": renamed}
    onto = ProtocolSpec.model_validate_json(json.dumps(document))
    story = Story.begun()
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    assert kinds(move(story, onto)) == ["Migrated"]
    assert story.episode.stage == "intake"
    assert story.episode.facts["place"].value == "12 Elm"
    assert story.episode.steps["begin"].status == "done"
    (owed,) = story.owed("finish_intake")
    assert owed.obligation_id == "finish_assessment-1"
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    story.do(c.Advance, to="follow_up")
    assert not story.owed("finish_intake"), "leaving the stage under its new name ends it"


def test_what_has_no_place_is_forgotten_and_said() -> None:
    facts = {**FACTS, "means": {**FACTS["means"], "choices": ["none", "ready"]}}
    refusals: dict[str, Any] = {}
    onto = newer(facts=facts, refusals=refusals)
    story = Story.begun()
    story.answer(means="some", safe="yes")
    move(story, onto)
    assert "means" not in story.episode.facts
    assert story.episode.facts["safe"].value == "yes"
    moved = next(one for one in story.events() if isinstance(one, e.Migrated))
    assert moved.forgotten == {"facts": ("means",)}


@pytest.mark.parametrize("option", ["left", "right"])
def test_a_decision_stays_where_its_option_still_exists(option: str) -> None:
    options = {name: one for name, one in DECISIONS["plain"]["options"].items() if name != "left"}
    story = Story.begun()
    story.do(c.RecordDecision, decision="plain", option=option, rationale="As agreed.")
    move(story, newer(decisions={**DECISIONS, "plain": {**DECISIONS["plain"], "options": options}}))
    assert story.episode.protocol_version == "2.0.0"
    assert ("plain" in story.episode.decisions) is (option != "left")


def test_the_new_rules_of_risk_hold_at_once() -> None:
    rule = {"level": "high", "when": {"safe": "no", "if_unknown": "fails"}, "because": "unsafe", "source": P}
    story = Story.begun()
    story.answer(safe="no")
    receipt = move(story, newer(risk={**RISK, "rules": [*RISK["rules"], rule]}))
    assert story.episode.risk == "high"
    assert "ObligationOpened" in kinds(receipt), "what opens at high risk is owed now"


def test_a_level_is_never_lowered_by_a_migration() -> None:
    story = Story.begun()
    story.answer(plan="yes")
    known: Any = RISK["rules"]
    rules = [one for one in known if one["because"] != "plan"]
    move(story, newer(risk={**RISK, "rules": rules}))
    assert story.episode.risk == "high"


def test_a_level_that_is_an_emergency_now_opens_the_emergency_stage() -> None:
    story = Story.begun()
    story.answer(plan="yes")
    assert (story.episode.risk, story.episode.stage) == ("high", "assessment")
    emergency = {"stage": "emergency_response", "at": "high", "script": ["Help."]}
    move(story, newer(emergency=emergency))
    assert story.episode.stage == "emergency_response"
    assert story.owed("dispatch")


def test_obligations_that_are_new_open_where_the_episode_stands() -> None:
    new = {
        **OBLIGATIONS,
        "of_the_stage": duty("1h", [{"entered": "assessment"}], [{"left": "assessment"}]),
        "of_the_fact": duty("1h", [{"when": {"safe": "no", "if_unknown": "fails"}}], [{"done": "start"}]),
        "elsewhere": duty("1h", [{"entered": "coping"}], [{"left": "coping"}]),
    }
    story = Story.begun()
    story.answer(safe="no")
    move(story, newer(obligations=new))
    assert story.owed("of_the_stage")
    assert story.owed("of_the_fact")
    assert not story.owed("elsewhere")


def test_an_obligation_that_was_met_is_not_opened_again() -> None:
    story = Story.begun()
    story.answer(plan="yes")
    story.do(c.RecordDecision, decision="step_up", option="hospital", rationale="r")
    assert not story.owed("decide_step_up")
    move(story, newer())
    assert not story.owed("decide_step_up")


@pytest.mark.parametrize(
    ("onto", "expected"),
    [
        (protocol(version="2.0.0"), "no_way_written"),
        (protocol(version="2.0.0", protocol="other", migrates_from={"1.0.0": {}}), "other_protocol"),
        (compact(), "already_there"),
        (newer({"facts": {"safe": "told"}}), "no_way_written"),
        (newer({"stages": {"assessment": "emergency_response"}}), "no_way_written"),
        (newer({"stages": {"assessment": "nowhere"}}), "no_way_written"),
        (newer({"obligations": {"finish_assessment": {"to": "nowhere"}}}), "no_way_written"),
    ],
)
def test_what_can_not_be_moved_is_refused(onto: ProtocolSpec, expected: str) -> None:
    story = Story.begun()
    assert code(move(story, onto)) == expected
    assert story.engine.spec == compact()


def test_only_licensed_staff_moves_an_episode_and_only_with_the_document() -> None:
    story, onto = Story.begun(), newer()
    assert code(move(story, onto, role="peer")) == "wrong_role"
    command = c.Migrate(
        command_id="m", actor="mara", role="therapist", occurred_at=story.now, protocol_hash=onto.content_hash
    )
    assert code(story.engine.submit(command, story.now)) == "protocol_missing"
    again = c.Migrate(
        command_id="n", actor="mara", role="therapist", occurred_at=story.now, protocol_hash=onto.content_hash
    )
    assert code(story.engine.submit(again, story.now, newer(obligations=QUICK))) == "protocol_missing"


def test_the_plan_is_what_then_happens() -> None:
    story = Story.begun().later("30m")
    onto = newer(policy("rearm"), obligations=SLOW)
    planned = plan(compact(), onto, story.episode, story.now)
    assert isinstance(planned, Plan)
    (moved,) = planned.moved
    assert (moved.effect, moved.needs_sign_off) == ("later", True)
    move(story, onto, **SIGNED)
    assert moved.new_due_at == story.owed("finish_assessment")[0].due_at
    assert isinstance(plan(onto, onto, story.episode, story.now), Refused)


def test_a_form_from_before_the_move_is_stale() -> None:
    story = Story.begun()
    seen = story.episode.revision
    move(story, newer())
    stale = story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"}, expected_revision=seen)
    assert code(stale) == "stale_revision"


def test_a_replay_uses_the_version_in_force() -> None:
    story = Story.begun().later("30m")
    onto = newer(policy("shorten"), obligations={**QUICK, "extra": duty("9h", [{"done": "start"}], [{"done": "calm"}])})
    move(story, onto)
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    assert story.owed("extra")
    steps = list(replay(compact(), story.engine.rows, {onto.content_hash: onto}))
    assert not [one for step in steps for one in step.differences]
    assert steps[-1].after == story.episode
    with pytest.raises(ReplayError, match="not under this one"):
        list(replay(compact(), story.engine.rows))


def test_a_refused_move_replays_also_when_nobody_kept_its_document() -> None:
    story = Story.begun()
    onto = newer(policy("rearm"), obligations=SLOW)
    assert code(move(story, onto)) == "sign_off_needed"
    for kept, undecided in (({}, [UNKEPT]), ({onto.content_hash: onto}, [])):
        steps = list(replay(compact(), story.engine.rows, kept))
        assert not [one for step in steps for one in step.differences]
        assert [step.undecided for step in steps if step.undecided] == undecided, "what was not decided anew is said"


def test_old_and_new_side_by_side() -> None:
    """An episode that is not moved goes on as it began, whatever exists beside it."""
    moved, stays = Story.begun(), Story.begun()
    move(moved, newer(policy("shorten"), obligations=QUICK))
    for story in (moved, stays):
        story.later("70m").sweep()
    assert moved.owed("finish_assessment")[0].missed
    assert not stays.owed("finish_assessment")[0].missed
    assert stays.episode.protocol_hash == compact().content_hash


def test_a_moved_episode_and_its_command_can_be_written_and_read() -> None:
    story = Story.begun()
    receipt = move(story, newer(policy("shorten"), obligations=QUICK))
    assert EPISODE.validate_json(EPISODE.dump_json(story.episode)) == story.episode
    for event in receipt.events:
        assert EVENT.validate_json(EVENT.dump_json(event)) == event
    written = json.dumps((story.engine.rows[-2].payload or {})["command"])
    assert isinstance(COMMAND.validate_json(written), c.Migrate)


def test_a_crisis_type_moves_with_its_name() -> None:
    story = Story.begun(crisis_types=("relapse",))
    onto = newer({"crisis_types": {"relapse": "return_to_use"}}, crisis_types={"return_to_use": {"title": "Use"}})
    assert code(move(story, onto)) is None
    assert story.episode.crisis_types == ("return_to_use",)
