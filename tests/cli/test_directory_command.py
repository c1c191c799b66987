"""`holdfast directory …`: whom to call, and keeping the numbers right."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import migrate
from audit.database import connect
from cli.main import run
from practice.numbers import Numbers
from protocol.directory import Directory
from protocol_specs.loader import load
from settings import Settings

SHIPPED = Path(__file__).parents[2] / "protocol_specs" / "directory.yaml"
Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "directory.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


def test_a_county_is_shown_with_its_chain_and_warnings(capsys: Out) -> None:
    assert run(["directory", "show", "san_diego", "--on", "2026-12-01"]) == 0
    said = capsys.readouterr().out
    assert said.index("888-724-7240") < said.index("988") < said.index("911")
    assert "does not come to threats of violence" in said


def test_with_a_life_in_danger_the_emergency_number_comes_first(capsys: Out) -> None:
    assert run(["directory", "show", "san_diego", "--danger"]) == 0
    said = capsys.readouterr().out
    assert said.index("call 911") < said.index("888-724-7240") < said.index("call 988")


def test_a_county_without_a_line_says_so(capsys: Out) -> None:
    assert run(["directory", "show", "fresno"]) == 0
    assert "No line of Fresno County was verified" in capsys.readouterr().out


def test_json_carries_the_chain(capsys: Out) -> None:
    assert run(["directory", "show", "orange", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["chain"][0]["name"] == "orange_oc_links"


@pytest.mark.parametrize(
    "arguments", [["show", "orang"], ["show", "orange", "--on", "tomorrow"], ["retired", "nowhere.txt"]]
)
def test_what_cannot_be_is_answered_with_a_remedy(arguments: list[str], capsys: Out) -> None:
    assert run(["directory", *arguments]) == 2
    assert "mend:" in capsys.readouterr().err


def test_old_entries_and_uncalled_numbers_are_listed(capsys: Out) -> None:
    assert run(["directory", "check", "--on", "2027-06-01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "orange_oc_links" in found["expired"]
    assert "orange_oc_links" in found["never_called"]


def test_a_number_changed_by_one_person_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("HOLDFAST_DIRECTORY", str(edited(tmp_path, "855-625-4657", "855-555-0100")))
    assert run(["directory", "check", "--before", str(SHIPPED)]) == 1
    assert "orange_oc_links: the number changed without approval" in capsys.readouterr().out
    assert run(["directory", "check"]) == 0


def test_an_old_plan_is_searched_and_not_repeated(tmp_path: Path, capsys: Out) -> None:
    plan = tmp_path / "plan.txt"
    plan.write_text("Sam: call 988 and press 3.", encoding="utf-8")
    assert run(["directory", "retired", str(plan)]) == 1
    said = capsys.readouterr().out
    assert "ended on 2025-07-17" in said
    assert "Sam" not in said
    plan.write_text("Sam: call 988.", encoding="utf-8")
    assert run(["directory", "retired", str(plan)]) == 0


async def test_a_number_that_two_people_changed_is_the_one_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    url = f"sqlite:///{tmp_path / 'records.db'}"
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)
    migrate.upgrade(url)
    records = connect(url)
    numbers, now = Numbers(records), datetime(2026, 11, 30, tzinfo=UTC)
    directory = load(Settings().directory, Directory)
    ways = [{"by": "call", "number": "800-555-0100", "then": ""}]
    change = await numbers.propose(directory, "orange_oc_links", ways, "read on their page", "ruth", now)
    assert await asyncio.to_thread(run, ["directory", "show", "orange"]) == 0
    assert "800-555-0100" not in capsys.readouterr().out
    await numbers.answer(change, "iris", now, approve=True)
    await records.dispose()
    assert await asyncio.to_thread(run, ["directory", "show", "orange"]) == 0
    assert "800-555-0100" in capsys.readouterr().out


def test_without_the_records_the_file_is_shown_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert run(["directory", "show", "orange"]) == 0
    assert "the records don't answer" in capsys.readouterr().err
