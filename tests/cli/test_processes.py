"""Children are started, kept alive, stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import processes
from cli.processes import Child, ChildFailed, Keeper

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.full

#: Says its process id in a file of its own, then waits to be ended.
SERVES = "import os, pathlib, signal, sys; pathlib.Path(sys.argv[1], str(os.getpid())).touch(); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SERVES


def child(folder: Path, code: str = SERVES, grace: float = 5.0) -> Child:
    folder.mkdir(exist_ok=True)

    async def ready() -> bool:
        return any(folder.iterdir())

    return Child("child", (sys.executable, "-c", code, str(folder)), dict(os.environ), ready, grace)


async def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_child_comes_back_and_it_is_said(tmp_path: Path):
    said: list[str] = []
    keeper = Keeper(child(tmp_path / "up"), tmp_path, said.append)
    await keeper.start()
    first = keeper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(list((tmp_path / "up").iterdir())) == 2)
    last = keeper.pid
    assert last not in (None, first)
    assert "SIGKILL" in said[0]
    assert "0.2 s" in said[0]
    await keeper.stop()
    assert not alive(last)
    assert keeper.pid is None


async def test_the_wait_doubles_with_each_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(processes, "LONGEST_DELAY", 0.04)
    said: list[str] = []
    ends = SERVES.replace("signal.pause()", "sys.exit(3)")
    keeper = Keeper(child(tmp_path / "up", ends), tmp_path, said.append)
    (tmp_path / "up" / "ready").touch()
    await keeper.start()
    await until(lambda: len(said) >= 4)
    await keeper.stop()
    assert [line.partition("again in ")[2].split(" ")[0] for line in said[:4]] == ["0.01", "0.02", "0.04", "0.04"]
    assert "exit code 3" in said[0]


async def test_a_child_that_never_serves_fails_the_start_with_its_last_words(tmp_path: Path):
    keeper = Keeper(child(tmp_path / "up", "print('no such table'); raise SystemExit(4)"), tmp_path, print)
    with pytest.raises(ChildFailed, match=r"exit code 4(.|\n)*no such table"):
        await keeper.start()
    await keeper.stop()


async def test_a_child_that_is_not_ready_in_time_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "READY_SECONDS", 0.3)
    keeper = Keeper(child(tmp_path / "up", "import time; time.sleep(600)"), tmp_path, print)
    with pytest.raises(ChildFailed, match="not ready"):
        await keeper.start()
    pid = keeper.pid
    assert pid is not None
    await keeper.stop()
    assert not alive(pid)


async def test_a_child_that_will_not_end_is_killed_after_its_grace(tmp_path: Path):
    said: list[str] = []
    keeper = Keeper(child(tmp_path / "up", STUBBORN, grace=0.2), tmp_path, said.append)
    await keeper.start()
    pid = keeper.pid
    await keeper.stop()
    assert not alive(pid)
    assert "is killed" in said[0]


async def test_a_child_that_is_ended_at_once_stays_ended(tmp_path: Path):
    said: list[str] = []
    keeper = Keeper(child(tmp_path / "up"), tmp_path, said.append)
    await keeper.start()
    keeper.kill()
    await keeper.stop()
    assert keeper.pid is None
    assert said == []


async def test_stopping_during_the_wait_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "FIRST_DELAY", 60.0)
    said: list[str] = []
    keeper = Keeper(child(tmp_path / "up"), tmp_path, said.append)
    await keeper.start()
    os.kill(keeper.pid, signal.SIGKILL)
    await until(lambda: said)
    async with asyncio.timeout(5):
        await keeper.stop()
    assert len(list((tmp_path / "up").iterdir())) == 1


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.cli.test_processes import child
from cli.processes import Keeper
async def main():
    keeper = Keeper(child(Path({folder!r})), Path({folder!r}).parent, print)
    await keeper.start()
    print(keeper.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path):
    code = PARENT.format(root=str(ROOT), folder=str(tmp_path / "up"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    await until(lambda: not alive(pid))


async def test_a_large_log_is_set_aside_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "LARGEST_LOG", 10)
    (tmp_path / "child.log").write_text("x" * 11)
    keeper = Keeper(child(tmp_path / "up"), tmp_path, print)
    await keeper.start()
    await keeper.stop()
    assert (tmp_path / "child.log.1").read_text() == "x" * 11
