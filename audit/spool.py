"""Looks that could not be written into the access trail yet: sealed files, written later, each once.

Only what must never wait for the trail comes here: whoever helps in a crisis sees the episode, and the row follows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from audit.access import record_rows
from audit.database import Database
from audit.sealing import Keyring
from protocol.canonical import rfc3339

FOLDER = "accesses"
"""Folder below `var`."""
MOST_AT_ONCE = 500
_END_OF_NAME = b"\x00"
_WHAT = "accesses"


class Spool:
    """Keeps looks in a folder. Safe for several processes: a file is whole or not there, and a row is written once."""

    def __init__(self, folder: Path, ring: Keyring) -> None:
        self._folder = folder
        self._ring = ring

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows of `as_row` until they can be written. Raises OSError when the disk takes nothing either."""
        name = uuid4().hex
        kept = [{**row, "at": rfc3339(row["at"])} for row in rows]
        sealed = self._ring.wrap(json.dumps(kept).encode(), _WHAT, name)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f"{name}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self._ring.active.encode() + _END_OF_NAME + sealed)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / f"{name}.sealed")

    def waiting(self) -> list[Path]:
        """What is kept, at most `MOST_AT_ONCE`; nothing while there is no folder."""
        return sorted(self._folder.glob("*.sealed"))[:MOST_AT_ONCE]

    async def write_into(self, database: Database) -> int:
        """Write what is kept; how many looks that were. Raises SQLAlchemyError, SealingError, OSError."""
        count = 0
        for path in self.waiting():
            rows = self._opened(path)
            await record_rows(database, rows)
            path.unlink(missing_ok=True)
            count += len(rows)
        return count

    def _opened(self, path: Path) -> list[dict[str, Any]]:
        kek_id, _, sealed = path.read_bytes().partition(_END_OF_NAME)
        rows = json.loads(self._ring.unwrap(sealed, kek_id.decode(), _WHAT, path.stem))
        return [{**row, "at": datetime.fromisoformat(row["at"])} for row in rows]
