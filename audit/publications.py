"""What was done with each version of a protocol: a list that only grows, chained, each entry signed.

    hash      = SHA-256(["holdfast-publications-1", previous hash, number, said])
    signature = Ed25519 over the hash's hexadecimal text

`said` is the entry itself as JSON. The first entry continues 64 zeros. What was cut off at the end can't be seen
from inside the list; an episode's trail still names the version that it began under.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Row, insert, select

from audit.database import Database
from audit.dialects import insert_or_skip, lock_episode
from audit.signatures import CheckpointError, SigningKeys, VerifyKeys
from audit.tables import protocols, publications
from protocol.facts import Refused
from protocol.publishing import PUBLICATION, Publication
from protocol.spec import ProtocolSpec

FORMAT = "holdfast-publications-1"
NOTHING_BEFORE = "0" * 64
_LOCK = "publications"

Rule = Callable[[Sequence[Publication]], Publication | Refused]
"""Decides what is done, knowing all that was done before."""


class PublicationError(Exception):
    """The list is not what was written; the message names the first bad entry."""


@dataclass(frozen=True, slots=True)
class Published:
    """All that was done, and whether the signatures could be checked."""

    record: tuple[Publication, ...]
    signatures_checked: bool


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Publications:
    """Reads and adds to the list. Reading needs no key; without one, signatures are not checked."""

    def __init__(
        self, database: Database, keys: VerifyKeys | None = None, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def read(self) -> Published:
        """The list, checked. Raises PublicationError."""
        record = await self._database.read(self._read)
        return Published(record, self._keys is not None)

    async def add(self, spec: ProtocolSpec, rule: Rule) -> Publication | Refused:
        """Do what the rule decides and keep the document.

        Raises PublicationError; ValueError when no key signs, or for a publication that could not be read again.
        """
        keys = self._keys
        if not isinstance(keys, SigningKeys):
            raise ValueError("publishing signs what it writes and needs a signing key")

        def work(connection: Connection) -> Publication | Refused:
            lock_episode(connection, _LOCK)
            record = self._read(connection)
            done = rule(record)
            if isinstance(done, Publication):
                _keep(connection, spec, self._clock())
                _append(connection, len(record) + 1, _head(connection), done, keys)
            return done

        return await self._database.write(work)

    def _read(self, connection: Connection) -> tuple[Publication, ...]:
        before, record = NOTHING_BEFORE, list[Publication]()
        for number, row in enumerate(connection.execute(select(publications).order_by(publications.c.number)), 1):
            record.append(_checked(row, number, before, self._keys))
            before = row.hash
        return tuple(record)


def _checked(row: Row[tuple[object, ...]], number: int, before: str, keys: VerifyKeys | None) -> Publication:
    if row.number != number:
        raise PublicationError(f"publication {number} is missing")
    if row.previous_hash != before or row.hash != _hash(before, number, row.said):
        raise PublicationError(f"publication {number} was changed, or one before it")
    try:
        if keys is not None:
            keys.check_text(row.hash, row.key_id, row.signature, f"publication {number}")
        said = PUBLICATION.validate_json(row.said)
    except CheckpointError as error:
        raise PublicationError(str(error)) from None
    except ValueError:
        raise PublicationError(f"publication {number} can't be read") from None
    if (said.protocol, said.protocol_hash, said.act) != (row.protocol, row.protocol_hash, row.act):
        raise PublicationError(f"publication {number}: its columns say otherwise than its content")
    return said


def _hash(before: str, number: int, said: str) -> str:
    listed = json.dumps([FORMAT, before, number, said], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(listed.encode(errors="surrogatepass")).hexdigest()


def _head(connection: Connection) -> str:
    latest = select(publications.c.hash).order_by(publications.c.number.desc()).limit(1)
    return connection.scalar(latest) or NOTHING_BEFORE


def _keep(connection: Connection, spec: ProtocolSpec, now: datetime) -> None:
    known = select(protocols.c.hash).where(protocols.c.hash == spec.content_hash)
    if connection.execute(known).first() is None:
        values = {"hash": spec.content_hash, "name": spec.protocol, "version": spec.version}
        kept = {**values, "document": spec.canonical(), "first_seen_at": now}
        connection.execute(insert_or_skip(connection.dialect.name, protocols), kept)


def _append(connection: Connection, number: int, before: str, done: Publication, keys: SigningKeys) -> None:
    said = PUBLICATION.dump_json(done).decode()
    PUBLICATION.validate_json(said)  # what could not be read again would break the list for good
    hashed = _hash(before, number, said)
    connection.execute(
        insert(publications),
        {
            "number": number,
            "at": done.at,
            "act": done.act,
            "protocol": done.protocol,
            "protocol_hash": done.protocol_hash,
            "said": said,
            "previous_hash": before,
            "hash": hashed,
            "key_id": keys.active,
            "signature": keys.sign_bytes(hashed.encode()),
        },
    )
