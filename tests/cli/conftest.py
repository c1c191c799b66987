from __future__ import annotations

from pathlib import Path

import pytest

from settings import load
from tests.cli.audited import keep, told


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are laid out for the terminal, and some who run tests export its width."""
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The story of an auditor's tests in the records, by their address; Temporal is away."""
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HOLDFAST_TEMPORAL_ADDRESS", "127.0.0.1:1")
    url = load().database_url.get_secret_value()
    story = told()
    keep(url, story.engine.rows, story.episode)
    return url
