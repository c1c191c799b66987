"""What an author waits for: whole commands with Python's own start, and the library's part of the longer ones.

Processor seconds of one core, on the largest protocol.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.tables import Row
from benchmarks.versions import newer
from proof.generating import generate
from protocol.diff import compare
from protocol_specs.layout import laid_out
from protocol_specs.loader import load_protocol
from rehearsal.population import populate
from rehearsal.rates import Rates

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "protocol_specs" / "virtual_iop_crisis.yaml"
REPEATS = 5
EPISODES = 1_000
COMMANDS = {
    "Python alone": ("-c", "pass"),
    "holdfast protocol lint": ("-m", "cli.main", "protocol", "lint", str(SPEC)),
    "holdfast protocol diff, the same twice": ("-m", "cli.main", "protocol", "diff", str(SPEC), str(SPEC)),
    "holdfast protocol tables": ("-m", "cli.main", "protocol", "tables", str(SPEC)),
}


def run() -> list[Row]:
    """Commands, then functions."""
    spec, text = load_protocol(SPEC), SPEC.read_text(encoding="utf-8")
    later = newer(spec)
    work: dict[str, Callable[[], object]] = {
        "compare two versions": lambda: compare(spec, later),
        "put into its layout": lambda: laid_out(text),
        f"a population of {EPISODES}": lambda: populate(spec, Rates(), EPISODES, 1),
        "generate scenarios": lambda: generate(spec),
    }
    commands = [_spread("command", name, [_command(told) for _ in range(REPEATS)]) for name, told in COMMANDS.items()]
    return [*commands, *(_spread("function", name, [_spent(one) for _ in range(3)]) for name, one in work.items())]


def _spread(what: str, name: str, seconds: list[float]) -> Row:
    return {what: name, "CPU s min": round(min(seconds), 3), "median": round(median(seconds), 3)}


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _command(told: tuple[str, ...]) -> float:
    """Processor seconds of a whole process."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *told], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
