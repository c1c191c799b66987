"""When an emergency is over by the protocol, its page stops saying that somebody is to be called; never before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from protocol.commands import DeclareEmergency, GoBack, HumanCommand
from protocol.decide import decide
from protocol.directory import Directory
from protocol.episode import Episode
from protocol.evolve import evolve
from protocol.program import program
from protocol.trail import TrailRow
from protocol_specs.loader import load, load_protocol
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Scenario
from web.face import Look
from web.rescue import danger
from web.seen import Seen

SPECS = Path(__file__).parents[2] / "protocol_specs"
SPEC = load_protocol(SPECS / "virtual_iop_crisis.yaml")
SCRIPT = load(SPECS / "scenarios/virtual_iop_crisis/disconnect_at_imminent_risk.yaml", Scenario)
DIRECTORY = load(SPECS / "directory.yaml", Directory)
ARRIVED, HANDED_OVER, FOLLOWED_UP = 17, 18, 20
"""Steps of the scenario: somebody is with the client; the client was handed over; the episode went on."""


def after(steps: int) -> tuple[Episode, Sequence[TrailRow]]:
    """The episode after so many steps of the scenario, with its rows."""
    script = SCRIPT.model_copy(update={"steps": SCRIPT.steps[:steps]})
    stage = VirtualStage(SPEC, script)
    finished(play(program(SPEC), script, stage))
    episode = finished(stage.episode())
    assert episode is not None
    return episode, stage.trail


def then(episode: Episode, command: HumanCommand) -> Episode:
    for event in decide(SPEC, episode, command, command.occurred_at).events:
        episode = evolve(episode, event)
    return episode


def ended(episode: Episode, rows: Sequence[TrailRow] = ()) -> str:
    told = danger(Look(Seen(program(SPEC), episode, None), DIRECTORY, str, episode.opened_at), rows)
    assert told.here
    assert told.now is not bool(told.ended)
    return told.ended


def test_it_goes_on_until_the_hand_over_is_written_down_and_stays_over_in_the_next_stage():
    assert ended(*after(ARRIVED)) == ""
    assert ended(*after(HANDED_OVER)) == "Handed over, 15:20"
    assert ended(*after(FOLLOWED_UP)) == "Handed over, 15:20"
    assert ended(after(FOLLOWED_UP)[0]) == "Handed over, 15:20", "also while the records lag behind"


def test_declared_anew_it_is_open_whatever_ended_the_first_and_whatever_the_rows_tell():
    episode, rows = after(FOLLOWED_UP)
    common = {"actor": "mara", "role": "therapist", "occurred_at": episode.stage_entered.at + timedelta(hours=1)}
    episode = then(episode, DeclareEmergency(command_id="1", **common))
    assert ended(episode, rows) == ""
    episode = then(episode, GoBack(command_id="2", to="coping", reason="a slip", **common))
    assert episode.stage == "coping"
    assert ended(episode, rows) == "", "nobody said that it is over"


def test_a_calm_episode_and_a_closed_one_have_none():
    episode, rows = after(1)
    assert not danger(Look(Seen(program(SPEC), episode, None), DIRECTORY, str, episode.opened_at), rows).here
