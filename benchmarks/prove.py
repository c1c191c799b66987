"""How long checking and proving take for the shipped protocols, how many configurations a second, in how much memory.

Processor time of one core. Each protocol is proved in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers import bare_trigger
from benchmarks.tables import Row
from proof.prove import prove
from protocol_specs.lint import lint
from protocol_specs.loader import load_protocol
from tests.memory import peak_kilobytes

SPECS = Path(__file__).parents[1] / "protocol_specs"
PROTOCOLS = ("virtual_iop_crisis", "withdrawal_monitoring", "caring_contacts")
ROUNDS = 50_000
TRIGGERS_OF_A_ROUND = 4


def run() -> list[Row]:
    """One row for each protocol, then the floor: what proving would be if a macro step were a bare trigger."""
    rows = [_alone(name) for name in PROTOCOLS]
    bare_trigger()(ROUNDS // 10)
    seconds = bare_trigger()(ROUNDS) / (ROUNDS * TRIGGERS_OF_A_ROUND)
    floors = [_floor(row, seconds) for row in rows]
    return [*rows, *floors]


def _floor(row: Row, seconds: float) -> Row:
    steps = row["macro_steps"] / row["configurations"]
    return {
        "if a macro step were a bare trigger of transitions": row["protocol"],
        "µs a trigger": round(seconds * 1e6, 1),
        "macro steps a configuration": round(steps, 1),
        "configurations_per_s": round(1 / (seconds * steps)),
    }


def _alone(name: str) -> Row:
    command = [sys.executable, "-m", "benchmarks.prove", name]
    told = subprocess.run(command, cwd=SPECS.parent, check=True, capture_output=True, text=True)
    return json.loads(told.stdout)


def _row(name: str) -> Row:
    file = SPECS / f"{name}.yaml"
    lint(file)  # the first call imports
    began = time.process_time()
    lint(file)
    linted = time.process_time()
    proof = prove(load_protocol(file))
    seconds = time.process_time() - linted
    return {
        "protocol": name,
        "proved": str(proof.proved),
        "lint_s": round(linted - began, 3),
        "prove_s": round(seconds, 2),
        "configurations": proof.explored,
        "macro_steps": proof.steps,
        "macro_steps_per_s": round(proof.steps / seconds),
        "configurations_per_s": round(proof.explored / seconds),
        "peak_mb": peak_kilobytes() // 1024,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_row(sys.argv[1])))
