"""Exports of the trail that verify without Holdfast: one zip file, signed as a whole, written row by row.

    README.txt              how to check it, and the notice of 42 CFR Part 2
    offline_verifier.py     the program that checks it
    manifest.json           who made it, for whom, why, with which release; how many episodes and rows
    episodes.ndjson         each episode: how many rows, the last one's hash, the checkpoint that vouches, proof
    rows.ndjson             each row: clear columns, and payload with salt, or only what may be shown
    protocols/HASH.json     the protocols under which the episodes ran

The comment of the zip ends in the signature over all bytes before it: no bit of the file can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from pydantic_core import to_json
from sqlalchemy import Connection, select

from audit import redaction
from audit.database import Database
from audit.proofs import Proofs, Proved
from audit.queries import MOST, opened_rows
from audit.redaction import RedactionError, Redactor, redactor, withheld
from audit.releases import Release, Seen
from audit.sealing import Keyring
from audit.shelf import Shelf, ShelfError, protocols_of
from audit.signatures import SigningKeys, VerifyKeys
from audit.tables import episodes, trail
from protocol.canonical import rfc3339
from protocol.trail import (
    DisclosedRow,
    Fault,
    Head,
    Shown,
    TrailRow,
    Withheld,
    check_end,
    genesis,
    link_of,
    verify,
)

FORMAT = "holdfast-bundle-1"
SIGNATURE = 128
VERIFIER = "offline_verifier.py"

README = """Export of Holdfast's audit trail

Check it with Python 3.11 and the package `cryptography`, without network:

    python offline_verifier.py THIS_FILE.zip --key KEY

KEY is the public key of the practice (`holdfast keys public`); after it was changed, give the old one too by another
--key. It must come to you by another way than this file,
and so must the program if you don't trust this file yet: it is `audit/offline_verifier.py` of Holdfast.

NOTICE: {notice}
({source})
"""


class BundleError(Exception):
    """An export can't be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that sign a bundle, and those with which the checkpoints of its rows may be signed."""

    signing: SigningKeys
    checking: VerifyKeys


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants what for whom."""

    episodes: Sequence[str]
    made_at: datetime
    """Aware UTC."""
    by: str
    to: str
    purpose: str
    redact: bool
    """Withhold what tells about substance use."""
    release: Release
    """Which makes the bundle."""
    releases: Sequence[Seen]
    """Which recorded, and since when."""
    everything: bool = False
    """The episodes are all that there are: one that a checkpoint knows and that is not among them is missed."""


@dataclass(slots=True)
class Made:
    """A bundle that was written."""

    sha256: str = ""
    """Of the file but its signature: what the verifier shows."""
    episodes: int = 0
    rows: int = 0
    withheld: int = 0
    protocols: set[str] = field(default_factory=set[str])
    keys: set[str] = field(default_factory=set[str])
    """The names of the keys with which the bundle and its checkpoints are signed."""
    proved: Proved | None = None
    """How far a checkpoint vouches for the last episode; None when none does yet."""


async def write_bundle(
    database: Database,
    ring: Keyring,
    keys: Keys,
    path: Path,
    request: Request,
    progress: Callable[[Made], None] | None = None,
) -> Made:
    """Write a bundle.

    Raises BundleError for a damaged trail, RedactionError, CheckpointError, SealingError, FileExistsError.

    A chain that ends before its checkpoint, or before the list of episodes, is damaged. Leaves no file when it fails.
    Memory does not grow with the number of rows: a thousand are held at a time.
    """
    signing = keys.signing
    proofs = Proofs(database, keys.checking)
    await proofs.prepare()
    lost = sorted(proofs.episodes - {*request.episodes}) if request.everything else []
    if lost:
        raise BundleError(f"a checkpoint vouches for episode {lost[0]}, which is gone. Nothing was exported")
    made, source = Made(keys={signing.active}), _Source(ring, proofs, Shelf(database), request.redact)
    try:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive, TemporaryFile() as lines:
            with archive.open(_entry("rows.ndjson"), "w", force_zip64=True) as rows:
                for episode_id in request.episodes:
                    lines.write(await database.read(partial(source.write, episode_id=episode_id, rows=rows, made=made)))
                    if progress is not None:
                        progress(made)
            _copy(lines, archive)
            for content_hash in sorted(made.protocols):
                document = (await source.shelf.protocol(content_hash)).canonical()
                archive.writestr(_entry(f"protocols/{content_hash}.json"), document)
            _describe(archive, request, made)
            archive.comment = f"{FORMAT} {signing.active} ".encode() + b"0" * SIGNATURE
        made.sha256 = _sign(path, signing)
    except FileExistsError:
        raise
    except BaseException:
        _forget(path)
        raise
    return made


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)


@dataclass
class _Source:
    """Where the rows come from, and how much of them may be shown."""

    ring: Keyring
    proofs: Proofs
    shelf: Shelf
    redact: bool
    redactors: dict[str, Redactor] = field(default_factory=dict[str, Redactor])

    def write(self, connection: Connection, episode_id: str, rows: IO[bytes], made: Made) -> bytes:
        """Write the rows of one episode; its own line for the list of episodes."""
        head, protocol_hash = genesis(episode_id), ""
        made.proved = proved = self.proofs.prove(connection, episode_id)
        listed = connection.scalar(select(episodes.c.revision).where(episodes.c.episode_id == episode_id)) or 0
        for page in self._pages(connection, episode_id):
            _refuse(verify(page, episode_id, start=head))
            for row in page:
                for protocol_hash in protocols_of([row]):  # the last one named is in force
                    self._pinned(connection, episode_id, protocol_hash)
                    made.protocols.add(protocol_hash)
                if proved is not None and row.sequence == proved.mark.sequence:
                    _refuse(check_end(row.head, episode_id, Head(proved.mark.sequence, proved.mark.hash)))
                rows.write(_line(self._object(row, protocol_hash, made)))
            head = page[-1].head
        if head.sequence == 0:
            raise BundleError(f"the records have no episode {episode_id}")
        if proved is not None:
            if head.sequence < proved.mark.sequence:
                _refuse(check_end(head, episode_id, Head(proved.mark.sequence, proved.mark.hash)))
            made.keys.add(proved.signed.statement.key_id)
        if head.sequence < listed:
            said = f"the list of episodes knows row {listed}: the end was cut off, or is still on its way"
            raise BundleError(f"episode {episode_id}: {said}. Nothing was exported")
        made.episodes += 1
        made.rows += head.sequence
        return _line(_episode(episode_id, head, proved))

    def _pages(self, connection: Connection, episode_id: str) -> Iterator[tuple[TrailRow, ...]]:
        after = 0
        while True:
            query = select(trail).where(trail.c.episode_id == episode_id, trail.c.sequence > after)
            page = opened_rows(connection, self.ring, query.order_by(trail.c.sequence).limit(MOST))
            if page:
                yield page
            if len(page) < MOST:
                return
            after = page[-1].sequence

    def _pinned(self, connection: Connection, episode_id: str, content_hash: str) -> None:
        try:
            spec = self.shelf.take(connection, content_hash)
        except ShelfError as error:
            raise BundleError(f"{error}. Nothing was exported") from None
        if self.redact and content_hash not in self.redactors:
            try:
                self.redactors[content_hash] = redactor(spec)
            except RedactionError as error:
                raise RedactionError(f"episode {episode_id}: {error}. Nothing was exported") from None

    def _object(self, row: TrailRow, protocol_hash: str, made: Made) -> dict[str, Any]:
        if row.payload is None:
            return _clear(row)
        if not self.redact:
            return {**_clear(row), "payload": row.payload, "salt": row.salt}
        disclosed = self.redactors[protocol_hash].row(row)
        made.withheld += withheld(disclosed)
        return {**_clear(disclosed), "values": [_value(one) for one in disclosed.values]}


def _refuse(fault: Fault | None) -> None:
    if fault is not None:
        raise BundleError(f"{fault}. Nothing was exported")


def _clear(row: TrailRow | DisclosedRow) -> dict[str, Any]:
    """The columns that the chain needs, times as the hash has them."""
    return link_of(row)._asdict()


def _value(value: Shown | Withheld) -> dict[str, str]:
    return asdict(value)


def _episode(episode_id: str, head: Head, proved: Proved | None) -> dict[str, Any]:
    return {
        "episode_id": episode_id,
        "rows": head.sequence,
        "head": head.hash,
        "checkpoint": None if proved is None else _proof(proved),
    }


def _proof(proved: Proved) -> dict[str, Any]:
    said = proved.signed.statement
    return {
        "statement": {**asdict(said), "at": rfc3339(said.at)},
        "signature": proved.signed.signature,
        "sequence": proved.mark.sequence,
        "place": proved.place,
        "proof": proved.proof,
    }


def _describe(archive: zipfile.ZipFile, request: Request, made: Made) -> None:
    manifest = {
        "format": FORMAT,
        "made_at": rfc3339(request.made_at),
        "by": request.by,
        "to": request.to,
        "purpose": request.purpose,
        "release": asdict(request.release),
        "releases": [{"at": rfc3339(one.at), **asdict(one.release)} for one in request.releases],
        "episodes": made.episodes,
        "rows": made.rows,
        "withheld": made.withheld,
        "redacted": "sud" if request.redact else "",
        "notice": redaction.NOTICE,
        "notice_source": redaction.NOTICE_SOURCE,
    }
    archive.writestr(_entry("manifest.json"), json.dumps(manifest, indent=1, ensure_ascii=False))
    archive.writestr(_entry("README.txt"), README.format(notice=redaction.NOTICE, source=redaction.NOTICE_SOURCE))
    archive.writestr(_entry(VERIFIER), Path(__file__).with_name(VERIFIER).read_bytes())


def _copy(lines: IO[bytes], archive: zipfile.ZipFile) -> None:
    lines.seek(0)
    with archive.open(_entry("episodes.ndjson"), "w", force_zip64=True) as file:
        shutil.copyfileobj(lines, file)


def _sign(path: Path, keys: SigningKeys) -> str:
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        left = file.seek(0, os.SEEK_END) - SIGNATURE
        file.seek(0)
        while left > 0:
            part = file.read(min(left, 1 << 20))
            digest.update(part)
            left -= len(part)
        file.write(keys.sign_bytes(FORMAT.encode() + b"\n" + digest.digest()).encode())
    return digest.hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without the time of this machine: the same records make the same bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _line(value: dict[str, Any]) -> bytes:
    return to_json(value) + b"\n"
