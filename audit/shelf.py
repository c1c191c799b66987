"""The protocols that episodes were opened under, as the records keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sqlalchemy import Connection, select

from audit.database import Database
from audit.tables import protocols
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow


class ShelfError(Exception):
    """A protocol is not in the records, or is not itself any more."""


def protocols_of(rows: Iterable[TrailRow]) -> Iterator[str]:
    """The hashes of the protocols that rows name: the one an episode was opened under, and those it moved to."""
    for row in rows:
        if row.payload is not None and (row.sequence == 1 or row.kind == "Migrated"):
            yield str(row.payload["event"].get("protocol_hash", ""))


class Shelf:
    """Reads each protocol once. A document counts only when it has the hash by which it is asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[str, ProtocolSpec] = {}

    async def protocol(self, content_hash: str) -> ProtocolSpec:
        """The protocol with this hash. Raises ShelfError."""
        return await self._database.read(lambda connection: self.take(connection, content_hash))

    def take(self, connection: Connection, content_hash: str) -> ProtocolSpec:
        """The same within a transaction. Raises ShelfError."""
        known = self._read.get(content_hash)
        if known is None:
            known = self._read[content_hash] = _read(connection, content_hash)
        return known


def _read(connection: Connection, content_hash: str) -> ProtocolSpec:
    document = connection.scalar(select(protocols.c.document).where(protocols.c.hash == content_hash))
    if document is None:
        raise ShelfError(f"the protocol {content_hash} is not in the records")
    return genuine(document, content_hash)


def genuine(document: str, content_hash: str) -> ProtocolSpec:
    """The protocol of a document from the records. Raises ShelfError when it does not have this hash."""
    if hashlib.sha256(document.encode(errors="surrogatepass")).hexdigest() != content_hash:
        raise ShelfError(f"the protocol {content_hash} was changed in the records: it does not have this hash")
    return _parsed(document)


@lru_cache(maxsize=16)
def _parsed(document: str) -> ProtocolSpec:
    """By the very text: whoever asks has read it from the records just now, and held it against its hash."""
    return ProtocolSpec.model_validate_json(document)
