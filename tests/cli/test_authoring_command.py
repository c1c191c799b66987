"""`holdfast protocol new` and `fmt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run
from protocol.rota import Rota
from protocol_specs.lint import lint
from protocol_specs.loader import load, load_protocol
from protocol_specs.starting import TEMPLATES

ROOT = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.iterdir()))
def test_a_new_protocol_is_clean_complete_and_plays_its_scenario(folder: Path, template: str, capsys: Out) -> None:
    assert run(["protocol", "new", "evening_line", "--from", template]) == 0
    file = folder / "evening_line.yaml"
    assert f"Written: {file.name}" in capsys.readouterr().out
    assert lint(file) == []
    assert load_protocol(file).protocol == "evening_line"
    assert "NAME" not in file.read_text(encoding="utf-8")
    assert run(["protocol", "test", str(file)]) == 0
    assert run(["protocol", "fmt", str(file), "--check"]) == 0


def test_the_first_line_names_a_schema_that_is_there(folder: Path) -> None:
    assert run(["protocol", "new", "evening_line"]) == 0
    for file in (folder / "evening_line.yaml", *folder.glob("scenarios/evening_line/*.yaml")):
        begin, _, schema = file.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")
        assert begin == "# yaml-language-server: "
        assert json.loads((file.parent / schema).read_text(encoding="utf-8"))["title"] in ("ProtocolSpec", "Scenario")


def test_nothing_is_overwritten(folder: Path, capsys: Out) -> None:
    (folder / "evening_line.yaml").write_text("mine", encoding="utf-8")
    assert run(["protocol", "new", "evening_line"]) == 2
    assert "evening_line.yaml exists already" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["evening_line.yaml"]
    assert run(["protocol", "new", "evening_line", "--in", "drafts"]) == 0
    scenario = folder / "drafts/scenarios/evening_line/nobody_answers.yaml"
    scenario.write_text("mine", encoding="utf-8")
    (folder / "drafts/evening_line.yaml").unlink()
    assert run(["protocol", "new", "evening_line", "--in", "drafts"]) == 2
    assert scenario.read_text(encoding="utf-8") == "mine"


def test_one_may_begin_with_a_copy(folder: Path) -> None:
    assert run(["protocol", "new", "monitoring_two", "--from", "withdrawal_monitoring", "--json"]) == 0
    file = folder / "monitoring_two.yaml"
    spec = load_protocol(file)
    assert (spec.protocol, spec.version) == ("monitoring_two", "0.1.0")
    assert run(["protocol", "test", str(file)]) == 0


@pytest.mark.parametrize("name", ["Evening", "../up", "", "rota", "x" * 49])
def test_a_name_that_is_none_writes_nothing(folder: Path, name: str, capsys: Out) -> None:
    assert run(["protocol", "new", "--", name]) == 2
    assert "mend:" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_an_unknown_template_is_said(folder: Path, capsys: Out) -> None:
    assert run(["protocol", "new", "x", "--from", "startr"]) == 2
    assert "did you mean `starter`?" in capsys.readouterr().err


def test_fmt_lays_out_and_check_only_says(folder: Path, capsys: Out) -> None:
    assert run(["protocol", "new", "evening_line"]) == 0
    file = folder / "evening_line.yaml"
    tidy = file.read_text(encoding="utf-8")
    untidy = tidy.replace("\nversion: 0.1.0\n", "\n") + "\n\n\nversion: 0.1.0"
    file.write_text(untidy, encoding="utf-8")
    assert run(["protocol", "fmt", str(file), "--check"]) == 1
    assert file.read_text(encoding="utf-8") == untidy
    assert run(["protocol", "fmt", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == tidy
    capsys.readouterr()
    assert run(["protocol", "fmt", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(file), "changed": False, "written": False}


def test_a_draft_with_errors_can_be_laid_out_and_no_document_can_not(folder: Path, capsys: Out) -> None:
    draft = folder / "draft.yaml"
    draft.write_text("version: 1.0.0\nprotocol: draft\n", encoding="utf-8")
    assert run(["protocol", "fmt", str(draft)]) == 0
    assert draft.read_text(encoding="utf-8") == "protocol: draft\nversion: 1.0.0\n"
    draft.write_text("protocol: draft\nprotocol: two\n", encoding="utf-8")
    assert run(["protocol", "fmt", str(draft)]) == 1
    assert "draft.yaml:2:1: error: `protocol` is written twice" in capsys.readouterr().out


def test_the_staff_that_ships_can_act_in_the_starter() -> None:
    """Whoever tries the tutorial on the embedded stack finds people for its roles."""
    rota = load(ROOT / "protocol_specs/rota.yaml", Rota)
    assert {"therapist", "supervisor"} <= {role for person in rota.people for role in person.roles}
