"""What the fast run leaves out: whole rooms of tests, and most examples of the property tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
#: Their tests open databases, start the web application, explore whole protocols or need Temporal's library, whose
#: import alone costs more than a hundred tests of the core. Not even imported by the fast run. The house rules parse
#: every file there is, which takes as long as a third of the fast tests.
SLOW_ROOMS = {
    *("activities", "audit", "cli", "demo", "practice", "proof", "web", "workflows"),
    *("test_compose.py", "test_house.py", "test_watchdog.py", "test_worker.py"),
}

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("thorough", deadline=None)


def is_fast(config: pytest.Config) -> bool:
    """`-m "not full"` is the fast run."""
    return config.getoption("markexpr") == "not full"


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("fast" if is_fast(config) else "thorough")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of the slow rooms the fast run reads only what is named on its command line."""
    asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    named = any(collection_path == path or collection_path in path.parents for path in asked if path != HERE)
    left_out = collection_path.parent == HERE and collection_path.name in SLOW_ROOMS
    return True if is_fast(config) and left_out and not named else None
