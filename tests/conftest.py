"""How thorough the property tests are: the fast run tries a few examples of each, the full run many."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("thorough", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """`-m "not full"` is the fast run."""
    fast = config.getoption("markexpr") == "not full"
    settings.load_profile("fast" if fast else "thorough")
