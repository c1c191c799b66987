"""How long checking and proving take for the shipped protocols, and how many configurations a second on one core."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.tables import Row
from proof.prove import prove
from protocol_specs.lint import lint
from protocol_specs.loader import load_protocol

SPECS = Path(__file__).parents[1] / "protocol_specs"
PROTOCOLS = ("virtual_iop_crisis", "withdrawal_monitoring", "caring_contacts")


def run() -> list[Row]:
    """One row for each protocol; processor time of one core."""
    return [_row(name) for name in PROTOCOLS]


def _row(name: str) -> Row:
    file = SPECS / f"{name}.yaml"
    lint(file)  # the first call imports
    began = time.process_time()
    lint(file)
    linted = time.process_time()
    proof = prove(load_protocol(file))
    seconds = time.process_time() - linted
    command = _command(file)
    return {
        "protocol": name,
        "proved": str(proof.proved),
        "lint_s": round(linted - began, 3),
        "command_s": round(command, 2),
        "prove_s": round(seconds, 2),
        "configurations": proof.explored,
        "macro_steps": proof.steps,
        "macro_steps_per_s": round(proof.steps / seconds),
        "configurations_per_s": round(proof.explored / seconds),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _command(file: Path) -> float:
    """Processor seconds of the whole command `holdfast protocol lint`, Python's own start included."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "cli.main", "protocol", "lint", str(file)],
        cwd=SPECS.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
