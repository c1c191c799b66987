"""What an author runs all day begins fast and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from cli.main import run

HEAVY = ("temporalio", "sqlalchemy", "fastapi", "rich", "cli.desk", "protocol.commands", "protocol.events")


def test_checking_a_draft_loads_neither_the_engine_nor_the_records() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from cli.main import run; code = run(['protocol', 'lint', 'virtual_iop_crisis']); "
            f"print(code, [one for one in {HEAVY} if one in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.splitlines()[-1] == "0 []"


def test_the_help_of_the_whole_names_every_group_and_loads_none() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from cli.main import GROUPS, run; run(['--help']); "
            "print([one for one in GROUPS if f'cli.{one}' in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.splitlines()[-1] == "[]"
    for words in ("Open, see and lead episodes.", "Write, check, try and publish protocols.", "Whose clients are"):
        assert words in told.stdout


def test_a_command_that_is_not_there_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["protocol", "publsh"]) == 2
    assert "'publish'" in capsys.readouterr().err


def test_writing_and_trying_a_protocol_leaves_no_keys_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOLDFAST_VAR", raising=False)
    monkeypatch.setattr("sys.stdin", StringIO(""))
    assert run(["protocol", "new", "evening_line"]) == 0
    for words in (["lint"], ["prove"], ["test"], ["simulate", "--json"]):
        assert run(["protocol", words[0], "evening_line.yaml", *words[1:]]) == 0
    assert not (tmp_path / "var").exists()
