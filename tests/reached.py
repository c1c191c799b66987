"""Which functions of the core does each test reach? A mutant then needs only the tests that can notice it."""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CORE = str(Path(__file__).parents[1] / "protocol")

Place = tuple[str, str]
"""A module of the core, such as `checks.ground`, and a function or `Class.method` in it."""


@dataclass
class Reach:
    """What was seen when every test ran once, alone."""

    places: dict[str, set[Place]] = field(default_factory=dict[str, set[Place]])
    """By test: what it reached."""
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """By test: CPU seconds, watching included."""

    def tests_for(self, module: str, place: str, items: list[pytest.Item]) -> list[pytest.Item]:
        """Those that reach this place, the quickest first. Anybody may read a constant: all, its own module first."""
        if place.startswith("#"):
            near = {test for test, seen in self.places.items() if any(one == module for one, _ in seen)}
            return sorted(items, key=lambda item: (item.nodeid not in near, self._order(module, item)))
        chosen = [item for item in items if (module, place) in self.places.get(item.nodeid, set())]
        return sorted(chosen, key=lambda item: self._order(module, item))

    def _order(self, module: str, item: pytest.Item) -> float:
        own = f"test_{module.rpartition('.')[2]}.py" in item.nodeid
        return self.seconds.get(item.nodeid, 0) * (0.2 if own else 1)

    def allowance(self, items: list[pytest.Item]) -> float:
        """CPU seconds after which a mutant that still runs is stuck. Together and unwatched, tests take a fifth."""
        return 10 + 0.4 * sum(self.seconds.get(item.nodeid, 0) for item in items)

    def save(self, file: Path) -> None:
        file.write_bytes(pickle.dumps((self.places, self.seconds)))

    @classmethod
    def load(cls, file: Path) -> Reach:
        return cls(*pickle.loads(file.read_bytes()))


def explore(items: list[pytest.Item], ran: Callable[[pytest.Item], None]) -> Reach:
    """Run each test as if it were the only one: what an earlier one computed and kept would hide what it reaches."""
    reach = Reach()
    for item in items:
        forget()
        seen = set[types.CodeType]()

        def watch(frame: types.FrameType, what: str, _: Any, seen: set[types.CodeType] = seen) -> None:
            if what == "call":
                seen.add(frame.f_code)

        begun = time.process_time()
        sys.setprofile(watch)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        finally:
            sys.setprofile(None)
        ran(item)
        reach.seconds[item.nodeid] = time.process_time() - begun
        reach.places[item.nodeid] = {_place(code) for code in seen if code.co_filename.startswith(f"{CORE}{os.sep}")}
    return reach


def _place(code: types.CodeType) -> Place:
    module = ".".join(Path(code.co_filename).relative_to(CORE).with_suffix("").parts)
    return module, code.co_qualname.partition(".<locals>")[0]


def forget() -> None:
    """Forget everything that was computed once and kept."""
    importlib.import_module("protocol.program")._PROGRAMS.clear()
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("protocol.", "tests.", "rehearsal.", "protocol_specs.")):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):  # pyright: ignore[reportPrivateUsage]
                    value.cache_clear()
