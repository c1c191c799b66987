"""Every version of a protocol that somebody relies on: what new episodes take, and what open ones are led by."""

from __future__ import annotations

from datetime import datetime

import structlog

from audit.database import Database
from audit.publications import PublicationError, Publications
from audit.shelf import Shelf, ShelfError
from audit.versions import running
from protocol.publishing import Record, in_effect
from protocol.spec import ProtocolSpec

log = structlog.get_logger()


class ReliedOn:
    """Reads them; a document is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shelf = Shelf(database)

    async def between(self, begins: datetime, ends: datetime) -> tuple[ProtocolSpec, ...]:
        """Those in effect at any moment between two, and those with open episodes; a broken document is left out.

        Raises SQLAlchemyError when the records don't answer.
        """
        hashes = dict.fromkeys(await running(self._database))
        try:
            hashes |= dict.fromkeys(_in_effect((await Publications(self._database).read()).record, begins, ends))
        except PublicationError as error:
            log.error("what is published can't be told", reason_code=str(error))
        found: list[ProtocolSpec] = []
        for content_hash in hashes:
            try:
                found.append(await self._shelf.protocol(content_hash))
            except ShelfError as error:
                log.error("a protocol can't be read", reason_code=str(error))
        return tuple(sorted(found, key=lambda spec: (spec.protocol, spec.version, spec.content_hash)))

    async def published(self) -> set[str]:
        """The protocols of which a version was ever published. Raises SQLAlchemyError or PublicationError."""
        record = (await Publications(self._database).read()).record
        return {one.protocol for one in record if one.act == "published"}


def _in_effect(record: Record, begins: datetime, ends: datetime) -> list[str]:
    """The hashes of what counts at the beginning, and of what comes into effect later."""
    dates = {one.effective_at for one in record if one.effective_at is not None and begins < one.effective_at < ends}
    names = {one.protocol for one in record}
    found = [in_effect(record, name, at) for name in sorted(names) for at in sorted({begins, *dates})]
    return [one.protocol_hash for one in found if one is not None]
