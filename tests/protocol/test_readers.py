"""What conditions read: facts and their bands, instruments, tables, decisions, and the names the engine gives."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from protocol import commands as c
from protocol.conditions import Guard, parse_guard
from protocol.conditions import Test as Comparison
from protocol.episode import DecisionRecord, Episode, Handover, Known, Moment, StepRecord
from protocol.readers import Readers
from protocol.vocabulary import Domain, accepted, vocabulary
from tests.protocol.specs import TABLES, compact, protocol
from tests.protocol.story import START, Story


@cache
def readers() -> Readers:
    return Readers(compact())


@pytest.fixture
def fresh() -> Episode:
    return Story.begun().episode


def knowing(episode: Episode, **facts: Any) -> Episode:
    return replace(episode, facts={name: Known(value, START, 2) for name, value in facts.items()})


def reads(episode: Episode, name: str) -> str | None:
    return readers().reader(name)(episode)


def holds(episode: Episode, **written: Any) -> bool:
    return readers().predicate(parse_guard(written))(episode)


def test_a_fact_reads_as_its_value_or_as_unknown(fresh: Episode):
    assert reads(fresh, "plan") is None
    assert reads(knowing(fresh, plan="yes"), "plan") == "yes"
    assert reads(knowing(fresh, plan="refused"), "plan") == "refused"


@pytest.mark.parametrize(
    ("value", "band"),
    [(0, "weak"), (3, "weak"), (4, "middle"), (7, "middle"), (8, "strong"), (10, "strong"), (11, None)],
)
def test_a_number_reads_as_its_band(fresh: Episode, value: int, band: str | None):
    assert reads(knowing(fresh, pain=value), "pain") == band


def test_a_list_of_choices_is_for_people_and_not_for_conditions(fresh: Episode):
    assert "signs" not in readers().domains
    with pytest.raises(ValueError, match="no condition can read `signs`"):
        readers().reader("signs")


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "not_started"),
        ({"address": "x"}, "not_started"),
        ({"plan": "no"}, "complete"),
        ({"plan": "yes"}, "unfinished"),
        ({"plan": "yes", "intent": "no"}, "complete"),
        ({"plan": "yes", "intent": "refused"}, "unfinished"),
        ({"plan": "refused"}, "unfinished"),
        ({"plan": "refused", "intent": "no"}, "unfinished"),
        ({"intent": "no"}, "unfinished"),
        ({"plan": "no", "intent": "refused"}, "complete"),
    ],
)
def test_a_refused_or_missing_item_leaves_an_instrument_unfinished(fresh: Episode, facts: dict[str, str], status: str):
    assert reads(knowing(fresh, **facts), "screen.status") == status


@pytest.mark.parametrize(
    ("risk", "facts", "outcome"),
    [
        ("high", {"means": "none"}, "hospital"),
        ("imminent", {}, "hospital"),
        ("low", {"means": "ready"}, "more"),
        ("low", {"means": "none"}, "stay"),
        ("low", {}, "more"),
    ],
)
def test_a_table_takes_its_first_row_and_reads_unknown_as_it_says(
    fresh: Episode, risk: str, facts: dict[str, str], outcome: str
):
    assert reads(replace(knowing(fresh, **facts), risk=risk), "care") == outcome


def test_a_table_without_a_matching_row_is_unknown(fresh: Episode):
    rows = [{"when": {"means": "ready"}, "then": "more", "because": "x"}]
    silent = Readers(protocol(tables={"care": {**TABLES["care"], "unknown_as": {}, "rows": rows}}))
    assert silent.reader("care")(knowing(fresh, means="some")) is None
    assert silent.reader("care")(fresh) is None


def test_a_decision_reads_only_once_it_counts(fresh: Episode):
    signed = DecisionRecord("more", "mara", START, 3, cosigned=True)
    assert reads(fresh, "step_up") is None
    assert reads(replace(fresh, decisions={"step_up": signed}), "step_up") == "more"
    assert reads(replace(fresh, decisions={"step_up": replace(signed, cosigned=False)}), "step_up") is None


def test_the_engines_own_names(fresh: Episode):
    assert [reads(fresh, name) for name in ("risk", "peak_risk", "stage")] == ["none", "none", "assessment"]
    raised = replace(fresh, risk="low", peak_risk="high", stage="coping")
    assert [reads(raised, name) for name in ("risk", "peak_risk", "stage")] == ["low", "high", "coping"]
    assert reads(fresh, "handover") == "none"
    assert reads(replace(fresh, handover=Handover("ben", "mara", START)), "handover") == "offered"
    assert reads(fresh, "crisis.relapse") == "no"
    assert reads(replace(fresh, crisis_types=("relapse",)), "crisis.relapse") == "yes"
    assert reads(fresh, "contact.client") == "no"
    assert reads(replace(fresh, contacts={"client": Moment(START, 2)}), "contact.client") == "yes"
    assert [reads(replace(fresh, attempts={"client": n}), "attempts.client") for n in (0, 1, 5, 9)] == list("0155")
    assert reads(fresh, "attempts.client") == "0"
    assert reads(fresh, "step.calm") == "open"


def test_steps_and_signatures(fresh: Episode):
    skipped = StepRecord("skipped", START, 2, "mara", cosigned=False)
    waiting = replace(fresh, steps={"calm": skipped})
    assert reads(waiting, "step.calm") == "skipped"
    assert reads(waiting, "cosignature") == "waiting"
    assert reads(fresh, "cosignature") == "none"
    assert reads(replace(fresh, steps={"calm": StepRecord("done", START, 2)}), "cosignature") == "none"
    undecided = DecisionRecord("more", "mara", START, 3, cosigned=False)
    assert reads(replace(fresh, decisions={"step_up": undecided}), "cosignature") == "waiting"


def test_an_obligation_reads_as_open_overdue_or_how_it_ended():
    story = Story.begun()
    assert reads(story.episode, "obligation.finish_assessment") == "open"
    assert reads(story.episode, "obligation.first_contact") == "none"
    story.later("2h").sweep()
    assert reads(story.episode, "obligation.finish_assessment") == "overdue"
    story.later("1m").in_follow_up()
    assert reads(story.episode, "obligation.finish_assessment") == "met_late"
    assert reads(story.episode, "obligation.first_contact") == "open"
    story.do(c.Waive, obligation_id="first_contact-1", reason="r", role="supervisor")
    assert reads(story.episode, "obligation.first_contact") == "waived"
    story.contact("no_answer")
    story.contact()
    assert reads(story.episode, "obligation.try_client") == "met"


def test_the_side_that_counts_while_unknown(fresh: Episode):
    assert holds(fresh, plan="yes", if_unknown="holds")
    assert not holds(fresh, plan="yes", if_unknown="fails")
    assert not holds(fresh, plan="yes")
    assert not holds(knowing(fresh, plan="no"), plan="yes", if_unknown="holds")
    assert readers().predicate(None)(fresh)


@pytest.mark.parametrize("known", [True, False])
def test_known_asks_whether_there_is_an_answer(fresh: Episode, known: bool):
    episode = knowing(fresh, plan="no") if known else fresh
    assert holds(episode, plan={"known": "yes"}) is known
    assert holds(episode, plan={"known": "no"}) is not known


def test_comparisons_by_order(fresh: Episode):
    some = knowing(fresh, means="some")
    assert holds(some, means={"at_least": "some"})
    assert holds(some, means={"at_most": "some"})
    assert not holds(some, means={"at_least": "ready"})
    assert not holds(some, means={"at_most": "none"})
    assert holds(some, means=["none", "some"])
    assert holds(fresh, stage={"at_most": "coping"}, risk={"at_most": "low"})
    assert holds(fresh, any=[{"risk": "high"}, {"stage": "assessment"}])
    assert not holds(fresh, all=[{"risk": "high"}, {"stage": "assessment"}])
    assert holds(fresh, **{"not": {"risk": "high"}})


def test_refused_is_neither_more_nor_less_than_anything():
    domain = Domain(("low", "high", "refused"), ordered=True, may_be_unknown=True)
    assert accepted(Comparison("x", "at_least", ("low",)), domain) == {"low", "high"}
    assert accepted(Comparison("x", "at_most", ("low",)), domain) == {"low"}
    assert accepted(Comparison("x", "is", ("refused",)), domain) == {"refused"}
    assert accepted(Comparison("x", "known", ("yes",)), domain) == {"low", "high", "refused"}


def test_a_value_or_an_order_that_a_name_does_not_have_is_refused():
    with pytest.raises(ValueError, match="`x` is never `c`; it is one of a, b"):
        accepted(Comparison("x", "is", ("c",)), Domain(("a", "b")))
    for operator in ("at_least", "at_most"):
        with pytest.raises(ValueError, match="has no order"):
            accepted(Comparison("x", operator, ("a",)), Domain(("a", "b")))


def test_the_vocabulary_says_what_is_ordered_and_what_may_be_unknown():
    names = vocabulary(compact())
    ordered = {"risk", "stage", "peak_risk", "pain", "means", "care", "step_up", "attempts.client", "scale.status"}
    assert {name for name in ordered if names[name].ordered} == ordered
    assert not names["plan"].ordered
    assert {name for name in ("plan", "pain", "step_up") if names[name].may_be_unknown} == {"plan", "pain", "step_up"}
    assert not names["care"].may_be_unknown
    assert names["plan"].values == ("no", "yes", "refused")
    assert names["step_up"].values == ("stay", "more", "hospital")
    assert names["attempts.client"].values == tuple("012345")
    assert names["step.calm"].values == ("open", "done", "skipped")
    assert names["screen.status"].values == ("not_started", "unfinished", "complete")
    assert "address" not in names


def test_a_condition_depends_on_what_its_tables_and_instruments_read():
    assert readers().bases(parse_guard({"care": "stay"})) == {"risk", "means"}
    assert readers().bases(parse_guard({"screen.status": "complete", "risk": "low"})) == {"plan", "intent", "risk"}
    assert readers().bases(parse_guard({"plan": "yes"})) == {"plan"}
    assert readers().bases(None) == frozenset()


def test_tables_that_read_each_other_in_a_circle_are_refused():
    def table(reads: str) -> dict[str, Any]:
        row = {"when": {reads: "stay"}, "then": "stay", "because": "x"}
        return {"title": "T", "outcomes": {"stay": "S"}, "rows": [row], "source": {"grade": "P"}}

    with pytest.raises(ValueError, match="reads itself"):
        Readers(protocol(tables={**TABLES, "one": table("two"), "two": table("one")}))


def test_a_condition_on_an_undeclared_name_is_refused():
    with pytest.raises(ValueError, match="no condition can read `nobody`"):
        readers().predicate(Guard(Comparison("nobody", "is", ("yes",))))
