"""Work on hostile protocols and scenarios ends within bounds of the operating system.

Each in a process of its own with a limit on processor time and address space, so that a runaway is ended and not timed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.migrate import upgrade
from tests.cli.test_command_tree import TREE
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
from typer.main import get_command
from cli.main import app
import protocol.explain, proof.generating, proof.prove, rehearsal.coverage, rehearsal.rehearse, cli.booklet, cli.desk
group = get_command(app).commands[sys.argv[2]]
group.commands[sys.argv[3]]
used = resource.getrusage(resource.RUSAGE_SELF)
spent = int(used.ru_utime + used.ru_stime) + 1
resource.setrlimit(resource.RLIMIT_CPU, (spent + int(sys.argv[1]), spent + int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, ({MEGABYTES} * 1024**2, {MEGABYTES} * 1024**2))
sys.exit(run(sys.argv[2:]))
"""
"""Python's own start and the imports are not counted: the limit begins with the work."""


def limited(seconds: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(seconds), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
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
    ended_well(limited(WORKED, "protocol", "generate", str(file), "--out", str(tmp_path / "made")), file)


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
    ended_well(limited(LAID_OUT if name in HOSTILE else REFUSED, "protocol", "fmt", "--check", str(file)), file)


BEGUN = """scenario: long
title: Long
protocol: virtual_iop_crisis
starts: 2026-12-01 10:00
people: {mara: therapist}
open: {by: mara}
steps:
"""
TO_ALL = {name: HOSTILE[name] for name in ("wide tables", "many conditions")} | {"many keys": LAYOUTS["many keys"]}
"""Full of errors, sound but huge, no protocol at all."""
FILE = "FILE"
WHO = ("--as", "sol")
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "protocol list": ((),),
    "protocol show": ((FILE,),),
    "protocol lint": ((FILE,),),
    "protocol test": ((FILE, "TALE"), (FILE, "TALE", "--coverage")),
    "protocol diff": ((str(MINIMAL), FILE), (FILE, str(MINIMAL))),
    "protocol schema": ((), ("scenario",)),
    "protocol diagram": ((FILE,), (FILE, "--mermaid")),
    "protocol new": (("evening_line", "--from", FILE, "--in", "FOLDER/new"),),
    "protocol fmt": ((FILE, "--check"),),
    "protocol simulate": ((FILE,), (FILE, "--population", "20")),
    "protocol prove": ((FILE,),),
    "protocol tables": ((FILE,), (FILE, "t1")),
    "protocol generate": ((FILE, "--out", "FOLDER/made"),),
    "protocol submit": ((FILE, *WHO),),
    "protocol send-back": ((FILE, "--reason", "Too large", *WHO),),
    "protocol publish": ((FILE, *WHO), (FILE, *WHO, "--exception", "None better", "--signed-by", "ruth")),
    "protocol retire": ((FILE, "--reason", "Too large", *WHO),),
    "protocol versions": ((),),
    "protocol migrate": ((FILE, "--dry-run"),),
    "protocol whatif": ((FILE, "--all"),),
    "roster check": (("--protocol", FILE, "--weeks", "2"),),
}
"""How each command that reads protocols is asked about a hostile one."""
AT_WORK = {"protocol prove": LAID_OUT, "protocol fmt": LAID_OUT} | dict.fromkeys(
    ("protocol test", "protocol generate", "protocol submit", "protocol publish"), WORKED
)
"""Those that take what is huge but sound to its end, or to the limit of what they try."""


def test_no_command_is_forgotten() -> None:
    assert CALLS.keys() == {name for name in TREE if name.startswith(("protocol ", "roster "))}


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of which nothing is known yet."""
    folder = tmp_path_factory.mktemp("var")
    upgrade(f"sqlite:///{folder / 'holdfast.db'}")
    return folder


@pytest.mark.full
@pytest.mark.parametrize("command", CALLS)
@pytest.mark.parametrize("name", TO_ALL)
def test_every_command_ends_about_a_hostile_protocol(
    name: str, command: str, tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shipped in ("rota.yaml", "directory.yaml"):
        shutil.copy(ROOT / "protocol_specs" / shipped, tmp_path / shipped)
    file, tale = tmp_path / "hostile.yaml", tmp_path / "tale.yaml"
    file.write_text(TO_ALL[name], encoding="utf-8")
    tale.write_text(BEGUN.replace("virtual_iop_crisis", "minimal") + "  - {at: +30m, wait: yes}\n", encoding="utf-8")
    monkeypatch.setenv("HOLDFAST_PROTOCOLS", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_VAR", str(var))
    for asked in CALLS[command]:
        words = [{FILE: str(file), "TALE": str(tale)}.get(one, one) for one in asked]
        words = [one.replace("FOLDER", str(tmp_path)) for one in words]
        done = limited(AT_WORK.get(command, REFUSED), *command.split(), *words)
        assert done.returncode in (0, 1, 2, 3), (asked, done.returncode, done.stdout[-300:], done.stderr[-300:])
        assert "this should not happen" not in done.stderr
        assert done.stdout + done.stderr


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
    done = limited(REFUSED, "protocol", "test", "virtual_iop_crisis", str(file))
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
    done = limited(WORKED, "protocol", "test", str(file), str(tmp_path / "tale.yaml"))
    assert done.returncode == 1, (done.returncode, done.stderr[-300:])
    assert "deadlines come due in this scenario" in done.stdout
