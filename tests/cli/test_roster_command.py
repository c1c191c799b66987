"""`holdfast roster check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run
from cli.output import Trouble
from cli.shelf import find_person
from protocol.rota import parse_rota
from protocol_specs.loader import load_protocol

ROOT = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]
ROTA = """\
people:
  - {id: tess, name: Tess, roles: [therapist], email: tess@example.test, licensed: true, licensed_in: [CA]}
  - {id: sue, name: Sue, roles: [supervisor], email: sue@example.test, licensed: true, licensed_in: [CA]}
  - {id: cor, name: Cor, roles: [coordinator], email: cor@example.test}
shifts:
  - {role: supervisor, person: sue, weekly: {days: [mon, tue, wed, thu, fri, sat, sun], begins: "01:00", ends: "00:00"}}
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    rota = tmp_path / "rota.yaml"
    rota.write_text(ROTA, encoding="utf-8")
    spec = str(ROOT / "tests/specs/minimal.yaml")
    return ["roster", "check", "--rota", str(rota), "--protocol", spec, "--from", "2026-12-01", "--weeks", "1"]


def test_each_gap_is_named_in_local_time_with_a_remedy(command: list[str], capsys: Out) -> None:
    assert run(command) == 1
    said = capsys.readouterr().out
    assert "Tue 1 Dec 2026 00:00" in said
    assert "no shift of `supervisor` covers this" in said
    assert "→ add a shift as `supervisor`: Sue" in said
    assert "7 gaps." in said
    assert run([*command, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [gap["begins"] for gap in told["gaps"]][:2] == ["2026-12-01T08:00:00Z", "2026-12-02T08:00:00Z"]


def test_the_staff_that_ships_is_always_there(command: list[str], capsys: Out) -> None:
    assert run(["roster", "check", "--from", "2026-11-23"]) == 0
    assert "no gaps." in capsys.readouterr().out


WRONG = [
    ["--from", "tomorrow"],
    ["--from", "9999-12-30"],
    ["--from", "0001-01-01"],
    ["--weeks", "0"],
    ["--weeks", "54"],
    ["--protocol", "none"],
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_use_is_said(command: list[str], wrong: list[str], capsys: Out) -> None:
    assert run([*command, *wrong]) == 2
    assert "mend:" in capsys.readouterr().err


def test_a_broken_rota_is_said_with_its_line(command: list[str], capsys: Out) -> None:
    Path(command[3]).write_text(ROTA.replace("[CA]", "[Ca]"), encoding="utf-8")
    assert run(command) == 1
    assert "rota.yaml:2:" in capsys.readouterr().out


def test_a_role_that_needs_a_licence_is_not_taken_without_one() -> None:
    rota = parse_rota(
        {
            "people": [
                {"id": "ned", "name": "Ned", "roles": ["therapist", "coordinator"], "email": "ned@example.test",
                 "licensed": True, "licensed_in": ["NV"]},
            ]
        }
    )  # fmt: skip
    spec = load_protocol(ROOT / "tests/specs/minimal.yaml")
    with pytest.raises(Trouble, match="ned has no licence in CA, which a therapist needs"):
        find_person(rota, "ned", "therapist", spec)
    with pytest.raises(Trouble, match="no licence"):
        find_person(rota, "ned", None, spec)
    assert find_person(rota, "ned", "coordinator", spec)[1] == "coordinator"
    assert find_person(rota, "ned", None, spec, unlicensed=True)[1] == "therapist", "no life-saving act waits for it"
