"""Making scenarios for a hostile protocol, and laying out a hostile file, end within bounds of the operating system.

Each in a process of its own with a limit on processor time and address space, so that a runaway is ended and not timed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.hostile import WEARING
from tests.protocol_specs.test_hostile_protocol import HOSTILE

ROOT = Path(__file__).parents[2]
REFUSED, WORKED, MEGABYTES = 2, 12, 500
"""Seconds for what is refused, and for what is huge but sound and has to be worked through."""
LIMITED = f"""
import resource, sys
from pathlib import Path
from cli.main import run
import cli.proving, cli.authoring, proof.generating, rehearsal.coverage, protocol_specs.starting, protocol.check
used = resource.getrusage(resource.RUSAGE_SELF)
spent = int(used.ru_utime + used.ru_stime) + 1
resource.setrlimit(resource.RLIMIT_CPU, (spent + int(sys.argv[1]), spent + int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, ({MEGABYTES} * 1024**2, {MEGABYTES} * 1024**2))
sys.exit(run(sys.argv[2:]))
"""
"""Python's own start and the imports are not counted: the limit begins with the work."""


def limited(seconds: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(seconds), "protocol", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def ended_well(done: subprocess.CompletedProcess[str], file: Path) -> None:
    assert done.returncode in (0, 1, 2), (done.returncode, done.stdout[-300:], done.stderr[-300:])
    assert "this should not happen" not in done.stderr
    assert file.name in done.stdout + done.stderr or done.returncode == 0 or "scenarios saved" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize("name", [*HOSTILE, *WEARING])
def test_making_scenarios_for_a_hostile_protocol_ends(name: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text({**HOSTILE, **WEARING}[name], encoding="utf-8")
    ended_well(limited(WORKED, "generate", str(file), "--out", str(tmp_path / "made")), file)


LAYOUTS = {
    "deep": "a: " + "[" * 5_000 + "]" * 5_000,
    "deep in blocks": "".join(f"{' ' * n}a{n}:\n" for n in range(900)),
    "long line": "a: " + "x " * 500_000,
    "many keys": "".join(f"k{n}: {{a: 1, b: [1, 2, 3]}}\n" for n in range(20_000)),
    "comments": "# c\n" * 200_000 + "a: 1\n",
    "not closed": "a: {b: [" * 10_000,
}


@pytest.mark.full
@pytest.mark.parametrize("name", [*LAYOUTS, *HOSTILE])
def test_laying_out_a_hostile_file_ends(name: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text(LAYOUTS.get(name) or HOSTILE[name], encoding="utf-8")
    ended_well(limited(WORKED if name in HOSTILE else REFUSED, "fmt", "--check", str(file)), file)
