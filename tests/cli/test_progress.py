"""Long work says how far it is, to whoever watches a terminal and to nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run
from cli.progress import Progress

ROOT = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]
PROTOCOL = str(ROOT / "protocol_specs" / "caring_contacts.yaml")
LONG = {
    "prove": (["prove", PROTOCOL], " configurations, "),
    "generate": (["generate", PROTOCOL, "--out", "made", "--overwrite"], " places: "),
    "population": (["simulate", PROTOCOL, "--population", "8"], "8 of 8 episodes"),
}


class Terminal(io.StringIO):
    """A terminal as far as progress is concerned."""

    def isatty(self) -> bool:
        return True


Watched = Callable[[], Terminal]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Begins to watch: what is captured of a test is set up anew when it begins."""

    def watch() -> Terminal:
        shown = Terminal()
        monkeypatch.setattr("sys.stderr", shown)
        return shown

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return watch


@pytest.mark.parametrize("name", LONG)
def test_whoever_watches_is_told_how_far_it_is(name: str, watched: Watched) -> None:
    (command, word), terminal = LONG[name], watched()
    assert run(["protocol", *command]) == 0
    told = terminal.getvalue()
    assert word in told
    assert told.rsplit("\n", 1)[-1].endswith("\r"), "at the end the line is gone"


@pytest.mark.parametrize("name", LONG)
def test_json_goes_without(name: str, watched: Watched, capsys: Out) -> None:
    terminal = watched()
    assert run(["protocol", *LONG[name][0], "--json"]) == 0
    assert terminal.getvalue().strip() == ""
    assert json.loads(capsys.readouterr().out)


def test_where_nobody_watches_nothing_is_said(capsys: Out) -> None:
    with Progress(wanted=True) as progress:
        progress.now("half")
        progress.done("all")
    assert capsys.readouterr().err == ""


def test_a_line_is_written_over_whole_and_fits(watched: Watched) -> None:
    terminal = watched()
    with Progress(wanted=True) as progress:
        progress.now("x" * 300)
        progress.now("short\x1b[2J")
    assert "x" * 99 in terminal.getvalue()
    assert "x" * 100 not in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()
    assert f"\r{' ' * 99}\r" in terminal.getvalue()
