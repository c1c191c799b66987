"""Work on hostile protocols and scenarios ends within bounds of the operating system.

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
MINIMAL = ROOT / "tests" / "specs" / "minimal.yaml"
REFUSED, LAID_OUT, WORKED, MEGABYTES = 2, 4, 12, 500
"""Seconds for what is refused, for laying out or explaining what is huge but sound, and for trying all of it."""
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
    ended_well(limited(LAID_OUT if name in HOSTILE else REFUSED, "fmt", "--check", str(file)), file)


@pytest.mark.full
@pytest.mark.parametrize("name", HOSTILE)
def test_explaining_hostile_tables_ends(name: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text(HOSTILE[name], encoding="utf-8")
    done = limited(LAID_OUT, "tables", str(file))
    assert done.returncode in (0, 1), (done.returncode, done.stderr[-300:])
    assert "this should not happen" not in done.stderr


BEGUN = """scenario: long
title: Long
protocol: virtual_iop_crisis
starts: 2026-12-01 10:00
people: {mara: therapist}
open: {by: mara}
steps:
"""
FAR = "let less time pass"
SCENARIOS = {
    "a hundred thousand lines": (BEGUN + "  - {at: +1m, wait: yes}\n" * 100_000, "the file is larger than"),
    "more entries than allowed": (BEGUN + "  - {at: +1m, wait: yes}\n" * 401, "`steps` has more than 400 entries"),
    "centuries": (BEGUN + "  - {at: +99999d, wait: yes}\n", FAR),
    "years upon years": (BEGUN + "  - {at: +400d, wait: yes}\n" * 300, FAR),
    "the end of the calendar": (BEGUN + '  - {at: "9999-12-31 23:59", wait: yes}\n', "check the year"),
    "a bomb": ("a: &a [x, x]\nb: [*a, *a]\n", "is an anchor, which is not allowed"),
    "nothing": ("", "the file is empty"),
}


@pytest.mark.full
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_hostile_scenario_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text(SCENARIOS[name][0], encoding="utf-8")
    done = limited(REFUSED, "test", "virtual_iop_crisis", str(file))
    assert done.returncode == 1, (done.returncode, done.stderr[-300:])
    assert SCENARIOS[name][1] in done.stdout
    assert f"{file}:" in done.stdout


@pytest.mark.full
def test_a_ladder_that_pages_each_second_ends(tmp_path: Path) -> None:
    """For three years, that is: the deadlines of a scenario are counted."""
    text = MINIMAL.read_text(encoding="utf-8")
    file = tmp_path / "paging.yaml"
    file.write_text(text.replace("repeat: 5m", "repeat: 30s", 1), encoding="utf-8")
    tale = BEGUN.replace("virtual_iop_crisis", "minimal") + "  - {at: +1000d, wait: yes}\n"
    (tmp_path / "tale.yaml").write_text(tale, encoding="utf-8")
    done = limited(WORKED, "test", str(file), str(tmp_path / "tale.yaml"))
    assert done.returncode == 1, (done.returncode, done.stderr[-300:])
    assert "deadlines come due in this scenario" in done.stdout
