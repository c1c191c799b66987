"""Which version an episode is opened under: the published one; embedded, also a file that nobody published."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from audit.publications import PublicationError
from audit.published import KEPT, Current, ToOpen
from audit.shelf import ShelfError
from cli.books import Books, with_books
from cli.output import FOUND, UNREACHABLE, Trouble
from cli.publishing import publications_of
from cli.shelf import read_protocol
from protocol.publishing import exception_of
from protocol.spec import ProtocolSpec
from settings import Settings


def spec_to_open(settings: Settings, named: str, now: datetime) -> tuple[ProtocolSpec, str]:
    """The protocol, and what must be said about it before anybody relies on it. Raises Trouble."""
    embedded = settings.mode == "embedded"
    if Path(named).is_file():
        if not embedded:
            raise Trouble(f"{named} is a file", "in production, episodes begin under a published name only", FOUND)
        return read_protocol(named, settings.protocols), "this protocol is a file that nobody published"
    found, ever = with_books(lambda books: _published(books, named, now, embedded=embedded))
    if found is not None:
        exception = exception_of(found.publication)
        return found.spec, found.warning or (exception and f"published by exception, {exception}")
    if embedded and not ever:
        return read_protocol(named, settings.protocols), "nobody published this protocol; that is possible here only"
    raise Trouble(f"no version of {named} is in effect", "`holdfast protocol versions` shows what was published", FOUND)


async def _published(books: Books, named: str, now: datetime, *, embedded: bool) -> tuple[ToOpen | None, bool]:
    """The version in effect, and whether any was ever published, as far as that can be told."""
    current = Current(books.records, publications_of(books), books.settings.var / KEPT)
    try:
        found = await current.of(named, now)
        return found, found is not None or await current.ever(named)
    except (SQLAlchemyError, PublicationError, ShelfError) as error:
        if embedded and isinstance(error, SQLAlchemyError):
            return None, False
        why = "the records do not answer" if isinstance(error, SQLAlchemyError) else str(error)
        raise Trouble(f"{why}, and no version of {named} was known before", "see to the records", UNREACHABLE) from None
