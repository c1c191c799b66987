"""One piece of long work for an auditor: the folder that tells what was asked, how far it is and what came of it.

Any web process on this machine can show it. It holds client data while it stands: for whoever asked and nobody else,
sealed, and for an hour.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from audit.sealing import Keyring
from practice.sealing import Seal
from settings import Settings

M = TypeVar("M", bound=BaseModel)

KEPT_FOR = timedelta(hours=1)
"""How long files wait to be fetched."""
ORDER, STATE, STOP = "order", "state", "stop"
_WHAT = "errand"

Kind = Literal["verification", "export", "conformance"]
Standing = Literal["running", "done", "failed", "stopped"]


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
