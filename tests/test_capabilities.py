"""docs/capabilities.md promises places and proofs: all numbers are there, and everything named exists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from protocol import events as e
from protocol.directory import Directory
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load, load_protocol, read_file
from rehearsal.play import Report
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario

pytestmark = pytest.mark.full

ROOT = Path(__file__).parent.parent
SPECS = ROOT / "protocol_specs"
PAGE = ROOT / "docs" / "capabilities.md"
DEFAULT = "virtual_iop_crisis"

COUNTS = {"A": 17, "B": 13, "C": 13, "D": 9, "E": 8, "F": 7, "G": 7, "H": 6, "I": 4, "J": 5, "K": 6, "L": 8, "M": 3}
NUMBERS = [f"{group}{number}" for group, count in COUNTS.items() for number in range(1, count + 1)]
TIMERS = [f"T{number:02}" for number in range(1, 27)]
TABLES = [f"D{number} (table)" for number in range(1, 6)]
RULES = [f"I{number} (rule)" for number in range(1, 10)]

NOT_HERE = re.compile(r"\*(Work: [a-z ]+|Program)\*")


@dataclass(frozen=True)
class Row:
    number: str
    places: tuple[str, ...]
    scenarios: tuple[str, ...]
    tests: tuple[str, ...]
    text: str

    @property
    def elsewhere(self) -> bool:
        return NOT_HERE.search(self.text) is not None


def rows() -> list[Row]:
    found: list[Row] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.match(r"[A-Z]\d", cells[0]):
            shown = re.findall(r"`([^`]+)`", cells[3])
            tests = tuple(name for name in shown if "::" in name)
            scenarios = tuple(name for name in shown if "::" not in name)
            found.append(
                Row(cells[0], tuple(re.findall(r"`([^`]+)`", cells[2])), scenarios, tests, f"{cells[2]} {cells[3]}")
            )
    return found


ROWS = rows()


@cache
def document(file: str) -> Any:
    return read_file(SPECS / file).data


@cache
def protocol(name: str) -> ProtocolSpec:
    return load_protocol(SPECS / f"{name}.yaml")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


def within(data: Any, path: str) -> bool:
    """Whether a dotted path leads to something; a part may name an entry of a list."""
    for part in path.split("."):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, Sequence) and not isinstance(data, str) and part in data:
            data = part
        else:
            return False
    return True


def exists(place: str) -> bool:
    file, colon, name = place.partition(": ")
    if not colon:
        return within(document(f"{DEFAULT}.yaml"), place)
    if file.endswith(".yaml"):
        return within(document(file), name)
    source = (ROOT / file).read_text(encoding="utf-8")
    return re.search(rf"^(class |def |async def )?{name}\b", source, re.MULTILINE) is not None


def scenario_file(name: str) -> Path:
    return SPECS / "scenarios" / f"{name if '/' in name else f'{DEFAULT}/{name}'}.yaml"


def full(place: str) -> str:
    return place if ": " in place else f"{DEFAULT}.yaml: {place}"


def related(place: str, passed: str) -> bool:
    return place == passed or place.startswith(f"{passed}.") or passed.startswith(f"{place}.")


@cache
def places_passed(name: str) -> frozenset[str]:
    """The places of the protocol and of the directory that a scenario goes through when it is played."""
    scenario = load(scenario_file(name), Scenario)
    spec = protocol(scenario.protocol)
    report = rehearse(spec, scenario, directory())
    events = [one.event for entry in report.entries for one in (*entry.before, *entry.happened)]
    passed = {path for event in events for path in paths_of(spec, event)} | tables_that_turned(report)
    looked_up = any(step.expect and step.expect.resources for step in (scenario.open, *scenario.steps))
    return frozenset(
        {f"{spec.protocol}.yaml: {path}" for path in passed} | ({"directory.yaml: resources"} if looked_up else set())
    )


def paths_of(spec: ProtocolSpec, event: e.Event) -> set[str]:
    return paths_of_what_was_done(spec, event) | paths_of_what_followed(spec, event)


def paths_of_what_was_done(spec: ProtocolSpec, event: e.Event) -> set[str]:
    match event:
        case e.FactsRecorded(facts=facts):
            return {f"facts.{name}" for name in facts}
        case e.EpisodeOpened(stage=stage) | e.StageEntered(stage=stage):
            emergency = {"emergency.script"} if stage == spec.emergency.stage else set[str]()
            return {f"stages.{stage}"} | emergency
        case e.StepCompleted(step=step) | e.StepSkipped(step=step):
            return {f"steps.{step}", *(f"techniques.{name}" for name in spec.steps[step].techniques)}
        case e.DecisionRecorded(decision=name):
            return {f"decisions.{name}", f"tables.{spec.decisions[name].advice}"}
        case e.CrisisTypeRecorded(crisis_type=name):
            return {f"crisis_types.{name}"}
        case e.ContactMade(party=name) | e.ContactAttempted(party=name):
            return {f"parties.{name}"}
        case _:
            return set()


def paths_of_what_followed(spec: ProtocolSpec, event: e.Event) -> set[str]:
    match event:
        case e.ObligationOpened(obligation=name):
            return {f"obligations.{name}", f"ladders.{spec.obligations[name].ladder}"}
        case e.NoticeRaised(notice=name):
            return {f"notices.{name}"}
        case e.RiskRaised():
            return {"risk.rules"}
        case e.RiskLowered():
            return {"risk.lowering"}
        case e.EpisodeClosed():
            return {"closing"}
        case e.CommandRefused():
            return paths_of_refusal(spec, event)
        case _:
            return set()


def paths_of_refusal(spec: ProtocolSpec, refused: e.CommandRefused) -> set[str]:
    if refused.code == "closing_not_met":
        return {"closing"}
    if refused.code == "step_order":
        return {f"steps.{step}" for step, one in spec.steps.items() if set(refused.missing) & set(one.after)}
    if refused.code == "clinical_refusal":
        return {f"refusals.{name}" for name, one in spec.refusals.items() if one.because == refused.message}
    return set()


def tables_that_turned(report: Report) -> set[str]:
    """Tables whose outcome changed, or was expected, somewhere in the scenario."""
    program, turned = report.program, set[str]()
    for name in program.spec.tables:
        read = program.readers.reader(name)
        outcomes = {read(entry.episode) for entry in report.entries if entry.episode is not None}
        expected = any(entry.cue.entry.expect and name in entry.cue.entry.expect.values for entry in report.entries)
        if len(outcomes) > 1 or expected:
            turned.add(f"tables.{name}")
    return turned


def test_every_number_is_there_once() -> None:
    assert len(NUMBERS) == 106
    assert [row.number for row in ROWS] == [*NUMBERS, *TIMERS, *TABLES, *RULES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_a_capability_has_a_place_and_a_proof(row: Row) -> None:
    assert row.places or row.elsewhere
    assert row.scenarios or row.tests or row.elsewhere


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_every_named_place_exists(row: Row) -> None:
    assert [place for place in row.places if not exists(place)] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_every_named_proof_exists(row: Row) -> None:
    for name in row.scenarios:
        assert scenario_file(name).is_file(), f"there is no scenario {name}"
    for name in row.tests:
        file, _, function = name.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), f"there is no test {name}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.scenarios], ids=lambda row: row.number)
def test_the_scenarios_go_through_every_place(row: Row) -> None:
    passed = frozenset[str]().union(*(places_passed(name) for name in row.scenarios))
    places = [place for place in map(full, row.places) if place.partition(": ")[0].endswith(".yaml")]
    assert [place for place in places if not any(related(place, one) for one in passed)] == []


def test_work_that_is_promised_is_listed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^- \*(Work: [a-z ]+)\*", page, re.MULTILINE))
    assert {found for row in ROWS for found in NOT_HERE.findall(row.text) if found != "Program"} == listed


def test_every_acceptance_scenario_is_there() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("## Acceptance scenarios")
    table, _, _ = table.partition("\n## ")
    named = re.findall(r"`(\w+)`", table)
    assert len(named) >= 16
    assert [one for one in named if not scenario_file(one).is_file()] == []
