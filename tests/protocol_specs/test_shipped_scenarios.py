"""Every scenario that ships passes on the pure core, and says what it rests on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from protocol.casting import problems
from protocol.directory import Directory
from protocol.rehearsal import rehearse
from protocol.scenario import Scenario
from protocol.spec import ProtocolSpec
from protocol.transcript import transcript
from protocol_specs.loader import load, load_protocol

SPECS = Path(__file__).parents[2] / "protocol_specs"
SCENARIOS = sorted(SPECS.glob("scenarios/*/*.yaml"))
PROTOCOLS = sorted({path.parent.name for path in SCENARIOS})


@cache
def protocol(name: str) -> ProtocolSpec:
    return load_protocol(SPECS / f"{name}.yaml")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_scenario_passes(path: Path) -> None:
    scenario = load(path, Scenario)
    assert (scenario.protocol, scenario.scenario) == (path.parent.name, path.stem)
    assert scenario.basis
    spec = protocol(scenario.protocol)
    assert not list(problems(spec, scenario))
    report = rehearse(spec, scenario, directory())
    assert report.passed, transcript(report)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_scenarios_of_a_protocol_refuse_something_and_page_somebody(name: str) -> None:
    expected = [
        step.expect
        for path in SCENARIOS
        if path.parent.name == name
        for step in load(path, Scenario).steps
        if step.expect is not None
    ]
    assert any(expect.refused for expect in expected)
    assert any(expect.pages for expect in expected)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_counties_of_a_protocol_are_those_of_the_directory(name: str) -> None:
    county = protocol(name).facts["present_county"]
    assert set(county.choices) == {*directory().counties, "outside_california"}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_reference_is_cited(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    body, _, _ = text.partition("\nreferences:")
    for reference in protocol(name).references:
        assert reference in body, f"{reference} is never cited"
