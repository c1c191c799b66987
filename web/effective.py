"""Which versions new episodes take: the ones in effect, never a file that somebody changed beside them."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from audit.publications import PublicationError
from audit.shelf import ShelfError
from protocol.spec import ProtocolSpec
from web.errors import NotPublished, NotThere
from web.parts import Parts


async def effective(parts: Parts) -> dict[str, ProtocolSpec]:
    """What a new episode takes, by the protocol's name.

    On one's own machine a protocol that nobody ever published counts as its file says. Raises NotPublished when the
    records don't tell and nothing was kept.
    """
    alone = parts.settings.mode == "embedded"
    try:
        found = {name: one.spec for name, one in (await parts.current.all(parts.clock())).items()}
        files = parts.shelf.open_now() if alone else {}
        unpublished = {name: spec for name, spec in files.items() if name not in found}
        return found | {name: spec for name, spec in unpublished.items() if not await parts.current.ever(name)}
    except (SQLAlchemyError, PublicationError, ShelfError):
        if not alone:
            raise NotPublished from None
        return parts.shelf.open_now()


async def usual(parts: Parts, named: str) -> ProtocolSpec:
    """The protocol to open under; that of the settings where the name is of none. Raises NotThere, NotPublished."""
    known, files = await effective(parts), parts.shelf.open_now()
    if not known and not files:
        raise NotThere
    wanted = named if named in known or named in files else parts.settings.usual_protocol
    found = known.get(wanted)
    if found is None and wanted not in files:
        found = next(iter(known.values()), None)
    if found is None:
        raise NotPublished
    return found


async def to_print(parts: Parts) -> ProtocolSpec:
    """The protocol for a sheet of paper, which is needed most when nothing else can be told. Raises NotThere."""
    try:
        return await usual(parts, "")
    except NotPublished:
        return at_hand(parts)


def at_hand(parts: Parts) -> ProtocolSpec:
    """The usual protocol as its file has it, without asking the records. Raises NotThere when there is no file."""
    files = parts.shelf.open_now()
    if not files:
        raise NotThere
    return files.get(parts.settings.usual_protocol) or next(iter(files.values()))
