"""The guides run as they stand, and what the README shows is what is printed."""

from __future__ import annotations

import copy
import re
from pathlib import Path

from protocol.check import check
from protocol.diff import as_text, compare
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document, read_yaml
from rehearsal.casting import problems
from rehearsal.rehearse import rehearse
from rehearsal.scenario import COMMANDS, Expectation, Scenario
from rehearsal.transcript import transcript
from tests.picture import PICTURE, draw, told

DOCS = Path(__file__).parent.parent / "docs"


def written_in(page: str) -> Document:
    """The YAML pieces of a page, joined."""
    pieces = re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return read_yaml("\n".join(pieces), page)


def test_the_protocol_of_the_guide_is_sound() -> None:
    document = written_in("writing_a_protocol.md")
    assert [str(found) for found in document.locate(check(document.validate(ProtocolSpec)))] == []


def test_the_scenario_of_the_guide_passes() -> None:
    spec = written_in("writing_a_protocol.md").validate(ProtocolSpec)
    scenario = written_in("writing_a_scenario.md").validate(Scenario)
    assert problems(spec, scenario) == ()
    report = rehearse(spec, scenario)
    assert report.passed, transcript(report)


def test_the_guide_names_every_command_and_every_expectation() -> None:
    page = (DOCS / "writing_a_scenario.md").read_text(encoding="utf-8")
    wanted = {*COMMANDS, *Expectation.model_fields} - {"open_episode"}
    assert {name for name in wanted if f"`{name}`" not in page} == set()


def test_the_guide_names_every_part_of_a_protocol() -> None:
    page = (DOCS / "writing_a_protocol.md").read_text(encoding="utf-8")
    assert {name for name in ProtocolSpec.model_fields if f"`{name}`" not in page and f"\n{name}:" not in page} == set()


def test_the_guide_shows_what_a_comparison_says() -> None:
    """The example of changing_a_protocol.md, on the protocol of the other guide."""
    pieces = written_in("writing_a_protocol.md")
    changed = copy.deepcopy(pieces.data)
    changed["obligations"]["next_day"]["due"]["values"]["high"] = "48h"
    changed["obligations"]["call_back"]["met_by"].append({"reached": "client", "done": "ask_again"})
    changed["obligations"]["call_back"]["title"] = "Call the client back"
    changed["ladders"]["now"]["repeat"] = "4m"
    said = as_text(compare(pieces.validate(ProtocolSpec), ProtocolSpec.model_validate(changed)))
    assert f"```text\n{said}\n```" in (DOCS / "changing_a_protocol.md").read_text(encoding="utf-8")


def test_the_readme_shows_what_is_printed() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    shown = [
        line
        for block in re.findall(r"^```\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    lines = [line for line in shown if re.match(r"\d\d:\d\d|          \w", line)]
    assert len(lines) >= 6
    printed = told().splitlines()
    assert [line for line in lines if line not in printed] == []


def test_the_picture_shows_what_is_printed() -> None:
    drawn = draw(told())
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    assert PICTURE.read_text(encoding="utf-8") == drawn, "the story has changed: python -m tests.picture draws it anew"
