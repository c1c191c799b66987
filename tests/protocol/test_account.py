"""What an auditor is told of an episode: both times, the rule, the state after, differences, breaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from protocol import commands as c
from protocol import events as e
from protocol.account import Entry, account
from protocol.breaches import breaches
from protocol.replay import replay
from protocol.trail import TrailRow
from tests.protocol.specs import compact, protocol
from tests.protocol.story import START, Story


def told(story: Story) -> list[Entry]:
    return list(account(replay(story.engine.spec, story.engine.rows)))


def told_of(rows: list[TrailRow]) -> list[Entry]:
    return list(account(replay(compact(), rows)))


def of(entries: list[Entry], kind: type[object]) -> Entry:
    return next(entry for entry in entries if isinstance(entry.event, kind))


def test_every_entry_is_told_with_the_state_after_it():
    story = Story.begun()
    story.answer(plan="yes")
    entries = told(story)
    assert [entry.sequence for entry in entries] == list(range(1, story.episode.revision + 1))
    assert {entry.step for entry in entries} == {1, entries[-1].step}
    raised = of(entries, e.RiskRaised)
    assert (raised.actor, raised.role, raised.deed) == ("mara", "therapist", "writes down what was said or seen")
    assert raised.state.risk == "high"
    assert entries[raised.sequence - 2].state.risk == "none"
    last = entries[-1].state
    assert last.stage == "Assessment"
    assert {owed.obligation_id for owed in last.owed} == set(story.episode.obligations)
    assert [owed.due_at for owed in last.owed] == sorted(owed.due_at for owed in last.owed)


def test_what_was_known_late_and_what_was_added_later_are_unmistakable():
    story = Story.begun()
    story.later("2h")
    story.do(c.RecordFacts, facts={"plan": "no"}, ago="90m")
    story.do(c.AddAddendum, refers_to=1, text="The intake form says so.")
    entries = told(story)
    late = of(entries, e.FactsRecorded)
    assert (late.happened_at, late.known_at) == (START + timedelta(minutes=30), START + timedelta(hours=2))
    assert late.late == timedelta(minutes=90)
    assert of(entries, e.DeadlineMissed).late is None
    assert of(entries, e.AddendumAdded).refers_to == 1
    assert [entry.refers_to for entry in entries if not isinstance(entry.event, e.AddendumAdded)] == [None] * (
        len(entries) - 1
    )


def test_the_rule_behind_an_entry_is_named_with_its_source():
    cited = {"source": {"grade": "A", "refs": ["S1"]}}
    rules = [{**rule, **cited} for rule in protocol().model_dump(mode="json", exclude_defaults=True)["risk"]["rules"]]
    risk = {**protocol().model_dump(mode="json", exclude_defaults=True)["risk"], "rules": rules}
    spec = protocol(risk=risk, references={"S1": {"title": "Columbia"}})
    story = Story.begun(spec)
    story.answer(plan="yes", safe="no")
    story.do(c.RecordDecision, decision="step_up", option="hospital", rationale="no other way")
    story.do(c.CompleteStep, step="nowhere")
    story.do(c.DeclareEmergency, reason="now")
    story.do(c.RecordDecision, decision="plain", option="right", rationale="r")
    entries = told(story)
    raised = of(entries, e.RiskRaised).rule
    assert raised is not None
    assert (raised.name, raised.because, raised.source) == ("risk rule 4", "plan", "[A, S1]")
    assert raised.references == ("Columbia",)
    names = {entry.rule.name for entry in entries if entry.rule is not None}
    assert {"obligation decide_step_up", "notice no_safety", "decision step_up", "refusal unknown_step"} <= names
    assert {"emergency", "ladder now", "refusal no_right"} <= names
    decided = of(entries, e.DecisionRecorded).rule
    assert decided is not None
    assert decided.because == "criteria: House criteria 1; the table advised hospital"


def test_a_difference_is_told_in_words():
    story = Story.begun()
    story.answer(plan="yes")
    rows = list(story.engine.rows)
    number = next(place for place, row in enumerate(rows) if row.kind == "RiskRaised")
    payload = rows[number].payload
    assert payload is not None
    changed = {**payload, "event": {**payload["event"], "because": "a whim"}}
    entries = told_of([*rows[:number], replace(rows[number], payload=changed), *rows[number + 1 :]])
    assert entries[number].differences == ("because is recorded as a whim; decided anew it is plan",)
    assert sum(bool(entry.differences) for entry in entries) == 1
    shortened = told_of(rows[:-1])
    assert shortened[-1].differences == ("ObligationOpened decide_step_up should follow and is not there",)
    doubled = told_of([*rows, rows[-1]])
    assert doubled[-1].differences == ("the protocol asks for no ObligationOpened decide_step_up here",)


def test_a_breach_tells_what_led_there_and_how_it_ended():
    story = Story.begun().in_follow_up()
    story.contact("no_answer")
    story.later("73h").sweep()
    missed = next(place for place, event in enumerate(story.events(), 1) if _misses(event, "first_contact"))
    story.do(c.AddAddendum, refers_to=missed, text="The line was down.")
    story.later("1h").contact()
    entries = told(story)
    found = {one.obligation_id.rpartition("-")[0]: one for one in breaches(entries)}
    breach = found["first_contact"]
    assert (breach.end, breach.title) == ("met_late", "Speak to the client")
    assert breach.noticed_at - breach.due_at == timedelta(hours=1)
    kinds = [entry.event.kind for entry in breach.led]
    assert kinds[0] == "StageEntered", "the act that opened it"
    assert {"ObligationOpened", "ContactAttempted", "DeadlineMissed", "PageRequested", "AddendumAdded"} <= set(kinds)
    assert "FactsRecorded" not in kinds
    assert breach.led[-1].event.kind == "ObligationMet"
    assert breach.missed == missed


def test_how_a_missed_deadline_ends_is_told_apart():
    written_late, waived, owed = (Story.begun().in_follow_up() for _ in range(3))
    for story in (written_late, waived, owed):
        story.later("73h").sweep()
    written_late.contact(ago="2h")
    (duty,) = waived.owed("first_contact")
    waived.do(c.Waive, by="sol", role="supervisor", obligation_id=duty.obligation_id, reason="moved away")
    ends = [
        next(one.end for one in breaches(told(story)) if one.obligation_id == duty.obligation_id)
        for story in (written_late, waived, owed)
    ]
    assert ends == ["met", "waived", "owed"]


def test_a_calm_episode_has_no_breach():
    assert list(breaches(told(Story.begun()))) == []


def _misses(event: e.Event, obligation: str) -> bool:
    return isinstance(event, e.DeadlineMissed) and event.obligation == obligation
