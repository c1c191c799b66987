"""Does a test break when a rule is removed? Puts one small wrong at a time into the core and runs its fast tests.

    python -m tests.mutation [--sample 600 | --all] [--seed 1] [--module turn] [--processes 2] [--again]

The tests are collected once, and each runs once to see which functions it reaches; for each mutant a child process is
forked that swaps the one changed function in place and runs the tests that reach it until the first failure. A mutant
that runs for too long counts as found. What became of each mutant is kept in `var/mutation`, so that a long run can be
stopped and goes on: only mutants of a changed module run again, and with `--again` those that survived.
Mutants that change nothing are named in `tests/equivalents.py` and don't count.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import inspect
import json
import os
import random
import resource
import signal
import sys
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.equivalents import is_equivalent
from tests.mutants import Mutant, make, mutants_of
from tests.reached import Reach, explore, forget

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "var" / "mutation"
LEFT_OUT = {
    "findings": "holds data only",
    "saying": "words for people",
    "words": "words for people",
    "diagram": "a picture's text, held against golden files",
    "drawing": "a picture, held against golden files",
}
"""Modules of the core without a rule."""
TESTS = ("protocol", "protocol_specs", "rehearsal", "scenarios")
LOUD = os.dup(2)
MEMORY = 3 * 1024**3
GOAL = 0.9


def _modules() -> list[str]:
    core = ROOT / "protocol"
    names = (".".join(path.relative_to(core).with_suffix("").parts) for path in sorted(core.rglob("*.py")))
    return [name for name in names if not name.endswith("__init__") and name not in LEFT_OUT]


MODULES = _modules()


def _file(module: str) -> Path:
    return ROOT / "protocol" / f"{module.replace('.', '/')}.py"


class Runner:
    """A pytest plugin: instead of running the collected tests once, runs them once a mutant."""

    def __init__(self, mutants: list[Mutant], processes: int, fates: Fates) -> None:
        self.mutants, self.processes, self.fates = mutants, processes, fates

    def pytest_configure(self) -> None:
        """Few examples a property, the same ones every time. Hypothesis wants to be imported after pytest began."""
        settings = importlib.import_module("hypothesis").settings
        settings.register_profile("mutation", max_examples=20, derandomize=True, database=None, deadline=None)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called once, after collection."""
        try:
            self._run_all(session, self._reach(session))
        except KeyboardInterrupt:
            _say("stopped; what was done so far:")
        return True

    def _reach(self, session: pytest.Session) -> Reach:
        """Which test reaches what: as it was found before, or found now, while all tests pass."""
        file = KEPT / f"reach-{_digest(*sorted(ROOT.glob('*/**/*.py')))}"
        if not file.exists():
            _say(f"{len(session.items)} tests run once, to see what they reach")
            if _fate(os.waitpid(_fork(session, lambda: _look(session, file)), 0)[1]) != "survived":
                file.unlink(missing_ok=True)
                raise pytest.UsageError("a test fails without any mutant")
        return Reach.load(file)

    def _run_all(self, session: pytest.Session, reach: Reach) -> None:
        waiting, running, done = list(self.mutants), dict[int, Mutant](), 0
        while waiting or running:
            while waiting and len(running) < self.processes:
                mutant = waiting.pop()
                items = reach.tests_for(mutant.module, mutant.place, session.items)
                work = functools.partial(_try, session, items, mutant)
                running[_fork(session, work, reach.allowance(items))] = mutant
            pid, status = os.wait()
            mutant, done = running.pop(pid), done + 1
            self.fates.keep(mutant, _fate(status))
            if _fate(status) == "survived":
                _say(f"{done:5}/{len(self.mutants)}  survived  {mutant.module}.py:{mutant.line}  {mutant.what}")


class Fates:
    """What became of the mutants, kept in a file as it becomes known. A changed module starts anew."""

    def __init__(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        self._file = KEPT / "fates.jsonl"
        self._digests = {module: _digest(_file(module)) for module in MODULES}
        self.known: dict[Mutant, str] = {}
        for line in self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else ():
            row = json.loads(line)
            fate, digest = row.pop("fate"), row.pop("digest")
            if self._digests.get(row["module"]) == digest:
                self.known[Mutant(**row)] = fate

    def keep(self, mutant: Mutant, fate: str) -> None:
        self.known[mutant] = fate
        row = {**vars(mutant), "fate": fate, "digest": self._digests[mutant.module]}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _digest(*files: Path) -> str:
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


def _say(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def _fork(session: pytest.Session, work: Callable[[], None], cpu_seconds: float = 0) -> int:
    """Do some work in a silent process of its own; it ends badly when a test failed."""
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    session.config.pluginmanager.unregister(name="terminalreporter")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(1 if session.testsfailed else 0)


def _look(session: pytest.Session, file: Path) -> None:
    def tell(item: pytest.Item) -> None:
        if session.testsfailed:
            raise AssertionError(item.nodeid)

    try:
        explore(session.items, tell).save(file)
    except BaseException as broken:
        os.write(LOUD, f"{type(broken).__name__} {broken}\n".encode())
        raise


def _try(session: pytest.Session, items: list[pytest.Item], mutant: Mutant) -> None:
    apply(mutant)
    for item in items:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:
            return


def _fate(status: int) -> str:
    if os.WIFSIGNALED(status):
        return "timed out"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


# Putting the wrong in


def apply(mutant: Mutant) -> None:
    """Swap the changed function or constant in the running process and forget everything compiled from the old one."""
    module = importlib.import_module(f"protocol.{mutant.module}")
    source = _file(mutant.module).read_text(encoding="utf-8")
    tree = make(mutant, source)
    if mutant.place.startswith("#"):
        _assign(module, tree, int(mutant.place[1:]))
    else:
        code = compile(tree, str(module.__file__), "exec")
        _function(module, mutant.place).__code__ = _code(code, mutant.place.split("."))
    forget()


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


# Telling


def report(fates: dict[Mutant, str]) -> float:
    """Print the table; the share that was found."""
    _say(f"\n{'module':20} {'mutants':>8} {'run':>6} {'found':>6} {'survived':>9} {'score':>7}")
    total, possible = Counter[str](), 0
    for module in MODULES:
        all_of_it = [mutant for mutant in _mutants(module) if not is_equivalent(mutant)]
        own = Counter(fates[mutant] for mutant in all_of_it if mutant in fates)
        if own.total():
            total, possible = total + own, possible + len(all_of_it)
            _row(module, len(all_of_it), own)
    _row("all", possible, total)
    _say(f"{total['timed out']} of the found ones ran for too long")
    return 1 - total["survived"] / max(1, total.total())


def _row(name: str, possible: int, fates: Counter[str]) -> None:
    survived, count = fates["survived"], fates.total()
    score = 100 * (1 - survived / max(1, count))
    _say(f"{name:20} {possible:8} {count:6} {count - survived:6} {survived:9} {score:6.1f}%")


def _mutants(module: str) -> list[Mutant]:
    return mutants_of(module, _file(module).read_text(encoding="utf-8"))


def main() -> int:
    """Run it; 1 when fewer than the goal are found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", type=int, default=600)
    options.add_argument("--all", action="store_true")
    options.add_argument("--again", action="store_true", help="run only those that survived")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--module", choices=MODULES, action="append")
    options.add_argument("--processes", type=int, default=2)
    chosen = options.parse_args()
    fates = Fates()
    asked = [mutant for module in chosen.module or MODULES for mutant in _mutants(module) if not is_equivalent(mutant)]
    mutants = random.Random(chosen.seed).sample(asked, len(asked) if chosen.all else min(chosen.sample, len(asked)))
    if chosen.again:
        waiting = [mutant for mutant in asked if fates.known.get(mutant) == "survived"]
    else:
        waiting = [mutant for mutant in mutants if mutant not in fates.known]
    _say(f"{len(asked)} mutants, {len(waiting)} to run")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = [f"tests/{room}" for room in TESTS]
    runner = Runner(waiting, chosen.processes, fates)
    pytest.main(["-qq", "-m", "not full", "-p", "no:cacheprovider", *arguments], plugins=[runner])
    score = report(fates.known)
    return 0 if score >= GOAL and all(mutant in fates.known for mutant in waiting) else 1


if __name__ == "__main__":
    sys.exit(main())
