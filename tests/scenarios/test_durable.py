"""Every scenario that ships, through the real workflow with skipped time: as expected, and told like the pure core."""

from functools import cache
from pathlib import Path

import pytest

from cli.almanac import CYCLE, later, years_until_free
from cli.demo import PROTOCOL, told
from cli.demo import SCENARIOS as DEMO
from protocol.directory import Directory
from protocol.local_time import to_utc
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load
from rehearsal.play import Report
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript
from tests.shipped import protocol_in

ROOT = Path(__file__).parent.parent.parent
SPECS = ROOT / "protocol_specs"
SCENARIOS = sorted((SPECS / "scenarios").glob("*/*.yaml"))
GOLDEN = ROOT / "tests/demo/transcript.txt"


@cache
def protocol(path: Path) -> ProtocolSpec:
    return protocol_in(path)


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


async def performed(spec: ProtocolSpec, scenario: Scenario) -> Report:
    from cli.durable import perform_async  # Temporal's library; the fast tests of this file do without it

    return await perform_async(spec, scenario, directory())


@pytest.mark.full
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_scenario_passes_through_the_real_workflow(path: Path) -> None:
    spec, scenario = protocol(SPECS / f"{path.parent.name}.yaml"), load(path, Scenario)
    report = await performed(spec, scenario)
    assert report.passed, transcript(report)
    assert transcript(report) == transcript(rehearse(spec, scenario, directory()))


@pytest.mark.full
async def test_a_scenario_of_the_past_is_told_as_if_it_were_today() -> None:
    spec = protocol(ROOT / "tests/scenarios/lookout.yaml")
    past = later(load(ROOT / "tests/scenarios/call_back_is_late.yaml", Scenario), -CYCLE)
    report = await performed(spec, past)
    assert report.passed, transcript(report)
    assert "Tue 1 Dec 1998" in transcript(report)
    assert transcript(report) == transcript(rehearse(spec, past, directory()))


@pytest.mark.full
def test_the_calendar_repeats_after_the_cycle() -> None:
    spec = protocol(SPECS / "virtual_iop_crisis.yaml")
    moved = later(spec, CYCLE)
    assert spec.calendar is not None
    assert moved.calendar is not None
    assert {day[5:] for day in spec.calendar.holidays} == {day[5:] for day in moved.calendar.holidays}
    for path in SCENARIOS:
        if path.parent.name != spec.protocol:
            continue
        scenario = load(path, Scenario)
        again = rehearse(moved, later(scenario, CYCLE), later(directory(), CYCLE))
        assert again.passed, transcript(again)


def test_a_scenario_stays_in_its_year_while_that_is_to_come() -> None:
    spec = protocol(ROOT / "tests/scenarios/lookout.yaml")
    scenario = load(ROOT / "tests/scenarios/call_back_is_late.yaml", Scenario)
    starts = to_utc("2026-12-01 14:00", program(spec).zone)
    assert years_until_free(spec, scenario, starts.replace(hour=1)) == 0
    assert years_until_free(spec, scenario, starts) == CYCLE
    assert years_until_free(spec, scenario, starts.replace(year=2060)) == 2 * CYCLE


def demo_on_the_pure_core() -> list[Report]:
    spec = protocol(SPECS / f"{PROTOCOL}.yaml")
    files = [SPECS / "scenarios" / PROTOCOL / f"{name}.yaml" for name in DEMO]
    return [rehearse(spec, load(file, Scenario), directory()) for file in files]


def test_the_demo_is_told_as_it_was() -> None:
    assert told(demo_on_the_pure_core()) == GOLDEN.read_text(encoding="utf-8")
