"""Playing a scenario on the pure core: what passes, and that each expectation can fail."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from protocol.commands import EpisodeId
from protocol.directory import Directory
from protocol.findings import dotted
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load, load_protocol, read_file
from rehearsal.casting import problems
from rehearsal.play import Report
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.script import ScenarioError, episode_id_of
from rehearsal.transcript import WIDTH, transcript

ROOT = Path(__file__).parent.parent.parent
LATE = ROOT / "tests/scenarios/call_back_is_late.yaml"


@pytest.fixture(scope="module")
def spec() -> ProtocolSpec:
    return load_protocol(ROOT / "tests/scenarios/lookout.yaml")


@pytest.fixture(scope="module")
def directory() -> Directory:
    return load(ROOT / "protocol_specs/directory.yaml", Directory)


def changed(path: str, value: Any) -> Scenario:
    """The scenario with one place changed: `steps.2.expect.risk`."""
    document = read_file(LATE).data
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place = document
    for part in parents:
        place = place[part]
    place[last] = value
    return Scenario.model_validate(document)


def failed(report: Report) -> list[str]:
    return [dotted(failure.path) for failure in report.failures]


@pytest.mark.parametrize("length", [1, 39, 40, 48])
def test_the_episode_of_a_scenario_has_an_id_that_fits(length: int) -> None:
    whole = episode_id_of(changed("scenario", "s" * length))
    assert len(whole) == min(len("scenario-") + length, 48)
    assert TypeAdapter(EpisodeId).validate_python(whole) == whole
    assert whole.startswith("scenario-s")


def test_two_long_names_are_two_episodes() -> None:
    names = ["a" * 47 + "b", "a" * 47 + "c"]
    assert len({episode_id_of(changed("scenario", name)) for name in names}) == 2


def test_a_scenario_whose_expectations_are_met_passes(spec: ProtocolSpec, directory: Directory) -> None:
    report = rehearse(spec, load(LATE, Scenario), directory)
    assert report.passed, transcript(report)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("open.expect.stage", "after", "open.expect.stage"),
        ("open.expect.risk", "high", "open.expect.risk"),
        ("open.expect.owner", "sol", "open.expect.owner"),
        ("open.expect.closed", "yes", "open.expect.closed"),
        ("open.expect.refused", "wrong_role", "open.expect.refused"),
        ("open.expect.open", {"call_back": "15:01"}, "open.expect.open.call_back.due"),
        ("open.expect.notices", ["storm"], "open.expect.notices"),
        ("steps.0.expect.refused", "wrong_role", "steps[0].expect.refused"),
        ("steps.0.expect.missing", ["present_county"], "steps[0].expect.missing"),
        ("steps.0.expect", {}, "steps[0].expect.refused"),
        ("steps.1.expect.values", {"attempts.client": 2}, "steps[1].expect.values.attempts.client"),
        ("steps.1.expect.values", {"weather": "fine"}, "steps[1].expect.values.weather"),
        ("steps.1.expect.not_open", ["call_back"], "steps[1].expect.not_open"),
        ("steps.2.expect.no_pages", "yes", "steps[2].expect.no_pages"),
        ("steps.2.expect.pages", [{"obligation": "call_back", "rung": 0}] * 2, "steps[2].expect.pages[1]"),
        ("steps.2.expect.pages", [{"obligation": "call_back", "to": []}], "steps[2].expect.pages[0]"),
        ("steps.2.expect.pages", [{"obligation": "call_back", "at": "15:01"}], "steps[2].expect.pages[0]"),
        ("steps.2.expect.never_events", ["DeadlineMissed"], "steps[2].expect.never_events"),
        ("steps.2.expect.open.call_back", {"rung": 0}, "steps[2].expect.open.call_back.rung"),
        ("steps.2.expect.open.call_back", {"overdue": "no"}, "steps[2].expect.open.call_back.overdue"),
        ("steps.2.expect.open.call_back", {"owner": "supervisor"}, "steps[2].expect.open.call_back.owner"),
        ("steps.2.expect.resources", {"county": "kern"}, "steps[2].expect.resources.county"),
        ("steps.2.expect.resources", {"numbers": ["555-555-5555"]}, "steps[2].expect.resources.numbers"),
        ("steps.2.expect.resources", {"absent": ["988"]}, "steps[2].expect.resources.absent"),
        ("steps.2.expect.resources", {"warnings": ["county_unknown"]}, "steps[2].expect.resources.warnings"),
        (
            "steps.3.expect.open.call_back",
            {"acknowledged_by": "mara"},
            "steps[3].expect.open.call_back.acknowledged_by",
        ),
        ("steps.4.expect.ended", {"call_back": "met"}, "steps[4].expect.ended.call_back"),
        ("steps.4.expect.open", {"call_back": "any"}, "steps[4].expect.open.call_back"),
        ("steps.4.expect.events", ["EpisodeClosed"], "steps[4].expect.events"),
        ("steps.4.expect.facts", {"call_at": "18:01"}, "steps[4].expect.facts.call_at"),
    ],
)
def test_every_expectation_can_fail(
    path: str, value: Any, place: str, spec: ProtocolSpec, directory: Directory
) -> None:
    report = rehearse(spec, changed(path, value), directory)
    assert failed(report) == [place]
    assert "expected" in str(report.failures[0])


def test_a_refused_opening_is_reported_and_the_rest_goes_on(spec: ProtocolSpec) -> None:
    report = rehearse(spec, changed("people", {"mara": "astronaut", "sol": "supervisor"}))
    assert report.entries[0].episode is None
    assert "open.expect.refused" in failed(report)
    assert "No episode was opened." in transcript(report)


def test_a_transcript_fits_its_width_and_says_what_failed(spec: ProtocolSpec) -> None:
    story = transcript(rehearse(spec, changed("open.expect.risk", "high")))
    assert max(map(len, story.splitlines())) <= WIDTH
    assert "1 NOT met" not in story  # the directory is missing as well
    assert "open.expect.risk: risk: expected high, got low" in story


def test_the_same_scenario_tells_the_same_story(spec: ProtocolSpec) -> None:
    scenario = load(LATE, Scenario)
    assert transcript(rehearse(spec, scenario)) == transcript(rehearse(spec, scenario))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("protocol", "other", "for other"),
        ("people.mara", "therapst", "no role"),
        ("steps.1.at", "13:00", "before the entry above"),
        ("steps.1.by", "nobody", "no person"),
        ("steps.1.expect.open", {"call_bck": "any"}, "call_back"),
        ("steps.1.expect.values", {"dangr": "yes"}, "danger"),
        ("steps.1.expect.stage", "tlk", "no stage"),
        ("steps.1.expect.risk", "huge", "no level"),
        ("steps.1.expect.events", ["Rain"], "no kind of event"),
        ("steps.2.expect.pages", [{"obligation": "call"}], "no obligation"),
        ("steps.2.expect.pages", [{"obligation": "call_back", "at": "2026-03-08 02:30"}], "does not exist"),
        ("steps.2.expect.open", {"call_back": "2026-11-01 01:30"}, "happens twice"),
        ("steps.4.occurred", "2026-02-30 10:00", "not a time"),
        ("rota", {"leave": [{"person": "zoe", "first": "2026-12-01", "last": "2026-12-02"}]}, "not among `people`"),
    ],
)
def test_names_and_times_that_cannot_be_are_found_before_playing(
    path: str, value: Any, message: str, spec: ProtocolSpec
) -> None:
    [finding] = problems(spec, changed(path, value))
    assert message in f"{finding.message} {finding.remedy}"


def test_a_scenario_that_goes_back_in_time_is_not_played(spec: ProtocolSpec) -> None:
    with pytest.raises(ScenarioError, match=r"steps\[1\].at.*write the day"):
        rehearse(spec, changed("steps.1.at", "13:00"))
