"""The guides run as they stand, and what they and the README show is what is printed."""

from __future__ import annotations

import copy
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from cli.main import run
from protocol.check import check
from protocol.conditions import Guard, write_guard
from protocol.readers import Readers
from protocol.spec import ProtocolSpec
from protocol_specs.lint import lint
from protocol_specs.loader import Document, read_yaml
from protocol_specs.writing import yaml_text
from rehearsal.casting import problems
from rehearsal.rehearse import rehearse
from rehearsal.scenario import COMMANDS, Expectation, Scenario
from rehearsal.transcript import transcript
from tests.picture import PICTURE, draw, told

DOCS = Path(__file__).parent.parent / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced pieces of a page with their kind, such as `yaml` or `text`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```([a-z]+ ?[a-z]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def pieces_of(page: str) -> str:
    """The YAML pieces of a page, joined."""
    return "\n".join(text for kind, text in blocks(page) if kind == "yaml")


def written_in(page: str) -> Document:
    """The document that the YAML pieces of a page make together."""
    return read_yaml(pieces_of(page), page)


def test_the_protocol_of_the_guide_is_sound() -> None:
    document = written_in("writing_a_protocol.md")
    assert [str(found) for found in document.locate(check(document.validate(ProtocolSpec)))] == []


def examples(kind: str) -> list[Document]:
    """The pieces of that kind in the guide on writing a protocol."""
    found = [read_yaml(text) for one, text in blocks("writing_a_protocol.md") if one == kind]
    assert found
    return found


def test_the_conditions_of_the_guide_speak_of_its_protocol() -> None:
    readers = Readers(written_in("writing_a_protocol.md").validate(ProtocolSpec))
    for example in examples("yaml condition"):
        guard = example.validate(Guard)
        readers.predicate(guard)  # refuses a name or a value that the protocol does not have
        assert write_guard(guard) == example.data


def test_the_due_times_of_the_guide_fit_its_protocol() -> None:
    document = written_in("writing_a_protocol.md")
    for example in examples("yaml due"):
        changed = copy.deepcopy(document.data)
        changed["facts"]["call_at"] = {"ask": "When shall we call?", "type": "moment"}
        changed["steps"]["ask_again"].setdefault("form", []).append("call_at")
        changed["obligations"]["next_day"]["due"] = example.data
        found = check(ProtocolSpec.model_validate(changed))
        assert [one.message for one in found if one.severity == "error"] == []


def test_the_error_that_the_guide_shows_is_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "my_protocol.yaml"
    text = pieces_of("writing_a_protocol.md").replace("{reached: client, done", "{reached: clent, done")
    path.write_text(text, encoding="utf-8")
    shown = next(text for kind, text in blocks("writing_a_protocol.md") if kind == "text")
    assert "".join(f"{each}\n" for each in lint(path)).replace(str(path), "my_protocol.yaml") == shown


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


def test_the_guide_shows_what_a_comparison_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example of changing_a_protocol.md, on the protocol of the other guide."""
    pieces = written_in("writing_a_protocol.md")
    changed = copy.deepcopy(pieces.data)
    changed["obligations"]["next_day"]["due"]["values"]["high"] = "48h"
    changed["obligations"]["call_back"]["met_by"].append({"reached": "client", "done": "ask_again"})
    changed["obligations"]["call_back"]["title"] = "Call the client back"
    changed["ladders"]["now"]["repeat"] = "4m"
    changed["version"] = "1.1.0"
    (tmp_path / "old.yaml").write_text(pieces_of("writing_a_protocol.md"), encoding="utf-8")
    (tmp_path / "new.yaml").write_text(yaml_text(changed), encoding="utf-8")
    assert run(["protocol", "diff", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")]) == 1
    said = capsys.readouterr().out
    assert f"```text\n{said}```" in (DOCS / "changing_a_protocol.md").read_text(encoding="utf-8")


class Reader:
    """Does what a page tells its reader to do, in an empty folder, and compares what is said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        self._waiting: list[str] = []
        self.said = ""
        self.done: list[str] = []

    def follow(self, kind: str, text: str) -> None:
        """One fenced piece: commands, what to type into the last of them, what they say, a change of a file."""
        if kind == "sh":
            assert not self._waiting, "commands whose answer the page does not show"
            self._waiting = text.splitlines()
        elif kind == "diff":
            self._change(text)
        else:
            if self._waiting:
                self._run(text if kind == "input" else "")
            if kind == "text":
                self._compare(text)

    def _run(self, typed: str) -> None:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        codes: list[tuple[str, int]] = []
        for line in self._waiting:
            command, _, remark = line.partition("  # ends with ")
            words = shlex.split(command)
            if words[0] == "cp":
                shutil.copy(self.folder / words[1], self.folder / words[2])
            else:
                codes.append((command, run(words[1:]) - int(remark or 0)))
            self.done.append(command)
        self.said, self._waiting = self._capsys.readouterr().out, []
        assert [command for command, off in codes if off] == [], self.said

    def _compare(self, text: str) -> None:
        """Each line is said, in this order, the first one first; a line may end in `…`, and one may be left out so."""
        lines, said = text.splitlines(), iter(line.rstrip() for line in self.said.splitlines())
        if lines[0] != "…":
            assert self._is(lines[0], self.said.splitlines()[0].rstrip()), "an answer is shown from its first line"
        for line in lines:
            assert any(self._is(line, one) for one in said), line

    def _is(self, line: str, said: str) -> bool:
        begin = line.rstrip("…").rstrip()
        return said == begin or (line.endswith("…") and said.startswith(begin))

    def _change(self, text: str) -> None:
        name, *lines = text.splitlines()
        file = self.folder / name.removeprefix("--- ")
        old = "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", "-"))
        new = "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", "+"))
        written = file.read_text(encoding="utf-8")
        assert written.count(old) == 1, text
        file.write_text(written.replace(old, new), encoding="utf-8")


@pytest.mark.full
def test_the_first_protocol_is_written_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    reader = Reader(tmp_path, monkeypatch, capsys)
    for kind, text in blocks("first_protocol.md"):
        reader.follow(kind, text)
    verbs = {command.split()[2] for command in reader.done if command.startswith("holdfast protocol")}
    assert verbs == {"new", "lint", "fmt", "simulate", "test", "prove", "diff"}


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
