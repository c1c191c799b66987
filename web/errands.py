"""Long work for auditors: each errand has a folder below `var` and a process of its own that works on it.

The folder tells what was asked, how far it is and what came of it, so that any web process on this machine can show
it. It holds client data while it stands: for whoever asked and nobody else, sealed, and for an hour.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from audit.sealing import Keyring, SealingError
from practice.sealing import Seal
from settings import Settings

M = TypeVar("M", bound=BaseModel)

FOLDER = "errands"
"""Folder below `var`."""
KEPT_FOR = timedelta(hours=1)
"""How long files wait to be fetched."""
SILENT = timedelta(minutes=2)
"""A process that says nothing for so long is gone."""
AT_ONCE = 2
ORDER, STATE, STOP = "order", "state", "stop"
_WHAT = "errand"
ERRAND_ID = re.compile(r"[0-9a-f]{32}")

Kind = Literal["verification", "export", "conformance"]
Standing = Literal["running", "done", "failed", "stopped"]


class Busy(Exception):
    """It is not begun now; the message says why."""


class Order(BaseModel):
    """What somebody asked for. Times are aware UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    by: str
    role: str
    asked_at: datetime
    episodes: tuple[str, ...] | None = None
    """None: those opened in the period."""
    begins: datetime | None = None
    ends: datetime | None = None
    to: str = ""
    purpose: str = ""
    redact: bool = False
    """Withhold what tells about substance use."""
    certificate: bool = False
    workflows: bool = False
    """Also ask the workflows of a verification."""

    @property
    def everything(self) -> bool:
        """All episodes that there are."""
        return self.episodes is None and self.begins is None and self.ends is None


class State(BaseModel):
    """How far an errand is, as its process says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    standing: Standing = "running"
    doing: str = ""
    done: int = 0
    of: int = 0
    """0: not known."""
    why: str = ""
    """Why it failed, for the person."""
    result: dict[str, Any] = {}
    at: datetime
    """When it was last heard of."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One errand as its folder tells it."""

    errand_id: str
    folder: Path
    order: Order
    state: State

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        return self.state.standing != "running"

    @property
    def gone_at(self) -> datetime:
        """When its files are taken away."""
        return self.state.at + KEPT_FOR

    def file(self, name: str) -> Path | None:
        """A file that it made, to be read with `waiting_files`; None for any other name."""
        return self.folder / name if self.over and name in self.state.result.get("files", {}) else None


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
        from web.errand_worker import work  # its process imports it too

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


def drop_files(folder: Path) -> None:
    """Take away what an errand that came to nothing has made."""
    for path in folder.iterdir():
        if path.name not in (ORDER, STATE):
            path.unlink(missing_ok=True)


def seal_of(settings: Settings) -> Seal:
    """What seals the errands of this machine."""
    return Seal(Keyring((key.id, key.secret) for key in settings.record_keys))


def write(path: Path, told: BaseModel, seal: Seal) -> None:
    """Write a sealed file that is whole or not there, for this user alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    sealed = seal.close(told.model_dump(mode="json"), _WHAT, _place(path))
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(sealed)
    draft.replace(path)


def read(path: Path, kind: type[M], seal: Seal) -> M:
    """What `write` wrote. Raises OSError, SealingError, ValueError."""
    return kind.model_validate_json(json.dumps(seal.open(path.read_bytes(), _WHAT, _place(path))))


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
