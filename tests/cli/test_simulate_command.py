"""`holdfast protocol simulate` with what a person would type piped in."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run

ROOT = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]
Type = Callable[..., str]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    return Path(shutil.copy(ROOT / "tests/specs/minimal.yaml", tmp_path / "minimal.yaml"))


@pytest.fixture
def typed(spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> Type:
    """What is said when these lines are typed."""

    def type_in(*lines: str, options: tuple[str, ...] = ()) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        assert run(["protocol", "simulate", str(spec), "--starts", "2026-12-01 10:00", *options]) == 0
        return capsys.readouterr().out

    return type_in


def test_a_form_is_asked_and_its_answers_raise_the_risk(typed: Type) -> None:
    said = typed("1", "maybe", "yes", "rest", "quit")
    assert "! maybe is none: yes or no, or refused" in said
    assert "rises from low to HIGH: A wish to die and nobody there." in said
    assert "risk HIGH" in said


def test_time_passes_and_pages_leave(typed: Type) -> None:
    said = typed("2 h later")
    assert "11:00     Holdfast: time has come\n          page      Come to a plan → Supervisor: Ben by email" in said
    assert "OVERDUE   Come to a plan (was due 12:00)" in said
    assert "0 s OVERDUE" in said


def test_a_form_can_be_left(typed: Type) -> None:
    said = typed("1", "no", "cancel", "quit")
    assert "Nothing was done." in said
    assert "completes" not in said


def test_taking_back_forgets_what_was_paged(typed: Type, spec: Path) -> None:
    """A first page is told in full again, not counted as one more of the same."""
    later = spec.read_text(encoding="utf-8").replace("    lead: 2h\n", "    lead: 1h\n", 1)
    spec.write_text(later, encoding="utf-8")
    said = typed("70 min", "undo", "70 min")
    assert "Taken back: the time that passed" in said
    assert said.count("page      Come to a plan → the owner: Mara by email") == 2


def test_a_saved_run_is_played_by_the_test_command(typed: Type, spec: Path, capsys: Out) -> None:
    said = typed("1", "no", "rest", "as ben", "1 d", "save missed_call Nobody came", "quit")
    file = spec.parent / "scenarios/minimal/missed_call.yaml"
    assert f"Saved as {file}" in said
    assert "You are Ben, Supervisor now." in said
    assert run(["protocol", "test", str(spec)]) == 0
    assert "Nobody came" in capsys.readouterr().out
    other = spec.read_text(encoding="utf-8").replace("due: 2h", "due: 3h")
    spec.write_text(other, encoding="utf-8")
    assert run(["protocol", "test", str(spec)]) == 1


def test_a_run_is_never_saved_over_another(typed: Type, spec: Path) -> None:
    typed("5 min", "save once", "6 min", "save once")
    file = spec.parent / "scenarios/minimal/once.yaml"
    kept = file.read_text(encoding="utf-8")
    assert "there is already a scenario" in typed("5 min", "save once")
    assert "can't be the name of a scenario" in typed("5 min", "save ../Once")
    assert file.read_text(encoding="utf-8") == kept
    assert [one.name for one in spec.parent.rglob("*.yaml")] == ["minimal.yaml", "once.yaml"]


def test_the_end_of_the_input_leaves_and_says_what_was_not_kept(typed: Type) -> None:
    assert "Left without saving" in typed("5 min")
    assert "Left without saving" not in typed()


def test_an_interrupted_run_can_be_kept(typed: Type, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = typed("5 min", "1", "no", options=("--save", "cut_off"))
    assert "Nothing was done." in said
    assert (spec.parent / "scenarios/minimal/cut_off.yaml").is_file()

    class Interrupted(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert run(["protocol", "simulate", str(spec), "--save", "by_ctrl_c"]) == 0
    assert (spec.parent / "scenarios/minimal/by_ctrl_c.yaml").is_file()


@pytest.mark.parametrize("line", ["99", "blah", "as nobody", "undo", "save", "tomorrow"])
def test_what_is_not_understood_says_what_would_be(typed: Type, line: str) -> None:
    said = typed(line)
    assert "\n! " in said
    assert "\n  → " in said


def test_machines_are_answered_in_json(typed: Type) -> None:
    said = typed("help", "1", "no", "rest", "bad", options=("--json",))
    decoder, documents = json.JSONDecoder(), []
    while said.strip():
        document, end = decoder.raw_decode(said.lstrip())
        documents.append(document)
        said = said.lstrip()[end:]
    assert documents[0]["menu"][0]["act"] == "complete_step"
    assert "StepCompleted" in [event["kind"] for event in documents[-2]["happened"]]
    assert documents[-2]["owed"][0]["due"] == "2026-12-01T20:00:00Z"
    assert "is no time" in documents[-1]["error"]


def test_what_can_not_begin_is_said(spec: Path, capsys: Out) -> None:
    assert run(["protocol", "simulate", str(spec), "--type", "overdos"]) == 2
    assert "did you mean `overdose`?" in capsys.readouterr().err
    assert run(["protocol", "simulate", str(spec), "--starts", "yesterday"]) == 2


def test_a_population_is_told_drawn_and_repeatable(spec: Path, capsys: Out, tmp_path: Path) -> None:
    command = ["protocol", "simulate", str(spec), "--population", "30", "--seed", "4"]
    assert run([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "These are ASSUMPTIONS, not facts" in said.out
    for title in ("Load for each 100 episodes", "Pages by rung", "Missed deadlines", "Step-ups", "Until closed"):
        assert title in said.out
    assert said.err == "", "nobody watches"
    assert (tmp_path / "out/population.svg").read_text(encoding="utf-8").startswith("<svg")
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out/population.json").read_text(encoding="utf-8"))


def test_rates_beside_the_protocol_are_used_and_wrong_ones_said(spec: Path, capsys: Out) -> None:
    beside = spec.parent / "rates/minimal.yaml"
    beside.parent.mkdir()
    beside.write_text("title: Our own log of 2026\nsource: {grade: B}\nreach: {client: 80}\n", encoding="utf-8")
    assert run(["protocol", "simulate", str(spec), "--population", "3"]) == 0
    said = capsys.readouterr().out
    assert "Our own log of 2026 [B]" in said
    assert "ASSUMPTIONS" not in said
    beside.write_text("reach: {clent: 80}\n", encoding="utf-8")
    assert run(["protocol", "simulate", str(spec), "--population", "3"]) == 1
    assert "minimal.yaml:1:9: error: `clent` is no party\n    → did you mean `client`?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rates", "wrong", "remedy"),
    [
        ("first_day: 2026-13-45", "there is no day 2026-13-45", "write it as year-month-day"),
        ("risk: {low: 0}", "the weights of risk are all 0", "write a number above 0 for one of them"),
        ("days: 0", "`days` is too small", "write 1 or more"),
        ("staff: {rolls: {}}", "`rolls` is not a key of staff", "roles"),
    ],
)
def test_wrong_rates_come_with_a_remedy(spec: Path, capsys: Out, rates: str, wrong: str, remedy: str) -> None:
    file = spec.parent / "rates.yaml"
    file.write_text(f"{rates}\n", encoding="utf-8")
    assert run(["protocol", "simulate", str(spec), "--population", "3", "--rates", str(file)]) == 1
    said = capsys.readouterr().out
    assert wrong in said.splitlines()[0]
    assert remedy in said.splitlines()[1]


def test_rungs_are_counted_from_one(spec: Path, capsys: Out) -> None:
    assert run(["protocol", "simulate", str(spec), "--population", "30", "--seed", "4"]) == 0
    told = capsys.readouterr().out.partition("Pages by rung")[2].partition("Pages that found nobody")[0]
    rungs = {found[1] for line in told.splitlines() if (found := re.search(r" (\d+) +\D.* \d+ *$", line))}
    assert "1" in rungs
    assert "0" not in rungs


def test_what_is_mistyped_at_the_prompt_is_answered_with_the_nearest(typed: Type) -> None:
    said = typed("as be", "sho", "1 week later", "quit")
    assert "there is nobody called be\n  → did you mean `ben`?" in said
    assert "sho is no command\n  → did you mean `show`?" in said
    assert "8 Dec" in said


def test_a_population_has_bounds(spec: Path, capsys: Out) -> None:
    for number in ("0", "100001"):
        assert run(["protocol", "simulate", str(spec), "--population", number]) == 2
        assert "play 1 to 100000" in capsys.readouterr().err
