"""`holdfast up` with its real processes: start, kill, come back, stop, start again."""

import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from tests.cli.test_processes import alive
from tests.web.desk import hidden

ROOT = Path(__file__).parents[2]
CLIENT = re.compile(r'href="(/clients/[^"]+)"')
pytestmark = pytest.mark.full


class Up:
    """One folder with its ports; may be started again and again."""

    def __init__(self, folder: Path, told: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.told = told or {}
        self.temporal, self.smtp, self.ui, self.web = free_ports(4)
        self.process: subprocess.Popen[str] | None = None
        self.output = folder / "output.txt"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.temporal}"

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | {
            "HOLDFAST_VAR": str(self.folder / "var"),
            "HOLDFAST_TEMPORAL_ADDRESS": self.address,
            "HOLDFAST_TEMPORAL_UI_PORT": str(self.ui),
            "HOLDFAST_SMTP_PORT": str(self.smtp),
            "HOLDFAST_WEB_ADDRESS": f"127.0.0.1:{self.web}",
            **self.told,
        }

    def start(self) -> None:
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "cli.main", "up"],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        until(lambda: "Holdfast is up." in self.said() or self.ended() is not None, 90)
        assert self.ended() is None, self.said()

    def said(self) -> str:
        return self.output.read_text()

    def ended(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(60)

    def child(self, word: str) -> int | None:
        """Process id of the child whose command line has the word."""
        assert self.process is not None
        for folder in Path("/proc").iterdir():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_text()
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.process.pid and word in command:
                return int(folder.name)
        return None

    def replaced(self, word: str, former: int) -> bool:
        return self.child(word) not in (None, former)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    stack = Up(tmp_path)
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.process.kill()
        stack.process.wait(10)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def until(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def send_mail(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.sendmail("holdfast@localhost", ["on-call@example.org"], "Subject: a page\r\n\r\nlook\r\n")


async def waits_for_a_timer(address: str) -> str:
    """Start a workflow that no worker takes, so that the server has something to remember."""
    client = await Client.connect(address)
    await client.start_workflow("nobody", id="remember-me", task_queue="nobody", execution_timeout=timedelta(days=1))
    return "remember-me"


async def test_the_stack_survives_the_death_of_each_part_and_resumes(up: Up):
    up.start()
    workflow = await waits_for_a_timer(up.address)
    send_mail(up.smtp)
    for word in ("start-dev", "worker.py", "cli.mailbox"):
        former = up.child(word)
        assert former is not None
        os.kill(former, signal.SIGKILL)
        until(lambda word=word, former=former: up.replaced(word, former), 90)
    assert len(re.findall("was ended by SIGKILL; it is started again", up.said())) == 3
    until(lambda: listens(up.smtp) and listens(up.temporal), 90)
    client = await Client.connect(up.address)
    assert (await client.get_workflow_handle(workflow).describe()).id == workflow

    pids = [up.child(word) for word in ("start-dev", "worker.py", "cli.mailbox")]
    assert up.stop() == 0
    assert not any(alive(pid) for pid in pids if pid is not None)

    up.start()
    client = await Client.connect(up.address)
    assert (await client.get_workflow_handle(workflow).describe()).id == workflow
    assert len(list((up.folder / "var" / "mail").glob("*.eml"))) >= 1
    assert up.stop(signal.SIGTERM) == 0


def test_the_web_and_the_watchdog_come_back_and_nobody_has_to_sign_in_again(up: Up):
    up.start()
    until(lambda: (up.folder / "var" / "seeded").exists(), 90)
    with httpx.Client(base_url=f"http://127.0.0.1:{up.web}", follow_redirects=True, timeout=30) as browser:
        token = hidden(browser.get("/sign-in").text, "form_token")
        password = (up.folder / "var" / "keys" / "demo_password.txt").read_text().strip()
        browser.post("/sign-in", data={"form_token": token, "account": "maya", "password": password})
        page = browser.get("/clients")
        assert page.url.path == "/clients", page.text
        for word in ("web.serve", "watchdog.py"):
            former = up.child(word)
            assert former is not None
            os.kill(former, signal.SIGKILL)
            until(lambda word=word, former=former: up.replaced(word, former), 90)
        until(lambda: listens(up.web), 90)
        again = browser.get("/clients")
    assert again.url.path == "/clients", "the session is in the records"
    assert set(CLIENT.findall(again.text)) == set(CLIENT.findall(page.text)) != set()
    assert len(re.findall("was ended by SIGKILL; it is started again", up.said())) == 2
    assert up.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_after_kill_of_the_whole_stack_the_next_start_finds_its_ports_and_its_state(up: Up):
    up.start()
    workflow = await waits_for_a_timer(up.address)
    pids = [up.child(word) for word in ("start-dev", "worker.py", "cli.mailbox")]
    up.stop(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids if pid is not None), 90)
    up.start()
    client = await Client.connect(up.address)
    assert (await client.get_workflow_handle(workflow).describe()).id == workflow
    assert up.stop() == 0


def test_one_folder_has_one_stack(up: Up):
    up.start()
    second = refused(up)
    assert "already runs" in second
    assert str(up.process.pid if up.process else "") in second
    assert up.stop() == 0


def test_a_taken_port_is_named_with_the_setting_that_moves_it(up: Up):
    for port, name in (
        (up.smtp, "HOLDFAST_SMTP_PORT"),
        (up.temporal, "HOLDFAST_TEMPORAL_ADDRESS"),
        (up.web, "HOLDFAST_WEB_ADDRESS"),
    ):
        with socket.create_server(("127.0.0.1", port)):
            message = refused(up)
        assert f"Port {port}" in message
        assert name in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLDFAST_TEMPORAL_ADDRESS", "temporal.example.org:7233"),
        ("HOLDFAST_TEMPORAL_BINARY", "/nowhere/temporal"),
        ("HOLDFAST_TEMPORAL_TLS", "true"),
    ],
)
def test_what_cannot_be_started_here_is_said(up: Up, name: str, value: str):
    assert name in refused(up, {name: value})


def test_a_stop_while_starting_leaves_nothing_behind(up: Up):
    with up.output.open("w") as output:
        up.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "cli.main", "up"], cwd=ROOT, env=up.environment(), stdout=output, stderr=output
        )
    until(lambda: "Starting temporal" in up.said(), 60)
    assert up.stop() == 0, up.said()
    assert not listens(up.temporal)
    assert not listens(up.smtp)


def refused(up: Up, more: dict[str, str] | None = None) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "cli.main", "up"],
        cwd=ROOT,
        env=up.environment() | (more or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stderr


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
