"""Conformance as files for other programs, written one episode at a time."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, get_args

from pydantic_core import to_json

from audit.access import Access, record
from audit.cells import harmless
from audit.conformance import Judged, Take, Told, draft_of, sha256_of, tell
from audit.database import Database
from audit.mining import ocel, xes
from audit.sealing import Keyring
from audit.veil import Veil
from protocol.chronicle import chronicle
from protocol.conformance import Conformance, Sums

Format = Literal["csv", "ndjson", "ocel", "xes"]
FORMATS: tuple[Format, ...] = get_args(Format)
Sink = Take
"""Takes one episode, what was judged as the reader may see it, and the veil over the rest."""
AT_ONCE = 500

_KNOWN = ("episode_id", "protocol", "version", "crisis_types", "owner", "opened_at", "closed_at", "outcome", "drill")


@contextmanager
def _csv(out: IO[bytes]) -> Generator[Sink]:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    lines = csv.writer(text)
    counts = [one.name for one in fields(Sums) if one.name != "episodes"]
    lines.writerow([*_KNOWN, *counts])

    def take(_judged: Judged, one: Conformance, _veil: Veil) -> None:
        sums = Sums()
        sums.add(one)
        closed = one.closed_at.isoformat() if one.closed_at else ""
        known = [one.episode_id, one.protocol, one.version, " ".join(one.crisis_types), one.owner]
        when = [one.opened_at.isoformat(), closed, one.outcome or "", one.drill]
        lines.writerow([*map(harmless, known), *when, *(getattr(sums, name) for name in counts)])

    yield take
    text.flush()
    text.detach()


@contextmanager
def _ndjson(out: IO[bytes]) -> Generator[Sink]:
    def take(_judged: Judged, one: Conformance, _veil: Veil) -> None:
        told = {**asdict(one), "deadlines": [asdict(owed) for owed in one.deadlines.values()]}
        sums = {"steps_done": one.steps_done, "decisions": one.decisions, "tables": one.tables}
        out.write(to_json(told | sums) + b"\n")

    yield take


@contextmanager
def _ocel(out: IO[bytes]) -> Generator[Sink]:
    with ocel(out) as log:
        yield lambda judged, one, veil: log.take(one, chronicle(judged.rows), veil)


@contextmanager
def _xes(out: IO[bytes]) -> Generator[Sink]:
    with xes(out) as log:
        yield lambda judged, one, veil: log.take(one, chronicle(judged.rows), veil)


SINKS: Mapping[Format, Callable[[IO[bytes]], AbstractContextManager[Sink]]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "ocel": _ocel,
    "xes": _xes,
}


@dataclass(frozen=True, slots=True)
class Handed:
    """Who gets the files, and from whom."""

    at: datetime
    """Aware UTC."""
    by: str
    role: str
    to: str
    purpose: str
    redact: bool = False
    """Withhold what tells about substance use."""


async def write_files(
    database: Database,
    ring: Keyring,
    episodes: Sequence[str],
    files: Mapping[Format, Path],
    handed: Handed,
    also: Sequence[Take] = (),
    progress: Callable[[int], None] | None = None,
) -> Told:
    """Judge these episodes and write the files. Nothing of them is seen before the access trail has its rows: one for
    each episode when there is a file, else one that says that somebody looked. Raises FileExistsError."""
    for path in files.values():
        if path.exists():
            raise FileExistsError(f"{path} exists")
    drafts: dict[Format, Path] = {name: draft_of(path) for name, path in files.items()}
    try:
        with ExitStack() as stack:
            takes = [
                stack.enter_context(SINKS[name](stack.enter_context(path.open("xb")))) for name, path in drafts.items()
            ]
            told = await tell(database, ring, episodes, [*takes, *also], redact=handed.redact, progress=progress)
        hashes: dict[Format, str] = {name: sha256_of(path) for name, path in drafts.items()}
        await _disclose(database, told, hashes, handed)
        for name, path in files.items():
            os.replace(drafts[name], path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return told


async def _disclose(database: Database, told: Told, hashes: Mapping[Format, str], handed: Handed) -> None:
    common = (handed.at, handed.by, handed.role)
    detail: dict[str, Any] = {"of": "conformance", "files": dict(hashes)}
    if not hashes:
        alone = told.episodes[0] if len(told.episodes) == 1 else ""
        await record(database, Access(*common, "searched", handed.purpose, episode_id=alone, detail=detail))
        return
    detail |= {"to": handed.to or "nobody named", "withheld": "sud" if handed.redact else ""}
    detail["sha256"] = next(iter(hashes.values()))
    looks = [Access(*common, "exported", handed.purpose, episode_id=one, detail=detail) for one in told.episodes]
    for start in range(0, len(looks), AT_ONCE):
        await record(database, *looks[start : start + AT_ONCE])
