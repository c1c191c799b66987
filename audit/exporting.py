"""Handing episodes out: the bundle, on request the certificate, and a row of the access trail before either appears."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from audit.access import Access, record
from audit.bundle import Keys, Made, Request, write_bundle
from audit.certificate import SIGNATURE, certificate, signature_of
from audit.checkpoints import Witness
from audit.database import Database
from audit.history import history
from audit.releases import Seen, in_use, present
from audit.sealing import Keyring
from audit.tables import trail

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What goes to whom, and who sends it."""

    episodes: Sequence[str]
    """Their ids; of one only when a certificate is wanted."""
    out: Path
    """The bundle."""
    by: str
    role: str
    to: str
    purpose: str
    everything: bool = False
    """The episodes are all that there are."""
    redact: bool = False
    """Withhold what tells about substance use."""
    pdf: Path | None = None
    """The certificate, with its signature in a file beside it; none is made when None."""


async def export(
    database: Database,
    ring: Keyring,
    keys: Keys,
    wanted: Wanted,
    now: datetime,
    progress: Callable[[Made], None] | None = None,
) -> Made:
    """Write the files. Nothing of them is seen before the access trail has its rows, one for each episode.

    Raises BundleError for a damaged trail, and RedactionError, CheckpointError, HistoryError, SealingError,
    FileExistsError.
    """
    releases = await recorded_with(database, wanted.episodes)
    request = Request(
        *(sorted(wanted.episodes), now, wanted.by, wanted.to or "nobody named", wanted.purpose, wanted.redact),
        *(present(), releases, wanted.everything),
    )
    draft = wanted.out.with_name(f".{wanted.out.name}.{os.getpid()}.draft")
    try:
        made = await write_bundle(database, ring, keys, draft, request, progress)
        page, signature = b"", ""
        if wanted.pdf is not None:
            told = await history(database, ring, request.episodes[0], Witness(database, keys.checking))
            page = certificate(told, request, made, keys.signing.public()[keys.signing.active])
            signature = signature_of(page, keys.signing)
        await _disclose(database, wanted, request, made)  # whoever can't write it down may not have it
        os.replace(draft, wanted.out)
        if wanted.pdf is not None:
            _write(wanted.pdf, page, signature)
    finally:
        _forget(draft)
    return made


def needed_keys(made: Made, keys: Keys) -> dict[str, str]:
    """The public keys with which a bundle is checked: its own first, then those of the checkpoints in it."""
    own, public = keys.signing.active, keys.checking.public()
    return {name: public[name] for name in sorted(made.keys, key=lambda name: (name != own, name))}


async def recorded_with(database: Database, ids: Sequence[str]) -> tuple[Seen, ...]:
    """The releases that were in use while rows of these episodes were recorded."""
    first: datetime | None = None
    last: datetime | None = None
    for start in range(0, len(ids), AT_ONCE):
        some = trail.c.episode_id.in_(ids[start : start + AT_ONCE])
        query = select(func.min(trail.c.written_at), func.max(trail.c.written_at)).where(some)
        row = await database.read(lambda connection, query=query: connection.execute(query).one())
        if row[0] is not None:
            first = row[0] if first is None else min(first, row[0])
            last = row[1] if last is None else max(last, row[1])
    return () if first is None or last is None else await in_use(database, first, last)


async def _disclose(database: Database, wanted: Wanted, request: Request, made: Made) -> None:
    detail = {"to": request.to, "bundle": made.sha256, "withheld": "sud" if request.redact else ""}
    looks = [
        Access(request.made_at, request.by, wanted.role, "exported", request.purpose, episode_id=one, detail=detail)
        for one in request.episodes
    ]
    for start in range(0, len(looks), AT_ONCE):
        await record(database, *looks[start : start + AT_ONCE])


def _write(path: Path, page: bytes, signature: str) -> None:
    path.write_bytes(page)
    path.with_name(path.name + SIGNATURE).write_text(signature, encoding="ascii")


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
