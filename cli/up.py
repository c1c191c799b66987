"""`holdfast up`: the whole of Holdfast on this machine.

1. Take the folder `var` for ourselves; refuse when another stack has it.
2. Start the mail catcher and the Temporal server, and wait until both serve.
3. Bring the records database to the newest form; at the first start, publish the shipped protocols.
4. Start the worker, the watchdog that looks after it, and the web application with its demo accounts.
5. At the first start, open a few fictional episodes.
6. Keep all of it alive until Ctrl-C; then stop the worker, which drains, and the rest.
"""

import asyncio
import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from audit.migrate import upgrade
from cli.demo_accounts import add_demo_accounts, greeting
from cli.demo_clients import add_demo_clients
from cli.parts import NoTemporal, host_and_port, is_loopback, mailbox, temporal_server, watchdog, web, worker
from cli.processes import Child, ChildFailed, Keeper, Say
from cli.shipped import publish_shipped
from settings import Settings, variable
from workflows.client import EngineUnavailableError, HeldUpError

__all__ = ["CannotStart", "ChildFailed", "NoTemporal", "Stack", "Voice", "as_lines", "as_text", "run"]

ELSEWHERE = ("var", "temporal_address", "temporal_namespace", "temporal_task_queue", "protocols", "rota", "directory")
"""Settings without which a command in another terminal would look at another Holdfast than this one."""
SEED_AGAIN_SECONDS = 1.0


class CannotStart(Exception):
    """The stack can't be started; the message says what to change."""


@dataclass(frozen=True)
class Voice:
    """How the stack speaks: what happens, and once where everything is."""

    say: Say
    welcome: Callable[[Mapping[str, str]], None]


def as_text(say: Say) -> Voice:
    """For people."""

    def welcome(places: Mapping[str, str]) -> None:
        lines = [f"  {name:<11} {place}" for name, place in places.items()]
        say("\n".join(["Holdfast is up.", *lines, "Ctrl-C stops it; nothing is lost."]))

    return Voice(say, welcome)


def as_lines(say: Say) -> Voice:
    """For machines: one JSON object a line."""

    def line(**told: object) -> None:
        say(json.dumps(told, ensure_ascii=False))

    return Voice(lambda text: line(said=text), lambda places: line(said="Holdfast is up.", places=dict(places)))


def run(settings: Settings, voice: Voice) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP. Raises CannotStart or ChildFailed."""
    refuse_unless_embedded(settings)
    settings.var.mkdir(parents=True, exist_ok=True, mode=0o700)
    with taken(settings.var):
        refuse_taken_ports(settings)
        asyncio.run(_serve(settings, voice))


async def _serve(settings: Settings, voice: Voice) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    stack = Stack(settings, voice)

    def stop() -> None:
        if stopped.is_set():
            voice.say("Stopping at once")
            stack.kill()
        stopped.set()

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(one, stop)
    starting = asyncio.create_task(stack.start())
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await waiting
    finally:
        waiting.cancel()
        starting.cancel()
        with suppress(asyncio.CancelledError, ChildFailed):
            await starting
        voice.say("Stopping")
        await stack.stop()


class Stack:
    """The children of an embedded Holdfast, in the order in which they start."""

    def __init__(self, settings: Settings, voice: Voice) -> None:
        self._settings = settings
        self._voice, self._say = voice, voice.say
        self.keepers: list[Keeper] = []

    async def start(self) -> None:
        """Start everything. Raises ChildFailed; `stop` then ends what was started."""
        settings = self._settings
        if is_loopback(settings.smtp_host):
            await self.keep(mailbox(settings))
        await self.keep(temporal_server(settings))
        await asyncio.to_thread(upgrade, settings.database_url.get_secret_value())
        await publish_shipped(settings)
        await self.keep(worker(settings))
        await self.keep(watchdog(settings))
        password = await add_demo_accounts(settings)
        await add_demo_clients(settings)
        await self.keep(web(settings))
        self._voice.welcome({"web": settings.base_url, **greeting(password), **where_to_look(settings)})
        await self._seed_once()

    async def keep(self, child: Child) -> None:
        """Start one more child and keep it alive."""
        self._say(f"Starting {child.name}")
        keeper = Keeper(child, self._settings.var / "log", self._say)
        self.keepers.append(keeper)
        await keeper.start()

    async def stop(self) -> None:
        """Stop the children, the last one started first."""
        for keeper in reversed(self.keepers):
            await keeper.stop()

    def kill(self) -> None:
        """End the children without waiting for them."""
        for keeper in self.keepers:
            keeper.kill()

    async def _seed_once(self) -> None:
        from cli.demo_seed import seed  # heavy, and needed at the first start only

        done = self._settings.var / "seeded"
        while not done.exists():
            try:
                await seed(self._settings, self._say)
                done.touch()
            except (EngineUnavailableError, HeldUpError, RuntimeError):  # Temporal died and is being started again
                await asyncio.sleep(SEED_AGAIN_SECONDS)


def refuse_unless_embedded(settings: Settings) -> None:
    """Raise CannotStart when the settings speak of a server elsewhere."""
    host, _ = host_and_port(settings)
    if settings.mode != "embedded":
        raise CannotStart("`holdfast up` is the embedded stack; in production run `python worker.py`")
    if settings.uses_tls:
        raise CannotStart(f"The embedded Temporal server speaks no TLS; unset {variable('temporal_tls')} and its files")
    if not is_loopback(host):
        raise CannotStart(
            f"`holdfast up` starts its own Temporal server on this machine, not on {settings.temporal_address}. "
            f"Unset {variable('temporal_address')}, or run `python worker.py` against that server"
        )


def refuse_taken_ports(settings: Settings) -> None:
    """Raise CannotStart when another program listens where we would."""
    host, port = host_and_port(settings)
    wanted = [(host, port, variable("temporal_address"), f"{host}:{port + 10}")]
    if settings.temporal_ui_port:
        ui = settings.temporal_ui_port
        wanted.append((host, ui, variable("temporal_ui_port"), f"{ui + 10} (0 for none)"))
    web_host, _, web_port = settings.web_address.rpartition(":")
    web_name, other_web = variable("web_address"), f"{web_host}:{int(web_port) + 10}"
    wanted.append((web_host.strip("[]"), int(web_port), web_name, other_web))
    if is_loopback(settings.smtp_host):
        smtp = settings.smtp_port
        wanted.append((settings.smtp_host, smtp, variable("smtp_port"), f"{smtp + 10}"))
    for at, number, name, other in wanted:
        if not _is_free(at, number):
            raise CannotStart(
                f"Port {number} on {at} is taken by another program. Stop that one, or choose: {name}={other}"
            )


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def taken(var: Path) -> Generator[None]:
    """Hold the folder for this process; the system lets go of it however the process ends."""
    lock = var / "lock"
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Holdfast already runs on {var} (process {file.read().strip()}). "
                f"Stop that one, or give this one a folder and ports of its own: {variable('var')}=…"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def where_to_look(settings: Settings) -> dict[str, str]:
    """What a person may want to see of this stack, each with its place."""
    host, _ = host_and_port(settings)
    places = {"episodes": f"{_set_elsewhere(settings)}{_command()} episode list"}
    if settings.temporal_ui_port:
        places["Temporal"] = f"http://{host}:{settings.temporal_ui_port}"
    if is_loopback(settings.smtp_host):
        places["pages"] = str(settings.var / "mail")
    places["logs"] = str(settings.var / "log")
    return places


def _set_elsewhere(settings: Settings) -> str:
    """The settings that another terminal needs to find this stack, as one writes them before a command."""
    told = {name: _in_full(getattr(settings, name)) for name in ELSEWHERE}
    changed = {name: value for name, value in told.items() if value != _in_full(Settings.model_fields[name].default)}
    return "".join(f"{variable(name)}={shlex.quote(str(value))} " for name, value in changed.items())


def _in_full(value: object) -> object:
    """A folder with its whole path: the stack has made its own so."""
    return value.absolute() if isinstance(value, Path) else value


def _command() -> str:
    """How one calls `holdfast` from here: by name when it is on PATH, else where it is."""
    if shutil.which("holdfast"):
        return "holdfast"
    return os.path.relpath(Path(sys.executable).parent / "holdfast")
