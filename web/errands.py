"""Long work for auditors: each errand has a folder below `var` and a process of its own that works on it."""

from __future__ import annotations

import multiprocessing
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.sealing import SealingError
from settings import Settings
from web.errand import ORDER, STATE, STOP, Errand, Kind, Order, State, drop_files, read, seal_of, write
from web.errand_worker import work

FOLDER = "errands"
"""Folder below `var`."""
SILENT = timedelta(minutes=2)
"""A process that says nothing for so long is gone."""
AT_ONCE = 2
ERRAND_ID = re.compile(r"[0-9a-f]{32}")


class Busy(Exception):
    """It is not begun now; the message says why."""


class Errands:
    """The errands of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.var / FOLDER
        self._seal = seal_of(settings)

    def begin(self, order: Order) -> Errand:
        """Begin an errand in a process of its own. Raises Busy: one at a time for a person, a few for all."""
        self.sweep(order.asked_at)
        running = [one for one in self.everything(order.asked_at) if not one.over]
        if any(one.order.by == order.by for one in running):
            raise Busy("One of yours is still under way. Wait for it, or stop it first.")
        if len(running) >= AT_ONCE:
            raise Busy("Others are at work with the records. Try again in a few minutes.")
        errand_id = secrets.token_hex(16)
        folder = self._folder / errand_id
        folder.mkdir(parents=True, mode=0o700)
        write(folder / ORDER, order, self._seal)
        state = State(at=order.asked_at, doing="Beginning")
        write(folder / STATE, state, self._seal)
        process = multiprocessing.get_context("spawn").Process(target=work, args=(self._settings, folder), daemon=True)
        process.start()
        return Errand(errand_id, folder, order, state)

    def get(self, errand_id: str, by: str, now: datetime) -> Errand | None:
        """An errand of this person; None when there is none."""
        found = self._read(self._folder / errand_id, now) if ERRAND_ID.fullmatch(errand_id) else None
        return found if found is not None and found.order.by == by else None

    def of(self, by: str, now: datetime, kind: Kind | None = None) -> list[Errand]:
        """The errands of a person, the latest first."""
        return [one for one in self.everything(now) if one.order.by == by and kind in (None, one.order.kind)]

    def everything(self, now: datetime) -> list[Errand]:
        """Every errand that is still told about, the latest first."""
        found = [one for one in (self._read(path, now) for path in self._folders()) if one is not None]
        return sorted(found, key=lambda one: one.order.asked_at, reverse=True)

    def stop(self, errand: Errand) -> None:
        """Ask its process to give it up; it looks twice a second."""
        if not errand.over:
            (errand.folder / STOP).touch(mode=0o600)

    def sweep(self, now: datetime) -> None:
        """Take away what waited long enough, what came to nothing, and what can't be read and is not just being
        written."""
        for path in self._folders():
            found = self._read(path, now)
            if found is not None and found.over and found.state.standing != "done":
                drop_files(path)
            waited = found.over and now >= found.gone_at if found is not None else _since(path, now) > SILENT
            if waited:
                shutil.rmtree(path, ignore_errors=True)

    def _folders(self) -> Iterator[Path]:
        return self._folder.iterdir() if self._folder.is_dir() else iter(())

    def _read(self, folder: Path, now: datetime) -> Errand | None:
        try:
            order, state = read(folder / ORDER, Order, self._seal), read(folder / STATE, State, self._seal)
        except (OSError, ValueError, SealingError):
            return None
        if state.standing == "running" and now - state.at > SILENT:
            lost = "The process that worked on it is gone. Nothing of it was handed out; begin anew."
            state = state.model_copy(update={"standing": "failed", "why": lost})
        return Errand(folder.name, folder, order, state)


def _since(path: Path, now: datetime) -> timedelta:
    try:
        return now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # another process took it away
        return timedelta()
