from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are laid out for the terminal, and some who run tests export its width."""
    monkeypatch.setenv("COLUMNS", "120")
