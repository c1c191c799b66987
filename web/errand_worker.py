"""The process that works on one errand, gently, so that every page stays quick."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import to_json, to_jsonable_python
from sqlalchemy.exc import SQLAlchemyError

import logs
from activities.ends import Ends
from audit import exporting
from audit.access import Access, record
from audit.bundle import BundleError, Keys
from audit.certificate import SIGNATURE
from audit.conformance import Judged, opened_between, sha256_of
from audit.database import Database, connect
from audit.history import HistoryError
from audit.redaction import RedactionError
from audit.sealing import Keyring, SealingError
from audit.signatures import CheckpointError, SigningKeys, checking
from audit.sinks import FORMATS, Format, Handed, write_files
from audit.veil import Veil
from audit.verification import Wanted, verification
from protocol.conformance import OVERRIDES, Conformance
from settings import Settings
from web.errand import ORDER, STATE, STOP, Order, Standing, State, drop_files, read, seal_of, write
from web.waiting_files import seal
from workflows.client import EngineUnavailableError, EpisodeClient
from workflows.connection import connect as connect_engine

log = structlog.get_logger()

GENTLY = 10
"""How much this process gives way to the others."""
LOOK_SECONDS = 0.5
PATIENCE = timedelta(seconds=10)
MOST_UNJUDGED = 200
"""Episodes of a conformance run that are named with why they can't be judged."""
EPISODES = "episodes.ndjson"
"""What the page of a conformance run lists; it is not handed out."""


def work(settings: Settings, folder: Path) -> None:
    """Work on the errand of this folder until it is over."""
    os.nice(GENTLY)
    os.umask(0o077)
    logs.configure(settings.log_level, settings.log_format)
    asyncio.run(Worker(settings, folder).run())


class Worker:
    """Works, says how far it is, and looks whether it shall stop."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._seal = seal_of(settings)
        self._order = read(folder / ORDER, Order, self._seal)
        self._far = ("Beginning", 0, 0)

    async def run(self) -> None:
        """The whole errand; whatever goes wrong is said in its folder."""
        task = asyncio.create_task(self._work())
        while not task.done():
            if (self._folder / STOP).exists():
                task.cancel()
            self._say("running")
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
        try:
            self._say("done", result=task.result())
        except asyncio.CancelledError:
            self._say("stopped")
        except RedactionError as error:
            self._say("failed", f"{error}. To mend it, {error.REMEDY}.")
        except (BundleError, CheckpointError, HistoryError, SealingError) as error:
            self._say("failed", f"{error}. Verify the records: the finding says more.")
        except SQLAlchemyError as error:
            log.error("an errand found the records away", error_type=type(error).__name__)
            self._say("failed", "The records do not answer, or it can't be written down who looked. Try again later.")
        except Exception as error:
            log.error("an errand failed", error_type=type(error).__name__)  # its text may be a client's
            self._say("failed", "It could not be finished: a fault of ours. Nothing was handed out.")
        if task.cancelled() or task.exception() is not None:
            drop_files(self._folder)

    def _say(self, standing: Standing, why: str = "", result: dict[str, Any] | None = None) -> None:
        doing, done, of = self._far
        state = State(standing=standing, doing=doing, done=done, of=of, why=why, result=result or {}, at=utc_now())
        write(self._folder / STATE, state, self._seal)

    def _follow(self, doing: str, done: int, of: int) -> None:
        self._far = (doing, done, of)

    async def _work(self) -> dict[str, Any]:
        records = connect(self._settings.database_url.get_secret_value(), pool_size=2)
        ring = Keyring((key.id, key.secret) for key in self._settings.record_keys)
        ways: dict[str, Callable[[Database, Keyring], Awaitable[dict[str, Any]]]] = {
            "verification": self._verify,
            "export": self._export,
            "conformance": self._judge,
        }
        try:
            return await ways[self._order.kind](records, ring)
        finally:
            with suppress(asyncio.CancelledError):
                await records.dispose()

    async def _episodes(self, records: Database) -> Sequence[str]:
        order = self._order
        if order.episodes is not None:
            return order.episodes
        return await opened_between(records, order.begins, order.ends)

    async def _verify(self, records: Database, ring: Keyring) -> dict[str, Any]:
        order, settings = self._order, self._settings
        begun = utc_now()
        wanted = Wanted(ask=order.workflows)
        found = await verification(
            records, ring, _checking(settings), Ends(self._engine), wanted, progress=self._follow
        )
        told = {"view": "/audit/verify", "workflows": order.workflows, **found.account(begun)}
        look = Access(utc_now(), order.by, order.role, "verified", order.purpose, detail=told)
        await record(records, look)  # the result is this row: nobody can change it
        return {"good": told["good"]}

    async def _export(self, records: Database, ring: Keyring) -> dict[str, Any]:
        order, settings = self._order, self._settings
        signing, checks = SigningKeys((key.id, key.secret) for key in settings.signing_keys), _checking(settings)
        if checks is None:
            raise BundleError("there is no key to check with")
        keys, ids = Keys(signing, checks), await self._episodes(records)
        name = f"holdfast-{order.asked_at:%Y-%m-%d}-{self._folder.name[:6]}"
        pdf = self._folder / f"{name}.pdf" if order.certificate else None
        out = self._folder / f"{name}.zip"
        wanted = exporting.Wanted(
            *(ids, out, order.by, order.role, order.to, order.purpose, order.everything, order.redact, pdf)
        )
        made = await exporting.export(
            *(records, ring, keys, wanted, utc_now()),
            progress=lambda so_far: self._follow("Episodes", so_far.episodes, len(ids)),
        )
        certificate = [] if pdf is None else [pdf, pdf.with_name(pdf.name + SIGNATURE)]
        return {
            **{name: getattr(made, name) for name in ("sha256", "episodes", "rows", "withheld")},
            "keys": exporting.needed_keys(made, keys),
            "files": _sealed([out, *certificate], ring),
        }

    async def _judge(self, records: Database, ring: Keyring) -> dict[str, Any]:
        order = self._order
        ids = await self._episodes(records)
        handed = Handed(utc_now(), order.by, order.role, order.to, order.purpose, order.redact)
        ends: dict[Format, str] = {"csv": "csv", "ndjson": "ndjson", "ocel": "jsonocel", "xes": "xes"}
        stem = f"conformance-{order.asked_at:%Y-%m-%d}-{self._folder.name[:6]}"
        files: dict[Format, Path] = {}
        if order.certificate:
            files = {name: self._folder / f"{stem}.{ends[name]}" for name in FORMATS}
        with (self._folder / EPISODES).open("wb") as lines:

            def line(_judged: Judged, one: Conformance, _veil: Veil) -> None:
                lines.write(to_json(line_of(one)) + b"\n")

            told = await write_files(
                *(records, ring, ids, files, handed, [line]),
                progress=lambda done: self._follow("Episodes", done, len(ids)),
            )
        groups = {by: {name: asdict(sums) for name, sums in sorted(found.items())} for by, found in told.groups.items()}
        more = {"episodes": len(told.episodes), "drills": told.drills, "not_judged": told.not_judged[:MOST_UNJUDGED]}
        seal(self._folder / EPISODES, ring)
        return {**more, "groups": groups, "files": _sealed([*files.values()], ring)}

    async def _engine(self) -> EpisodeClient:
        try:
            client = await connect_engine(self._settings)
        except RuntimeError:
            raise EngineUnavailableError("Temporal does not answer") from None
        return EpisodeClient(client, self._settings.temporal_task_queue, PATIENCE)


def line_of(one: Conformance) -> dict[str, Any]:
    """What the page of a run shows of an episode."""
    return to_jsonable_python(
        {
            "episode_id": one.episode_id,
            "protocol": f"{one.protocol} {one.version}",
            "owners": [*one.done],
            "types": one.crisis_types,
            "opened_at": one.opened_at,
            "drill": one.drill,
            "missed": sum(owed.missed for owed in one.deadlines.values()),
            "met_late": one.ended("met_late"),
            "owed": one.ended("owed"),
            "skipped": one.count("skipped", "left_undone", "out_of_order"),
            "overrides": one.count(*OVERRIDES),
            "late_entries": one.count("late_entry"),
            "differs": one.count("differs"),
        }
    )


def _sealed(paths: Sequence[Path], ring: Keyring) -> dict[str, dict[str, Any]]:
    """Seal files, and say what they were in the clear."""
    told = {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths}
    for path in paths:
        seal(path, ring)
    return told


def _checking(settings: Settings):
    return checking(
        ((key.id, key.public) for key in settings.verify_keys), ((key.id, key.secret) for key in settings.signing_keys)
    )


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
