"""The first account of a production is made on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from audit import migrate
from cli.main import run
from settings import load


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    migrate.upgrade(load().database_url.get_secret_value())


def told(monkeypatch: pytest.MonkeyPatch, password: str, *arguments: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return run(["account", *arguments])


def test_an_account_is_made_listed_and_gets_a_new_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert told(monkeypatch, "a long sentence", "add", "abel", "--role", "administrator") == 0
    assert told(monkeypatch, "another sentence", "password", "abel") == 0
    capsys.readouterr()
    assert run(["account", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"account": "abel", "roles": ["administrator"], "ended": False}]


@pytest.mark.parametrize(
    ("password", "arguments", "said"),
    [
        ("short", ("add", "abel", "--role", "administrator"), "12 to 200 characters"),
        ("a long sentence", ("add", "abel", "--role", "captain"), "no role captain"),
        ("a long sentence", ("add", "Abel!", "--role", "auditor"), "lower-case"),
        ("a long sentence", ("add", "holdfast", "--role", "auditor"), "the engine itself"),
        ("a long sentence", ("password", "nobody"), "no account nobody"),
    ],
)
def test_what_can_not_be_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    password: str,
    arguments: tuple[str, ...],
    said: str,
):
    assert told(monkeypatch, password, *arguments) == 2
    assert said in capsys.readouterr().err
    assert password not in capsys.readouterr().err
