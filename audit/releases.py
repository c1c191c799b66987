"""Which release decided when: every worker says so with its first rows, so that an auditor can get the very same rules.

It is not in the rows themselves: a worker that reads an episode anew from Temporal's history must make the same rows,
whichever release it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, insert, select

import protocol
from audit.database import Database
from audit.tables import releases


@dataclass(frozen=True, slots=True)
class Release:
    """A version of Holdfast, and the hash of the rules in it: two builds of one version need not be the same."""

    version: str
    rules: str
    """SHA-256 over the files of `protocol/`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A release and when a worker of it began to record."""

    at: datetime
    release: Release


@cache
def present() -> Release:
    """The release that is running."""
    try:
        name = version("holdfast")
    except PackageNotFoundError:
        name = "unknown"
    return Release(name, rules_of(Path(next(iter(protocol.__path__)))))


def rules_of(folder: Path) -> str:
    """SHA-256 over what `sha256sum` lists for the Python files of a folder, sorted by their paths."""
    files = sorted(folder.rglob("*.py"))
    lines = [f"{sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return sha256("".join(lines).encode()).hexdigest()


def note_in(connection: Connection, release: Release, now: datetime) -> None:
    """Write down that a release begins to record, unless it was the last that did."""
    last = connection.execute(select(releases).order_by(releases.c.at.desc()).limit(1)).one_or_none()
    if last is None or Release(last.version, last.rules) != release:
        values = {"release_id": uuid4().hex, "at": now, "version": release.version, "rules": release.rules}
        connection.execute(insert(releases), values)


async def in_use(database: Database, begins: datetime, ends: datetime) -> tuple[Seen, ...]:
    """The releases that may have decided within a time: the last one noted before it, and those noted in it."""
    query = select(releases).where(releases.c.at <= ends).order_by(releases.c.at)
    rows = await database.read(lambda connection: connection.execute(query).all())
    seen = [Seen(row.at, Release(row.version, row.rules)) for row in rows]
    before = [one for one in seen if one.at <= begins]
    return (*before[-1:], *(one for one in seen if one.at > begins))
