"""Does a test break when a rule is removed? Puts one small wrong at a time into the core and runs its fast tests.

    python -m tests.mutation [--sample 600 | --all] [--seed 1] [--module turn] [--processes 2]

The tests are collected once; for each mutant a child process is forked that swaps the one changed function in place
and runs the tests until the first failure. A mutant that runs for too long counts as found.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import os
import random
import resource
import signal
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mutants import Mutant, make, mutants_of

ROOT = Path(__file__).parent.parent
MODULES = [
    *("decide", "evolve", "turn", "acts", "duty_acts", "closing", "readers", "clocks"),
    *("conditions", "program", "machine", "facts", "happenings", "engine", "effects", "vocabulary"),
]
TESTS = [
    *(
        "decide",
        "stages",
        "risk",
        "obligations",
        "reopening",
        "evidence",
        "ladders",
        "contacts",
        "decisions",
        "handover",
    ),
    *("closing", "evolve", "notices", "engine", "facts", "readers", "machine", "clocks", "conditions"),
    "random_episodes",
]
CPU_SECONDS = 40
MEMORY = 3 * 1024**3
GOAL = 0.9


class Runner:
    """A pytest plugin: instead of running the collected tests once, runs them once a mutant."""

    def __init__(self, mutants: list[Mutant], processes: int) -> None:
        self.mutants, self.processes = mutants, processes
        self.fates: dict[Mutant, str] = {}

    def pytest_configure(self) -> None:
        """Few examples a property, the same ones every time. Hypothesis wants to be imported after pytest began."""
        settings = importlib.import_module("hypothesis").settings
        settings.register_profile("mutation", max_examples=20, derandomize=True, database=None, deadline=None)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called once, after collection."""
        items = _nearest_last(session.items)
        if _wait(_fork(session, items, None)) != "survived":
            raise pytest.UsageError("the tests fail without any mutant")
        try:
            self._run_all(session, items)
        except KeyboardInterrupt:
            _say("stopped; what was done so far:")
        return True

    def _run_all(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        waiting, running = list(self.mutants), dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < self.processes:
                mutant = waiting.pop()
                running[_fork(session, _relevant_first(items, mutant), mutant)] = mutant
            pid, status = os.wait()
            mutant = running.pop(pid)
            self.fates[mutant] = _fate(status)
            if self.fates[mutant] == "survived":
                done = f"{len(self.fates):5}/{len(self.mutants)}"
                _say(f"{done}  survived  {mutant.module}.py:{mutant.line}  {mutant.what}")


def _nearest_last(items: list[pytest.Item]) -> list[pytest.Item]:
    """Slow tests last."""
    return sorted(items, key=lambda item: "random_episodes" in item.nodeid or "every_change" in item.nodeid)


def _relevant_first(items: list[pytest.Item], mutant: Mutant) -> list[pytest.Item]:
    return sorted(items, key=lambda item: f"test_{mutant.module}.py" not in item.nodeid)


def _say(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def _fork(session: pytest.Session, items: list[pytest.Item], mutant: Mutant | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    session.config.pluginmanager.unregister(name="terminalreporter")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        if mutant is not None:
            apply(mutant)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _wait(pid: int) -> str:
    return _fate(os.waitpid(pid, 0)[1])


def _fate(status: int) -> str:
    if os.WIFSIGNALED(status):
        return "timed out"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


# Putting the wrong in


def apply(mutant: Mutant) -> None:
    """Swap the changed function or constant in the running process and forget everything compiled from the old one."""
    module = importlib.import_module(f"protocol.{mutant.module}")
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    tree = make(mutant, source)
    if mutant.place.startswith("#"):
        _assign(module, tree, int(mutant.place[1:]))
    else:
        code = compile(tree, str(module.__file__), "exec")
        _function(module, mutant.place).__code__ = _code(code, mutant.place.split("."))
    _forget()


def _assign(module: types.ModuleType, tree: Any, number: int) -> None:
    """Run the one changed assignment again, and give its value to everybody who had the old one."""
    statement = tree.body[number]
    target = statement.targets[0] if hasattr(statement, "targets") else statement.target
    old = vars(module)[target.id]
    tree.body = [statement]
    exec(compile(tree, str(module.__file__), "exec"), vars(module))
    new = vars(module)[target.id]
    for other in list(sys.modules.values()):
        if getattr(other, "__name__", "").startswith(("protocol.", "tests.")) and vars(other).get(target.id) is old:
            vars(other)[target.id] = new


def _function(module: types.ModuleType, place: str) -> types.FunctionType:
    found: Any = module
    for part in place.split("."):
        found = inspect.getattr_static(found, part) if isinstance(found, type) else getattr(found, part)
    if isinstance(found, property):
        found = found.fget
    return getattr(found, "func", None) or getattr(found, "__func__", None) or getattr(found, "__wrapped__", found)


def _code(code: types.CodeType, path: list[str]) -> types.CodeType:
    for part in path:
        code = next(one for one in code.co_consts if isinstance(one, types.CodeType) and one.co_name == part)
    return code


def _forget() -> None:
    importlib.import_module("protocol.program")._PROGRAMS.clear()
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("protocol.", "tests.")):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):  # pyright: ignore[reportPrivateUsage]
                    value.cache_clear()


# Telling


def report(fates: dict[Mutant, str], seconds: float) -> float:
    """Print the table and the survivors; the share that was found."""
    _say(f"\n{'module':12} {'mutants':>8} {'found':>6} {'survived':>9} {'score':>7}")
    total: Counter[str] = Counter()
    for module in MODULES:
        own = Counter(fate for mutant, fate in fates.items() if mutant.module == module)
        if own.total():
            total += own
            _row(module, own)
    _row("all", total)
    _say(f"{total['timed out']} of the found ones ran for too long; {seconds:.0f} s")
    return 1 - total["survived"] / max(1, total.total())


def _row(name: str, fates: Counter[str]) -> None:
    survived, count = fates["survived"], fates.total()
    _say(f"{name:12} {count:8} {count - survived:6} {survived:9} {100 * (1 - survived / count):6.1f}%")


def main() -> int:
    """Run it; 1 when fewer than the goal are found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", type=int, default=600)
    options.add_argument("--all", action="store_true")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--module", choices=MODULES, action="append")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    mutants = [
        mutant
        for module in chosen.module or MODULES
        for mutant in mutants_of(module, (ROOT / "protocol" / f"{module}.py").read_text(encoding="utf-8"))
    ]
    _say(f"{len(mutants)} mutants" + ("" if chosen.all else f", a sample of {min(chosen.sample, len(mutants))}"))
    count = len(mutants) if chosen.all else min(chosen.sample, len(mutants))
    mutants = random.Random(chosen.seed).sample(mutants, count)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runner = Runner(mutants, chosen.processes)
    begun = time.monotonic()
    arguments = [f"tests/protocol/test_{name}.py" for name in TESTS]
    pytest.main(["-qq", "-m", "not full", "-p", "no:cacheprovider", *arguments], plugins=[runner])
    if not runner.fates:
        return 1
    score = report(runner.fates, time.monotonic() - begun)
    if chosen.json is not None:
        rows = [{**vars(mutant), "fate": fate} for mutant, fate in runner.fates.items()]
        chosen.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if len(runner.fates) == len(mutants) and score >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
