"""Thousands of made-up episodes: the same seed gives the same load, and each rate does what it says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from protocol.spec import ProtocolSpec
from protocol_specs.loader import load, read_file
from rehearsal.load_chart import draw_load, in_words
from rehearsal.population import Load, as_object, populate, spread
from rehearsal.rates import Answers, Rates, Response, Staff, misnamed
from tests.shipped import protocol_in

pytestmark = pytest.mark.full
ROOT = Path(__file__).parents[2]
MINIMAL = protocol_in(ROOT / "tests/specs/minimal.yaml")
SHIPPED = ROOT / "protocol_specs/rates"
CRISIS = protocol_in(ROOT / "protocol_specs/virtual_iop_crisis.yaml")
MANY = 60


def run(rates: Rates, seed: int = 7, spec: ProtocolSpec = MINIMAL) -> Load:
    return populate(spec, rates, MANY, seed)


USUAL = run(Rates())


def test_the_same_seed_gives_the_same_load_and_another_one_does_not() -> None:
    again = run(Rates())
    assert as_object(again) == as_object(USUAL)
    assert draw_load(again) == draw_load(USUAL)
    assert as_object(run(Rates(), seed=8)) != as_object(USUAL)


def test_what_is_counted_adds_up() -> None:
    told = as_object(USUAL)
    pages = sum(map(sum, told["pages_by_hour"].values()))
    assert pages == sum(one["pages"] for one in told["pages_by_rung"]) > 0
    assert sum(told["peak_risk"].values()) == sum(told["endings"].values()) == MANY
    assert all(one["missed"] <= one["opened"] for one in told["obligations"])
    assert len(USUAL.lasted) == MANY - told["endings"].get("open", 0)


def test_most_episodes_are_led_to_an_end() -> None:
    assert USUAL.closed["settled"] > MANY * 0.9


def test_nobody_who_answers_means_more_pages_and_more_missed_deadlines() -> None:
    deaf = Rates(staff=Staff(otherwise=Response(answers=0), keeps=0), follow_days=5)
    heard = Rates(staff=Staff(otherwise=Response(answers=100), keeps=0), follow_days=5)
    silent, lively = run(deaf), run(heard)
    assert silent.missed["call_back"] > lively.missed["call_back"]
    assert sum(silent.pages.values()) > sum(lively.pages.values())


def test_an_episode_that_nobody_comes_to_is_left_and_counted() -> None:
    nobody = Rates(staff=Staff(keeps=0, otherwise=Response(on_shift=0)), risk={"imminent": 1}, follow_days=20)
    deserted = populate(CRISIS, nobody, 2, 1)
    assert deserted.left > 0
    assert as_object(deserted)["episodes_left_before_their_end"] == deserted.left
    assert USUAL.left == 0


def test_duties_that_are_kept_are_not_missed() -> None:
    kept = run(Rates(staff=Staff(keeps=100), reach={"client": 100}))
    forgotten = run(Rates(staff=Staff(keeps=0, otherwise=Response(answers=0)), follow_days=5))
    assert kept.missed["call_back"] == 0
    assert forgotten.missed["call_back"] > 0


def test_a_page_that_finds_nobody_is_counted_and_climbs() -> None:
    empty = run(Rates(staff=Staff(otherwise=Response(on_shift=0)), follow_days=2))
    assert empty.nobody == sum(empty.pages.values())
    assert USUAL.nobody < sum(USUAL.pages.values()) / 4
    asleep = run(Rates(staff=Staff(keeps=0, otherwise=Response(on_shift=0, answers=100)), follow_days=6))
    awake = run(Rates(staff=Staff(keeps=0, otherwise=Response(on_shift=100, answers=100)), follow_days=6))
    assert asleep.missed["call_back"] > MANY / 2 > awake.missed["call_back"]


def test_whoever_is_slower_takes_longer() -> None:
    slow, fast = (
        spread(run(Rates(staff=Staff(otherwise=Response(day_minutes=one, night_minutes=one)))).answered)
        for one in (60, 5)
    )
    assert slow["median"] > fast["median"] * 2


def test_the_risk_rises_as_it_was_meant_to() -> None:
    calm = Answers(alarming=0, refused=0)
    low = run(Rates(risk={"low": 1}, answers=calm))
    worst = run(Rates(risk={"imminent": 1}, answers=calm))
    assert low.peaks == {"low": MANY}
    assert worst.peaks["imminent"] > MANY * 0.9
    assert worst.rungs["minutes", 0] > low.rungs["minutes", 0] == 0


def test_nobody_is_reached_where_the_rate_says_so() -> None:
    unreached = run(Rates(reach={"client": 0}, follow_days=5))
    assert unreached.closed == {"open": MANY}


def test_the_answers_have_the_weights_that_are_given() -> None:
    wishes = Rates(answers=Answers(facts={"wish_to_die": {"yes": 1}}), risk={"high": 1})
    assert run(wishes).peaks["high"] > MANY * 0.9


def test_decisions_for_more_are_counted_as_step_ups() -> None:
    more = run(Rates(risk={"high": 1}, staff=Staff(follows_advice=100)))
    assert more.step_ups["care", "more"] == more.decided["care", "more"] > 0
    crisis = run(Rates(risk={"high": 1}, staff=Staff(follows_advice=0)), spec=CRISIS)
    first, *others = CRISIS.decisions["step_up"].options
    assert crisis.decided["step_up", first] > crisis.step_ups["step_up", first] == 0
    assert {one for one in others if crisis.step_ups["step_up", one] == crisis.decided["step_up", one] > 0}


def test_episodes_begin_when_the_rates_say() -> None:
    night = run(Rates(begins={"night": 1}, staff=Staff(keeps=100)))
    first = sum(count for (role, hour), count in night.acts.items() if hour < 7)
    assert first > sum(night.acts.values()) / 2


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_rates_that_ship_fit_their_protocol_and_are_called_assumptions(path: Path) -> None:
    rates = load(path, Rates)
    assert misnamed(protocol_in(SHIPPED.parent / path.name), rates) == ()
    assert rates.source.grade == "P"
    assert "needs local data" in (rates.source.note or "")
    assert path.read_text(encoding="utf-8").startswith("# ASSUMPTIONS")


def test_the_rates_of_the_code_are_called_assumptions() -> None:
    assert Rates().source.grade == "P"
    assert "local data" in (Rates().source.note or "")


def test_weights_that_weigh_nothing_are_refused() -> None:
    for wrong in ({"risk": {"low": 0}}, {"begins": {}}, {"answers": {"facts": {"wish_to_die": {"yes": 0}}}}):
        with pytest.raises(ValidationError, match="the weights of "):
            Rates.model_validate(wrong)


def test_what_is_written_down_does_not_raise_the_risk_beyond_what_was_meant() -> None:
    """Not even to get out of a stage."""
    document = read_file(ROOT / "tests/specs/minimal.yaml").data
    document["stages"]["settle"]["leave_when"] = {"wish_to_die": "yes", "if_unknown": "fails"}
    stuck = run(Rates(risk={"low": 1}, follow_days=3), spec=ProtocolSpec.model_validate(document))
    assert set(stuck.peaks) == {"low"}


def test_names_that_the_protocol_lacks_are_found() -> None:
    rates = Rates(
        crisis_types={"flood": 1},
        reach={"clent": 1},
        staff=Staff(roles={"cook": Response()}),
        answers=Answers(facts={"wish_to_die": {"maybe": 1}, "plan": {"any": 1}, "nothing": {"x": 1}}),
    )
    found = {".".join(map(str, one.path)): one.remedy for one in misnamed(MINIMAL, rates)}
    assert list(found) == [
        "crisis_types.flood", "reach.clent", "staff.roles.cook", "answers.facts.nothing",
        "answers.facts.wish_to_die.maybe", "answers.facts.plan",
    ]  # fmt: skip
    assert found["reach.clent"] == "did you mean `client`?"


def test_the_picture_needs_no_colour_and_is_told_in_words() -> None:
    drawn = draw_load(USUAL)
    root = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}desc") == in_words(USUAL)
    assert "ASSUMPTIONS, not facts" in drawn
    colours = {one for one in drawn.replace("#hf", "").split('"') if one.startswith("#")}
    assert colours <= {"#fff", "#000", "#999"}
    assert "Therapist: " in in_words(USUAL)
    for name in USUAL.missed:
        assert MINIMAL.obligations[name].title in in_words(USUAL)
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
