"""Every scenario of every protocol that ships, on the pure core."""

from functools import cache
from pathlib import Path

import pytest

from protocol.directory import Directory
from protocol.program import program
from protocol.replay import replay
from protocol.spec import ProtocolSpec
from protocol.whatif import compare
from protocol_specs.loader import load
from rehearsal.casting import problems
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Scenario
from rehearsal.transcript import WIDTH, transcript
from tests.shipped import protocol_in

SPECS = Path(__file__).parent.parent.parent / "protocol_specs"
SCENARIOS = sorted((SPECS / "scenarios").glob("*/*.yaml"))


@cache
def protocol(name: str) -> ProtocolSpec:
    return protocol_in(SPECS / f"{name}.yaml")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_scenario_passes_on_the_pure_core_and_its_trail_replays_to_the_same_end(path: Path) -> None:
    spec, scenario = protocol(path.parent.name), load(path, Scenario)
    assert problems(spec, scenario) == ()
    stage = VirtualStage(spec, scenario)
    report = finished(play(program(spec), scenario, stage, directory()))
    story = transcript(report)
    assert report.passed, story
    assert max(map(len, story.splitlines())) <= WIDTH
    if stage.trail:
        again = compare(spec, spec, stage.trail)
        assert (again.first, again.refused, again.notes) == (None, (), ())
    steps = list(replay(spec, stage.trail))
    assert [one for step in steps for one in step.differences] == []
    assert [step.after for step in steps[-1:]] == [end for end in [finished(stage.episode())] if end is not None]


def test_every_protocol_that_ships_has_scenarios() -> None:
    protocols = {path.stem for path in SPECS.glob("*.yaml")} - {"directory", "rota"}
    assert protocols == {path.parent.name for path in SCENARIOS}
