"""What all protocols that ship have in common: counties, citations, scenarios of both kinds."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from protocol.directory import Directory
from protocol.program import program
from protocol.rota import PERSONAL, Rota, resolve
from protocol.spec import ProtocolSpec
from protocol_specs.layout import laid_out
from protocol_specs.lint import lint
from protocol_specs.loader import load
from rehearsal.coverage import Coverage, cover
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from tests.shipped import protocol_in

SPECS = Path(__file__).parents[2] / "protocol_specs"
SCENARIOS = sorted(SPECS.glob("scenarios/*/*.yaml"))
PROTOCOLS = sorted(path.stem for path in SPECS.glob("*.yaml") if path.stem not in ("directory", "rota"))


@cache
def protocol(name: str) -> ProtocolSpec:
    return protocol_in(SPECS / f"{name}.yaml")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


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
def test_a_protocol_is_in_its_canonical_layout(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    assert laid_out(text) == text, "`holdfast protocol fmt` puts it right, and changes nothing of what it says"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_scenario_says_what_it_rests_on(name: str) -> None:
    scenarios = [load(path, Scenario) for path in SCENARIOS if path.parent.name == name]
    assert scenarios
    assert all(scenario.basis for scenario in scenarios)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_counties_of_a_protocol_are_those_of_the_directory(name: str) -> None:
    county = protocol(name).facts["present_county"]
    assert set(county.choices) == {*directory().counties, "outside_california"}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_reference_is_cited(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    before, _, after = text.partition("\nreferences:\n")
    body = before + after.partition("\n\n")[2]
    for reference in protocol(name).references:
        assert reference in body, f"{reference} is never cited"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_role_that_a_ladder_pages_is_answered_at_every_hour(name: str) -> None:
    rota = load(SPECS / "rota.yaml", Rota)
    paged = {rung.page for ladder in protocol(name).ladders.values() for rung in ladder.rungs} - PERSONAL
    monday = datetime(2026, 11, 30, tzinfo=ZoneInfo(rota.time_zone))
    for hour in range(7 * 24):
        at = monday + timedelta(hours=hour, minutes=30)
        unanswered = sorted(role for role in paged if not resolve(rota, role, at))
        assert not unanswered, f"nobody answers for {unanswered} at {at:%A %H:%M}"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_is_found_in_a_shipped_protocol(name: str) -> None:
    assert [str(each) for each in lint(SPECS / f"{name}.yaml")] == []


SHOWN = (
    "ways on",
    "ways into the emergency",
    "ways back",
    "risk rules",
    "table rows",
    "obligations opened",
    "refusals",
)


@pytest.mark.parametrize("group", SHOWN)
def test_the_scenarios_of_the_crisis_protocol_show_all_of_it(group: str) -> None:
    assert [spot.text for spot in crisis_coverage().missing(group)] == []


@cache
def crisis_coverage() -> Coverage:
    spec = protocol("virtual_iop_crisis")
    scenarios = [load(path, Scenario) for path in SCENARIOS if path.parent.name == spec.protocol]
    return cover(program(spec), [rehearse(spec, scenario, directory()) for scenario in scenarios])
