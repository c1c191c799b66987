"""What scenarios went through is counted when it happened, and nothing of a protocol is left out of the count."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from protocol.directory import Directory
from protocol.findings import dotted
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load
from rehearsal.coverage import GROUPS, Coverage, as_text, cover, spots_of
from rehearsal.expectations import Failure
from rehearsal.play import Report
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from tests.shipped import protocol_in

ROOT = Path(__file__).parent.parent.parent
SPECS = ROOT / "protocol_specs"
MANY = ("led_through_all_stages", "unreached_at_moderate_risk", "unresponsive_on_camera")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


@cache
def small() -> tuple[ProtocolSpec, Report]:
    spec = protocol_in(ROOT / "tests/scenarios/lookout.yaml")
    scenario = load(ROOT / "tests/scenarios/call_back_is_late.yaml", Scenario)
    return spec, rehearse(spec, scenario, directory())


@cache
def large() -> tuple[ProtocolSpec, tuple[Report, ...], Coverage]:
    spec = protocol_in(SPECS / "virtual_iop_crisis.yaml")
    files = [SPECS / f"scenarios/virtual_iop_crisis/{name}.yaml" for name in MANY]
    reports = tuple(rehearse(spec, load(file, Scenario), directory()) for file in files)
    return spec, reports, cover(program(spec), reports)


def shown(coverage: Coverage) -> set[tuple[str, str]]:
    return {(spot.group, dotted(spot.path)) for spot, names in coverage.spots.items() if names}


def test_a_scenario_shows_what_it_went_through_and_no_more() -> None:
    spec, report = small()
    assert shown(cover(program(spec), [report])) == {
        ("ways into the emergency", "stages.talk"),
        ("risk rules", "risk.rules[0]"),
        ("obligations opened", "obligations.call_back"),
        ("obligations missed", "obligations.call_back"),
        ("obligations met", "obligations.call_back"),
        ("obligations opened", "obligations.help_limit"),
        ("rungs", "ladders.calm.rungs[0]"),
        ("rungs", "ladders.calm.rungs[1]"),
        ("rungs", "ladders.minutes.rungs[0]"),
    }


def test_what_no_scenario_shows_is_named() -> None:
    spec, report = small()
    said = as_text(cover(program(spec), [report]))
    assert "Covered by 1 scenario that passed:\n  ways on: 0 of 2\n" in said
    assert "Not shown yet, ways on:\n  Talk → Afterwards (stages.talk.next.after)" in said
    assert "Not shown yet, rungs:\n  By the minute: supervisor (ladders.minutes.rungs[1])" in said


def test_a_scenario_that_failed_shows_nothing() -> None:
    spec, report = small()
    (first, *rest) = report.entries
    failed = Report(
        report.program,
        report.scenario,
        (type(first)(first.cue, None, (), (), first.episode, (Failure((), "risk", "low", "high"),)), *rest),
    )
    assert shown(cover(program(spec), [failed])) == set()


def test_the_scenarios_are_named() -> None:
    _, _, coverage = large()
    back = coverage.of("ways back")
    assert [names for names in back.values() if names] == [("led_through_all_stages",)]
    assert {"group", "path", "text", "scenarios"} == set(coverage.as_object()[0])


@pytest.mark.parametrize("group", GROUPS)
def test_each_kind_can_be_shown_and_can_be_missing(group: str) -> None:
    _, _, coverage = large()
    assert len(coverage.missing(group)) < len(coverage.of(group))
    nothing = cover(program(large()[0]), [])
    assert nothing.missing(group) == list(nothing.of(group))


def test_every_part_that_can_happen_is_counted() -> None:
    spec, _, _ = large()
    counted = {group: [spot for spot in spots_of(spec) if spot.group == group] for group in GROUPS}
    assert sum(map(len, counted.values())) == len(spots_of(spec)) == len(set(spots_of(spec)))
    assert len(counted["risk rules"]) == len(spec.risk.rules)
    assert len(counted["table rows"]) == sum(len(table.rows) for table in spec.tables.values())
    assert len(counted["rungs"]) == sum(len(ladder.rungs) for ladder in spec.ladders.values())
    assert len(counted["obligations missed"]) == len(spec.obligations)
    assert len(counted["options of decisions"]) == sum(len(one.options) for one in spec.decisions.values())
    assert (len(counted["notices"]), len(counted["refusals"])) == (len(spec.notices), len(spec.refusals))


def test_the_deciding_row_gives_the_outcome_that_conditions_read() -> None:
    spec, reports, _ = large()
    readers = program(spec).readers
    for name, table in spec.tables.items():
        deciding, outcome = readers.deciding_row(name), readers.reader(name)
        for report in reports:
            for entry in report.entries:
                if entry.episode is not None:
                    number = deciding(entry.episode)
                    assert (None if number is None else table.rows[number].then) == outcome(entry.episode)
