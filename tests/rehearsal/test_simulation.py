"""An episode tried by hand: what can be done, time that passes, what is taken back, and a run that replays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from protocol import commands as c
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_yaml
from protocol_specs.writing import yaml_text
from rehearsal.casting import problems
from rehearsal.keeping import as_scenario
from rehearsal.menu import Ask, Choice, menu
from rehearsal.rehearse import rehearse
from rehearsal.scenario import COMMANDS, Scenario
from rehearsal.simulation import Simulation, SimulationError, cast_of, written_time
from rehearsal.timing import NoSuchTime, until
from tests.shipped import protocol_in

ROOT = Path(__file__).parents[2]
MINIMAL = protocol_in(ROOT / "tests/specs/minimal.yaml")
SHIPPED = [
    protocol_in(ROOT / f"protocol_specs/{name}.yaml") for name in ("withdrawal_monitoring", "virtual_iop_crisis")
]
PACIFIC = ZoneInfo("America/Los_Angeles")
TUESDAY = datetime(2026, 12, 1, 18, tzinfo=UTC)
NIGHT_OF_THE_CLOCKS = datetime(2026, 10, 31, 23, tzinfo=UTC)
WAITS = ("next", "5 min", "2 h later", "tomorrow 09:00", "until next deadline", "45s")


def choose(simulation: Simulation, beginning: str) -> Choice:
    found = [one for one in menu(simulation.program, simulation.episode) if one.text.startswith(beginning)]
    assert found, beginning
    return found[0]


def answer(random: Random, simulation: Simulation, ask: Ask) -> str:
    if ask.values:
        return random.choice(ask.values)
    if not ask.is_fact:
        return {"to": "ben", "refers_to": "1", "facts": ""}.get(ask.name, "because: she said “no” # twice")
    fact = simulation.program.spec.facts[ask.name]
    return {
        "number": str(fact.minimum),
        "text": "calm, and: ready",
        "moment": "2026-12-03 10:00",
        "several": ", ".join(fact.choices[:2]),
    }[fact.type]


def act(random: Random, simulation: Simulation, choice: Choice) -> None:
    fields: dict[str, Any] = dict(choice.fields)
    facts: dict[str, str] = {}
    for ask in choice.asks:
        said = answer(random, simulation, ask)
        if ask.is_fact and (ask.needed or random.random() < 0.5):
            facts[ask.name] = said
        elif ask.name == "facts":
            facts[next(iter(simulation.program.spec.facts))] = "unknown"
        elif not ask.is_fact:
            fields[ask.name] = int(said) if said == "1" else said
    roles = choice.roles or tuple(simulation.people.values())
    may = [name for name, role in simulation.people.items() if role in roles]
    simulation.do(choice.person or random.choice(may), choice.act, {**fields, **({"facts": facts} if facts else {})})


def play(spec: ProtocolSpec, seed: int, steps: int) -> Simulation:
    """A random run: chooses from the menu, lets time pass, takes things back."""
    random = Random(seed)
    simulation = Simulation(spec, NIGHT_OF_THE_CLOCKS + timedelta(hours=random.randrange(30)))
    for _ in range(steps):
        act(random, simulation, random.choice(menu(simulation.program, simulation.episode)))
        if random.random() < 0.3:
            try:
                simulation.wait(random.choice(WAITS))
            except NoSuchTime:
                assert not simulation.episode.obligations
        if random.random() < 0.1:
            simulation.undo()
    return simulation


@pytest.mark.full
@pytest.mark.parametrize("seed", range(6))
def test_a_saved_run_replays_as_it_went(seed: int) -> None:
    simulation = play(MINIMAL, seed, 25)
    replays(simulation)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.protocol)
def test_a_saved_run_of_what_ships_replays_as_it_went(spec: ProtocolSpec, seed: int) -> None:
    replays(play(spec, seed, 25))


def replays(simulation: Simulation) -> None:
    spec = simulation.program.spec
    scenario = as_scenario(simulation, "a_run", "A run")
    text = yaml_text(scenario.model_dump(mode="json", exclude_unset=True, exclude_none=True))
    again = read_yaml(text).validate(Scenario)
    assert again == scenario
    assert problems(spec, again) == ()
    report = rehearse(spec, again)
    assert report.failures == ()
    told = [[one.event.kind for one in (*played.before, *played.happened)] for played in report.entries]
    assert told == [[one.event.kind for one in (*played.before, *played.happened)] for played in simulation.played]
    assert report.entries[-1].episode is not None
    assert report.entries[-1].episode.obligations.keys() == simulation.episode.obligations.keys()


def test_a_saved_run_expects_what_was_seen() -> None:
    """Each kind of expectation is there: a change in the protocol that matters breaks the saved run."""
    simulation = Simulation(MINIMAL, TUESDAY)
    simulation.wait("3 h later")
    simulation.do("mara", "advance", {})
    scenario = as_scenario(simulation, "a_run", "A run")
    later, refused = (entry.expect for entry in scenario.steps)
    assert later is not None
    assert refused is not None
    assert later.open["talk_limit"].overdue == "yes"
    assert later.open["talk_limit"].due == "2026-12-01 12:00"
    first, second = ((page.role, page.rung, page.at) for page in later.pages[:2])
    assert first == ("supervisor", 1, "2026-12-01 11:00")
    assert second == ("supervisor", 1, "2026-12-01 12:00")
    assert (refused.refused, refused.no_pages, refused.stage) == ("exit_not_met", "yes", "talk")


def test_every_act_is_offered_somewhere() -> None:
    simulation, offered = Simulation(MINIMAL, TUESDAY), set[str]()
    for by, what, fields in (
        ("mara", "complete_step", {"step": "listen", "facts": {"wish_to_die": "no"}}),
        ("mara", "advance", {}),
        ("mara", "skip_step", {"step": "agree_plan", "reason": "no time"}),
        ("mara", "declare_emergency", {}),
        ("mara", "record_decision", {"decision": "care", "option": "more", "rationale": "safer"}),
        ("mara", "offer_handover", {"to": "eva", "reason": "end of shift"}),
        ("mara", "close_episode", {"outcome": "settled", "reason": "not yet"}),
    ):
        offered |= {choice.act for choice in menu(simulation.program, simulation.episode)}
        simulation.do(by, what, fields)
    offered |= {choice.act for choice in menu(simulation.program, simulation.episode)}
    assert offered == COMMANDS.keys() - {"open_episode"}


def test_what_the_episode_waits_for_comes_first() -> None:
    simulation = Simulation(MINIMAL, TUESDAY)
    choices = menu(simulation.program, simulation.episode)
    assert [choice.now for choice in choices] == sorted((choice.now for choice in choices), reverse=True)
    assert choices[0].text == "Complete “Listen”"
    assert "DECLARE AN EMERGENCY" in [choice.text for choice in choices if choice.now]
    assert {ask.name: ask.needed for ask in choices[0].asks}["wish_to_die"]


def test_an_undo_is_as_if_it_had_never_been() -> None:
    simulation = Simulation(MINIMAL, TUESDAY)
    before = simulation.episode
    simulation.do("mara", "declare_emergency", {})
    simulation.wait("2 h later")
    assert simulation.episode.stage == "emergency"
    simulation.undo()
    taken = simulation.undo()
    assert isinstance(taken.command, c.DeclareEmergency)
    assert (simulation.episode, simulation.now) == (before, TUESDAY)
    with pytest.raises(SimulationError, match="nothing to take back"):
        simulation.undo()
    other = Simulation(MINIMAL, TUESDAY)
    for one in (simulation, other):
        one.do("mara", "declare_emergency", {})
    assert simulation.episode == other.episode


@pytest.mark.parametrize(
    ("by", "what", "fields"),
    [
        ("mara", "fly_away", {}),
        ("mara", "complete_step", {}),
        ("mara", "advance", {"surprise": "yes"}),
        ("mara", "lower_risk", {"level": "imminent", "reason": "no"}),
    ],
)
def test_what_is_no_act_changes_nothing(by: str, what: str, fields: dict[str, Any]) -> None:
    simulation = Simulation(MINIMAL, TUESDAY)
    with pytest.raises(SimulationError):
        simulation.do(by, what, fields)
    assert len(simulation.played) == 1


def test_an_opening_that_is_refused_is_said() -> None:
    with pytest.raises(SimulationError, match="no crisis type"):
        Simulation(MINIMAL, TUESDAY, ("flood",))


def test_somebody_can_sign_what_another_did() -> None:
    for spec in (MINIMAL, *SHIPPED):
        people = cast_of(spec)
        assert set(people.values()) == set(spec.roles)
        for step in spec.steps.values():
            for role in set(step.roles) & set(step.skip_cosigned_by):
                assert list(people.values()).count(role) > 1


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("2 h later", "2026-12-01 12:00"),
        ("+15m", "2026-12-01 10:15"),
        ("90 seconds later", "2026-12-01 10:01:30"),
        ("3 days later", "2026-12-04 10:00"),
        ("tomorrow 9:00", "2026-12-02 09:00"),
        ("11:30", "2026-12-01 11:30"),
        ("2026-12-05 08:00", "2026-12-05 08:00"),
        ("next", "2026-12-01 11:00"),
        ("until next deadline", "2026-12-01 12:00"),
    ],
)
def test_times_are_read_as_people_write_them(written: str, local: str) -> None:
    episode = Simulation(MINIMAL, TUESDAY).episode
    assert written_time(until(written, TUESDAY, PACIFIC, episode), PACIFIC) == local


@pytest.mark.parametrize(
    "written", ["", "soon", "0 min", "09:00", "2026-11-30 10:00", "32 days", "99999 d", "tomorrow", "later"]
)
def test_what_is_no_time_to_wait_for_says_what_is(written: str) -> None:
    with pytest.raises(NoSuchTime, match="; "):
        until(written, TUESDAY, PACIFIC, Simulation(MINIMAL, TUESDAY).episode)


def test_a_moment_that_the_clock_shows_twice_is_written_in_utc() -> None:
    assert written_time(datetime(2026, 11, 1, 9, 30, tzinfo=UTC), PACIFIC) == "2026-11-01 09:30Z"
    assert written_time(datetime(2026, 11, 1, 10, 30, tzinfo=UTC), PACIFIC) == "2026-11-01 02:30"
