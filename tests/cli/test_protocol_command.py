"""`holdfast protocol …` and the manners that every command shares."""

import json
from pathlib import Path

import pytest

from cli.main import run
from protocol_specs.loader import load_protocol

ROOT = Path(__file__).parent.parent.parent
LOOKOUT = str(ROOT / "tests/scenarios/lookout.yaml")
MINIMAL = str(ROOT / "tests/specs/minimal.yaml")
LATE = str(ROOT / "tests/scenarios/call_back_is_late.yaml")

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))


def test_scenarios_that_pass_end_with_zero(capsys: Out) -> None:
    assert run(["protocol", "test", LOOKOUT, LATE]) == 0
    assert "1 scenario: all passed" in capsys.readouterr().out


def test_a_failed_expectation_is_shown_with_its_line(capsys: Out, tmp_path: Path) -> None:
    text = Path(LATE).read_text(encoding="utf-8").replace("risk: low", "risk: high")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text, encoding="utf-8")
    assert run(["protocol", "test", LOOKOUT, str(wrong)]) == 1
    said = capsys.readouterr().out
    line = next(number for number, one in enumerate(text.splitlines(), start=1) if "risk: high" in one)
    assert f"wrong.yaml:{line}:" in said
    assert "risk: expected high, got low" in said


def test_a_scenario_that_cannot_be_read_is_a_finding_like_any_other(capsys: Out, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("scenario: half\nsurprise: yes\n", encoding="utf-8")
    assert run(["protocol", "test", "--json", LOOKOUT, str(wrong), LATE]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["passed"] for one in told["scenarios"]] == [False, True]
    assert 2 in [finding["line"] for finding in told["scenarios"][0]["findings"]]


def test_a_story_is_told_where_asked(capsys: Out) -> None:
    assert run(["protocol", "test", "--tell", LOOKOUT, LATE]) == 0
    assert "Sol, Supervisor, says “I am on it”" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["protocol", "test", "no_such_protocol"], "there is no protocol no_such_protocol"),
        (["protocol", "test", LOOKOUT, "no_such_scenario"], "there is no scenario"),
        (["protocol", "test", LOOKOUT, "drafts/none.yaml"], "there is no file drafts/none.yaml"),
        (["protocol", "test", MINIMAL, "no_such_scenario"], "has none yet"),
        (["protocol", "lint", "drafts/none.yaml"], "there is no file drafts/none.yaml"),
        (["protocol", "lint", str(ROOT / "tests")], "is a folder"),
        (["protocol", "whatif", LOOKOUT, "--from", "none.zip"], "there is no file none.zip"),
        (["protocol", "test"], "Missing argument"),
        (["protocol", "tset"], "No such command"),
        (["protocol", "test", LOOKOUT, "--surprise"], "No such option"),
    ],
)
def test_wrong_use_is_said_in_one_style(arguments: list[str], message: str, capsys: Out) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "\nmend:  " in said
    assert message in said


def test_a_protocol_without_scenarios_is_no_success(capsys: Out) -> None:
    assert run(["protocol", "test", LOOKOUT]) == 1
    assert "has no scenarios" in capsys.readouterr().err


def test_a_wrong_setting_is_said_in_the_same_style(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SURPRISE", "1")
    assert run(["protocol", "list"]) == 1
    assert "error: HOLDFAST_SURPRISE" in capsys.readouterr().err


def test_the_protocols_that_ship_are_listed(capsys: Out) -> None:
    assert run(["protocol", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert "withdrawal_monitoring" in [one["protocol"] for one in listed]
    assert run(["protocol", "list"]) == 0
    assert "\x1b[" not in capsys.readouterr().out


def test_a_clean_protocol_has_no_finding(capsys: Out) -> None:
    assert run(["protocol", "lint", MINIMAL]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"


def test_errors_are_told_and_end_with_one(capsys: Out, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(MINIMAL).read_text(encoding="utf-8").replace("{reached: client}", "{reached: clent}"))
    assert run(["protocol", "lint", str(wrong)]) == 1
    assert "error: `clent` is not a party of this protocol\n    → did you mean `client`?" in capsys.readouterr().out
    assert run(["protocol", "lint", str(wrong), "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert told["path"] == "obligations.call_back.met_by[0].reached"


@pytest.mark.parametrize("document", ["protocol", "scenario"])
def test_the_schema_is_printed_as_it_is_published(capsys: Out, document: str) -> None:
    assert run(["protocol", "schema", document]) == 0
    assert capsys.readouterr().out == (ROOT / f"docs/{document}.schema.json").read_text(encoding="utf-8")


def test_the_diagram_is_printed(capsys: Out) -> None:
    assert run(["protocol", "diagram", MINIMAL]) == 0
    assert capsys.readouterr().out == (ROOT / "tests/specs/minimal.svg").read_text(encoding="utf-8")
    assert run(["protocol", "diagram", MINIMAL, "--mermaid"]) == 0
    assert capsys.readouterr().out == (ROOT / "tests/specs/minimal.mmd").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "code", "effect"),
    [("repeat: 5m", "repeat: 6m", 1, "laxer"), ("repeat: 5m", "repeat: 4m", 0, "stricter")],
)
def test_two_versions_are_compared(capsys: Out, tmp_path: Path, old: str, new: str, code: int, effect: str) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(Path(MINIMAL).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert run(["protocol", "diff", MINIMAL, str(other)]) == code
    assert f"1 {effect}" in capsys.readouterr().out
    assert run(["protocol", "diff", MINIMAL, str(other), "--json"]) == code
    assert [(one["effect"], one["path"]) for one in json.loads(capsys.readouterr().out)] == [
        (effect, "ladders.minutes.repeat")
    ]


def test_what_is_compared_is_named_with_its_versions(capsys: Out, tmp_path: Path) -> None:
    text, other = Path(MINIMAL).read_text(encoding="utf-8"), tmp_path / "other.yaml"
    other.write_text(text.replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8")
    run(["protocol", "diff", MINIMAL, str(other)])
    said = capsys.readouterr()
    assert "version 1.0.0 → 1.1.0" in said.out.splitlines()[0]
    assert said.err == ""
    other.write_text(text.replace("repeat: 5m", "repeat: 6m"), encoding="utf-8")
    run(["protocol", "diff", MINIMAL, str(other)])
    assert f"version 1.0.0 ({load_protocol(Path(MINIMAL)).content_hash[:12]} → " in capsys.readouterr().out
    run(["protocol", "diff", MINIMAL, LOOKOUT])
    said = capsys.readouterr()
    assert "these are two protocols, minimal and lookout" in said.err
    assert said.out.startswith("minimal 1.0.0 → lookout ")


def test_a_table_is_found_by_the_decision_that_it_advises_also_when_mistyped(capsys: Out) -> None:
    assert run(["protocol", "tables", "virtual_iop_crisis", "step_upp"]) == 2
    assert "did you mean `step_up`?" in capsys.readouterr().err


def test_a_mistyped_file_is_answered_with_the_nearest(
    capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evening_line.yaml").write_text("x: y\n", encoding="utf-8")
    assert run(["protocol", "lint", "evning_line.yaml"]) == 2
    assert "did you mean `evening_line.yaml`?" in capsys.readouterr().err
    assert run(["protocol", "lint", "evening_line"]) == 2
    assert "name its file: evening_line.yaml" in capsys.readouterr().err


def test_a_week_is_said_to_be_seven_days(capsys: Out, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(MINIMAL).read_text(encoding="utf-8").replace("due: 2h", "due: 2w", 1), encoding="utf-8")
    assert run(["protocol", "lint", str(wrong)]) == 1
    assert "a week is 7d" in capsys.readouterr().out


def test_a_draft_with_errors_is_not_called_laxer(capsys: Out, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(Path(MINIMAL).read_text(encoding="utf-8").replace("{reached: client}", "{reached: clent}"))
    for pair in ((MINIMAL, str(broken)), (str(broken), MINIMAL)):
        assert run(["protocol", "diff", *pair]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "broken.yaml" in said.err
        assert "did you mean `client`?" in said.err


def test_what_draws_and_describes_answers_in_json_too(capsys: Out) -> None:
    assert run(["protocol", "schema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ProtocolSpec"
    assert run(["protocol", "diagram", MINIMAL, "--json"]) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in drawn["open"]] == ["talk", "settle", "follow_up"]


def test_a_protocol_is_shown_with_its_deadlines(capsys: Out) -> None:
    assert run(["protocol", "show", LOOKOUT]) == 0
    said = capsys.readouterr().out
    for expected in ("Lookout", "Call back", "[A, S1]", "the owner (15m)", "then every 30m"):
        assert expected in said
    assert run(["protocol", "show", LOOKOUT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "lookout"


def test_a_table_is_explained(capsys: Out, tmp_path: Path) -> None:
    assert run(["protocol", "tables", MINIMAL, "company"]) == 0
    assert "Gaps: none, every case has an outcome." in capsys.readouterr().out
    gap = tmp_path / "gap.yaml"
    gap.write_text(Path(MINIMAL).read_text(encoding="utf-8").replace("{wish_to_die: yes, support: nobody}", "{}"))
    assert run(["protocol", "tables", str(gap), "company", "--json"]) == 1
    assert {"wish_to_die": ["unknown"]} in json.loads(capsys.readouterr().out)["gaps"]
    assert run(["protocol", "tables", MINIMAL, "compny"]) == 2
    assert "did you mean `company`?" in capsys.readouterr().err


def test_coverage_is_reported_where_asked(capsys: Out) -> None:
    assert run(["protocol", "test", LOOKOUT, LATE, "--coverage"]) == 0
    assert "risk rules: 1 of 1" in capsys.readouterr().out
    assert run(["protocol", "test", LOOKOUT, LATE, "--coverage", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["coverage"]
    assert {"call_back_is_late"} == {name for spot in told for name in spot["scenarios"]}
