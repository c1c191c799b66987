"""What an episode kept of its protocol and what not: each kind of deviation, and how deadlines ended."""

from __future__ import annotations

from protocol import commands as c
from protocol.conformance import OVERRIDES, Conformance, Sums, groups_of, judge
from protocol.spec import ProtocolSpec
from tests.protocol.specs import compact
from tests.protocol.story import Story


def judged(story: Story, spec: ProtocolSpec | None = None) -> Conformance:
    return judge(spec or compact(), story.engine.rows)


def kinds(one: Conformance) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for deviation in one.deviations:
        found.setdefault(deviation.kind, []).append(deviation.what)
    return found


def test_an_episode_that_kept_everything_has_no_deviation():
    one = judged(Story.begun().in_follow_up())
    assert one.deviations == []
    assert (one.episode_id, one.owner, one.steps_done, one.drill) == ("ep-1", "mara", 2, False)
    assert one.ended("owed") + one.ended("met", "met_late", "waived", "superseded") == len(one.deadlines) > 0


def test_deadlines_end_met_late_or_are_owed():
    story = Story.begun().in_follow_up()
    story.later("73h").contact(ago="2h")
    one = judged(story)
    contact = next(owed for owed in one.deadlines.values() if owed.obligation == "first_contact")
    assert (contact.end, contact.missed) == ("met", True), "done in time, written down too late"
    assert contact.ended_at == story.now.replace(hour=story.now.hour - 2)
    late = Story.begun().in_follow_up()
    late.later("73h").contact()
    ends = {owed.obligation: owed.end for owed in judged(late).deadlines.values()}
    assert ends["first_contact"] == "met_late"
    assert kinds(judged(story)) == {"late_entry": ["RecordContact"]}


def test_what_people_left_out_or_overrode_is_told_with_their_reasons():
    story = Story.begun()
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    story.do(c.Advance, to="coping")
    story.do(c.SkipStep, step="calm", reason="client is asleep")
    story.do(c.Advance)
    story.do(c.CompleteStep, step="calm")
    story.do(c.Advance)
    story.contact(party="family")
    story.contact(party="family", exception="danger to life")
    story.do(c.RecordDecision, decision="step_up", option="stay", rationale="the family watches")
    (owed,) = story.owed("first_contact")
    story.do(c.Waive, by="ruth", role="supervisor", obligation_id=owed.obligation_id, reason="was discharged")
    one = judged(story)
    assert [(found.kind, found.what, found.who, found.reason) for found in one.deviations] == [
        ("skipped", "calm", "mara", "client is asleep"),
        ("refused", "exit_not_met", "mara", "coping can't be left yet."),
        ("refused", "not_permitted", "mara", "No consent for family."),
        ("exception", "family", "mara", "danger to life"),
        ("against_table", "step_up", "mara", "the family watches"),
        ("waived", "first_contact", "ruth", "was discharged"),
    ]
    assert one.deadlines[owed.obligation_id].end == "waived"
    assert (one.decisions, one.tables, one.count(*OVERRIDES)) == (1, 1, 4)


def test_the_emergency_path_leaves_steps_undone_and_says_which():
    story = Story.begun()
    story.do(c.DeclareEmergency, reason="on a bridge")
    one = judged(story)
    assert kinds(one)["left_undone"] == ["start", "screening"]


def test_a_step_before_the_one_ahead_of_it_is_out_of_order_and_so_is_going_back():
    story = Story.begun(crisis_types=("relapse",))
    story.do(c.CompleteStep, step="relapse_talk")
    story.in_follow_up().do(c.GoBack, to="assessment", reason="more to ask")
    found = [one for one in judged(story).deviations if one.kind == "out_of_order"]
    assert [(one.what, one.reason) for one in found] == [
        ("relapse_talk", "before start, screening"),
        ("assessment", "more to ask"),
    ]


def test_an_entry_that_the_protocol_would_not_make_differs():
    story = Story.begun()
    story.answer(plan="yes")
    forged = story.engine.rows[-1]
    assert forged.payload is not None
    forged.payload["event"]["at"] = "2026-12-01T17:00:00Z"
    assert "differs" in kinds(judged(story))


def test_sums_count_every_episode_in_its_groups():
    one = judged(Story.begun(crisis_types=()).in_follow_up())
    sums = Sums()
    sums.add(one)
    sums.add(one)
    assert (sums.episodes, sums.steps_done, sums.deadlines) == (2, 4, 2 * len(one.deadlines))
    assert sums.met + sums.met_late + sums.waived + sums.superseded + sums.owed == sums.deadlines
    assert [*groups_of(one, "protocol")] == [f"{one.protocol} {one.version}"]
    assert groups_of(one, "therapist") == {"mara": one}
    assert [*groups_of(one, "type")] == ["none recorded"]
    one.crisis_types = ("relapse", "withdrawal")
    assert [*groups_of(one, "type")] == ["relapse", "withdrawal"]


def test_what_happened_counts_for_whoever_owned_the_episode_then():
    story = Story.begun().in_follow_up()
    story.later("71h").do(c.OfferHandover, to="ben", reason="end of shift")
    story.do(c.AcceptHandover, by="ben", role="therapist")
    story.later("3h").contact(by="ben", ago="2m")
    one = judged(story)
    assert (one.owner, [*one.done]) == ("mara", ["mara", "ben"])
    contact = next(owed for owed in one.deadlines.values() if owed.obligation == "first_contact")
    assert (contact.end, contact.missed, contact.owner) == ("met_late", True, "ben")
    assert [(found.kind, found.owner) for found in one.deviations] == [("late_entry", "ben")]
    parts = groups_of(one, "therapist")
    sums = {owner: Sums() for owner in parts}
    for owner, part in parts.items():
        sums[owner].add(part)
    assert {owner: (each.steps_done, each.met_late, each.late_entries) for owner, each in sums.items()} == {
        "mara": (2, 0, 0),
        "ben": (0, 1, 1),
    }
    whole = Sums()
    whole.add(one)
    assert sum(each.deadlines for each in sums.values()) == whole.deadlines, "each deadline counts once"
