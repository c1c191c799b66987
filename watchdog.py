"""The watchdog: its own process, holding the records against the clock; it calls people when the engine is silent.

1. Look at the records every few seconds: is anything due that the engine has not seen to, or that no page has told
   anybody about?
2. When it is so for longer than the grace, page the people of the watchdog's role, past every engine.
3. Page again while it lasts, and say when it is over.

It needs neither Temporal nor the worker. Records that can't be read are an alarm too: the watchdog is blind then.
Beside that it signs checkpoints of the trail: the workers, who write it, don't need that key. And it holds the rota
against the ladders, each day and whenever one of the two has changed: `practice/roster_watch.py`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

import logs
from activities.channels import notifiers
from activities.notices import NotDeliveredError, Notice, Notifier
from activities.paging import RotaSource
from audit import database, queries, sealing
from audit.checkpoints import Checkpointer
from audit.outside import KeptFile, NotKeptError
from audit.queries import Unattended
from audit.relied_on import ReliedOn
from audit.signatures import CheckpointError, SigningKeys
from practice.roster_gaps import RosterGaps
from practice.roster_watch import RosterWatch
from practice.rotas import Rotas
from practice.rotas import RotaSource as LivingRota
from protocol.rota import Person, Rota, resolve
from protocol.spec import ProtocolSpec
from protocol_specs.loader import NOT_PROTOCOLS, SpecErrors, load_protocol
from protocol_specs.rota_file import RotaFile
from settings import Settings, SettingsError, load

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 5.0
ROSTER_EVERY_SECONDS = 60.0
PAGE_AGAIN = timedelta(minutes=15)
MOST_PEOPLE = 50
SIGN_EVERY = timedelta(seconds=60)
SIGN_ROWS = 1_000
"""A checkpoint is made after so long, or as soon as so many rows wait for one."""


class Records(Protocol):
    """What the watchdog asks of the records."""

    async def unattended(self, before: datetime) -> Unattended:
        """Open obligations that needed the engine before a moment and still wait for it."""
        ...

    async def unheard(self, before: datetime) -> Unattended:
        """Open obligations whose pages have reached nobody since before a moment."""
        ...


@dataclass(frozen=True)
class Trouble:
    """Why people are called. No client is named."""

    type: str
    subject: str
    text: str


BLIND = Trouble(
    "watchdog.blind",
    "Holdfast's records can't be read",
    "The watchdog can't see whether deadlines are kept. Check the records database.\n"
    "Until it is back: look at what is open on paper, and call.\n",
)


class Watchdog:
    """One watch. All times are aware UTC."""

    def __init__(
        self, records: Records, rota: RotaSource, channels: Mapping[str, Notifier], role: str, grace: timedelta
    ) -> None:
        self._records = records
        self._caller = Caller(rota, channels, role)
        self._grace = grace
        self._trouble_since: datetime | None = None
        self._paged_at: datetime | None = None
        self._blind_since: datetime | None = None

    async def look(self, now: datetime) -> Trouble | None:
        """Look once; page when there is trouble, or when it is over. The trouble, if any."""
        trouble = await self._trouble(now)
        if trouble is None:
            await self._over(now)
        elif self._paged_at is None or now - self._paged_at >= PAGE_AGAIN:
            self._trouble_since = self._trouble_since or now
            log.error("people are called", reason_code=trouble.type)
            if await self._page(trouble, now):
                self._paged_at = now
        return trouble

    async def _trouble(self, now: datetime) -> Trouble | None:
        try:
            silent = await self._records.unattended(now - self._grace)
            unheard = await self._records.unheard(now - self._grace)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("records not read", error_type=type(error).__name__)
            self._blind_since = self._blind_since or now
            return BLIND if now - self._blind_since >= self._grace else None
        self._blind_since = None
        if silent.count:
            return _silence(silent, now)
        return _nobody_told(unheard, now) if unheard.count else None

    async def _over(self, now: datetime) -> None:
        if self._trouble_since is None or self._blind_since is not None:
            return
        over = Trouble("watchdog.over", "Holdfast is itself again", "Deadlines are seen to, and pages reach people.\n")
        if await self._page(over, now):
            self._trouble_since = self._paged_at = None

    async def _page(self, trouble: Trouble, now: datetime) -> bool:
        return await self._caller.call(trouble, now)


class Caller:
    """Reaches the people of the watchdog's role."""

    def __init__(self, rota: RotaSource, channels: Mapping[str, Notifier], role: str) -> None:
        self._rota = rota
        self._channels = channels
        self._role = role

    async def call(self, trouble: Trouble, now: datetime) -> bool:
        """Tell everybody by every channel; true when somebody was told."""
        people = _people(await self._rota.current(), self._role, now)
        key = f"{trouble.type}.{now:%Y%m%dT%H%M%S}"
        notice = Notice(key, trouble.type, trouble.subject, trouble.text, {"at": now.isoformat()})
        told = [await self._tell(name, channel, notice, people) for name, channel in self._channels.items()]
        return any(told)

    async def _tell(self, name: str, channel: Notifier, notice: Notice, people: Sequence[Person]) -> bool:
        try:
            await channel.deliver(notice, people)
        except NotDeliveredError as failure:
            log.error("watchdog not heard", channel=name, reason_code=str(failure))
            return False
        return True


def _people(rota: Rota, role: str, now: datetime) -> list[Person]:
    """Who answers for the role now; with nobody on shift everybody who has it: better woken than silent."""
    found = resolve(rota, role, now) or [person for person in rota.people if role in person.roles]
    return found[:MOST_PEOPLE]


def _silence(unattended: Unattended, now: datetime) -> Trouble:
    minutes = int((now - unattended.since).total_seconds() // 60)
    return Trouble(
        "watchdog.silent",
        f"Holdfast's engine is silent: {unattended.count} deadlines wait",
        f"{unattended.count} deadlines are due and nobody was paged; the oldest for {minutes} minutes.\n"
        "Check the worker and Temporal. Until they are back: `holdfast episode list --overdue`, and call.\n",
    )


def _nobody_told(unheard: Unattended, now: datetime) -> Trouble:
    minutes = int((now - unheard.since).total_seconds() // 60)
    return Trouble(
        "watchdog.unheard",
        f"Holdfast's pages reach nobody: {unheard.count} duties",
        f"The pages about {unheard.count} open duties were taken by nobody; the first for {minutes} minutes.\n"
        "Check the mail server, the webhook and the rota. Until then: `holdfast episode list --overdue`, and call.\n",
    )


async def watch(dog: Watchdog, stop: asyncio.Event) -> None:
    """Look again and again until told to stop."""
    while not stop.is_set():
        await dog.look(datetime.now(UTC))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_SECONDS)


async def watch_roster(roster: RosterWatch, stop: asyncio.Event, every: float = ROSTER_EVERY_SECONDS) -> None:
    """Look at the rota again and again until told to stop. Whatever fails is tried again."""
    while not stop.is_set():
        try:
            await roster.look(datetime.now(UTC))
        except Exception as error:  # the alarm beside this must never stop with it
            log.warning("the rota is not held against the ladders; trying again", error_type=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)


async def sign(
    checkpointer: Checkpointer, stop: asyncio.Event, every: timedelta = SIGN_EVERY, kept: KeptFile | None = None
) -> None:
    """Cover the trail with checkpoints until told to stop, and once more then. Whatever fails is tried again.

    Each is also kept outside, where there is such a file.
    """

    async def make() -> None:
        await checkpointer.make()
        if kept is not None:
            await kept.bring_up()

    clock, due = asyncio.get_running_loop().time, 0.0
    while not stop.is_set():
        try:
            if clock() >= due or await checkpointer.waiting() >= SIGN_ROWS:
                due = clock() + every.total_seconds()
                await make()
        except CheckpointError as error:
            log.error("no checkpoint: the records are not what was signed", reason_code=str(error))
        except (NotKeptError, OSError) as error:
            log.error("no checkpoint is kept outside", error_type=type(error).__name__)
        except Exception as error:  # the alarm beside this must never stop with it
            log.warning("no checkpoint; trying again", error_type=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)
    with suppress(Exception):
        await make()


async def _sign_if_possible(settings: Settings, engine: database.Database, stop: asyncio.Event) -> None:
    if not settings.signing_keys:
        log.warning("no checkpoints are signed: set HOLDFAST_SIGNING_KEYS")
        return
    keys = SigningKeys((key.id, key.secret) for key in settings.signing_keys)
    kept = None if settings.checkpoints_outside is None else KeptFile(engine, keys, settings.checkpoints_outside)
    await sign(Checkpointer(engine, keys, lambda: datetime.now(UTC)), stop, kept=kept)


def roster_watch(settings: Settings, records: database.Database, rota: LivingRota, caller: Caller) -> RosterWatch:
    """The watch over the roster, as the settings have it."""
    versions = ReliedOn(records)

    async def relied_on(begins: datetime, ends: datetime) -> Sequence[ProtocolSpec]:
        found = {spec.content_hash: spec for spec in await versions.between(begins, ends)}
        if settings.mode == "embedded":  # on one's own machine a file counts that nobody ever published
            published = await versions.published()
            files = [spec for spec in _files(settings.protocols) if spec.protocol not in published]
            found |= {spec.content_hash: spec for spec in files}
        return tuple(found.values())

    async def tell(subject: str, text: str) -> bool:
        log.warning("people are told of gaps in the rota")
        return await caller.call(Trouble("watchdog.roster", subject, text), datetime.now(UTC))

    return RosterWatch(rota, relied_on, RosterGaps(records), tell)


def _files(folder: Path) -> Iterator[ProtocolSpec]:
    for file in sorted(folder.glob("*.yaml")):
        if file.stem not in NOT_PROTOCOLS:
            with suppress(SpecErrors):
                yield load_protocol(file)


async def _watch_until_signalled(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = database.connect(settings.database_url.get_secret_value(), pool_size=2)
    ring = sealing.Keyring((key.id, key.secret) for key in settings.record_keys)
    rota, channels = Rotas(RotaFile(settings.rota), engine), notifiers(settings)
    grace = timedelta(seconds=settings.watchdog_seconds)
    dog = Watchdog(queries.Queries(engine, ring), rota, channels, settings.watchdog_role, grace)
    roster = roster_watch(settings, engine, rota, Caller(rota, channels, settings.watchdog_role))
    log.info("watchdog ready")
    await asyncio.gather(watch(dog, stop), watch_roster(roster, stop), _sign_if_possible(settings, engine, stop))
    await engine.dispose()


def main(environ: Mapping[str, str] | None = None) -> int:
    """Run the watchdog; the exit code: 0 stopped, 2 wrong settings or rota."""
    try:
        settings = load(environ)
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(_watch_until_signalled(settings))
    except (SettingsError, SpecErrors) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
