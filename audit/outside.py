"""Checkpoints kept outside the database, in a file that only grows: each line is one, as it is printed.

The file belongs where the administrators of the database can't write. What is in it and not in the records shows
that the records were cut, rewritten or restored from an old backup.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from audit.checkpoints import Signed, as_object, checkpoints_after, refuse_others
from audit.database import Database
from audit.signatures import VerifyKeys
from protocol.checkpoint import Statement

LONGEST_LINE = 4_096

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=1, le=2**62)]


class Kept(BaseModel):
    """A checkpoint as it is printed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    number: _Count
    at: AwareDatetime
    previous: _Hash
    rows: Annotated[int, Field(ge=0, le=2**62)]
    size: _Count
    root: _Hash
    key_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]

    def signed(self) -> Signed:
        """The checkpoint that was printed."""
        said = Statement(self.number, self.at, self.previous, self.rows, self.size, self.root, self.key_id)
        return Signed(said, self.signature)


class NotKeptError(Exception):
    """What was kept outside can't be read; the message says where."""


def read_kept(path: Path) -> Iterator[Signed]:
    """The checkpoints of a file, one a line. Raises NotKeptError.

    A line that was torn off while it was written is passed over: it is the last one, or begins the line after it.
    """
    try:
        with path.open("rb") as file:
            printed = _printed(file)
            if printed is not None:
                yield printed
                return
            file.seek(0)
            for number, (line, ended) in enumerate(_whole(file), 1):
                try:
                    yield Kept.model_validate_json(line).signed()
                except ValidationError:
                    if ended or number == 1:
                        raise NotKeptError(f"{path}, line {number}: this is no checkpoint") from None
    except OSError as error:
        raise NotKeptError(f"{path} can't be read ({type(error).__name__})") from None


def _printed(file: IO[bytes]) -> Signed | None:
    """The one checkpoint of a file over several lines, as `holdfast audit checkpoint` prints it."""
    text = file.read(LONGEST_LINE + 1)
    try:
        return Kept.model_validate_json(text).signed() if len(text) <= LONGEST_LINE else None
    except ValidationError:
        return None


class KeptFile:
    """Adds to a file each checkpoint that the records have and it has not."""

    def __init__(self, database: Database, keys: VerifyKeys, path: Path) -> None:
        self._database = database
        self._keys = keys
        self._path = path
        self._last: Signed | None = None
        self._read = False

    async def bring_up(self) -> int:
        """Append what is new; how many checkpoints that were.

        Raises CheckpointError when the records no longer have the last one of the file, NotKeptError, OSError.
        """
        if not self._read:
            if self._path.exists():
                for signed in read_kept(self._path):
                    self._last = signed
            self._read = True
        last = self._last
        if last is not None:
            self._keys.check(last.statement, last.signature)
            await self._database.read(lambda connection: refuse_others(connection, last))
        count = 0
        while fresh := await checkpoints_after(self._database, self._keys, self._last):
            self._append(fresh)
            self._last = fresh[-1]
            count += len(fresh)
        return count

    def _append(self, fresh: list[Signed]) -> None:
        lines = "".join(f"{json.dumps(as_object(one))}\n" for one in fresh)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(("\n" if _torn(self._path) else "").encode() + lines.encode())
            file.flush()
            os.fsync(file.fileno())


def _torn(path: Path) -> bool:
    """The file ends within a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _whole(file: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each line that no longer one repeats, and whether it ends in a line feed."""
    before, ended = b"", True
    for line in file:
        text = line.strip()[: LONGEST_LINE + 1]
        if before and not text.startswith(before):
            yield before, ended
        if text:
            before, ended = text, line.endswith(b"\n")
    if before:
        yield before, ended
