"""What a route shows of clients, and the row in the access trail that says who looked, written before it is shown.

Every route that touches clients says so beside `May`. One that names its episode or client in the address has its row
written before it begins; a list names what it shows with `shows`. Opened again within ten minutes it is the same look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.access import Access, What, as_row, record_rows
from practice.sessions import Session
from web.access import Actor, Target
from web.errors import Unwritten
from web.parts import Parts

log = structlog.get_logger()

URGENT_SECONDS = 2.0
"""How long whoever helps in a crisis waits for the access trail."""
PURPOSES = {"broke_glass": "emergency opening", "none": "by role"}
"""Why somebody looks, by their relation; with any other it is care."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a route shows of clients."""

    of: Literal["nothing", "episode", "client", "shown"]
    """`episode`, `client`: those of its address. `shown`: the route itself says which, with `shows` or `note`."""
    what: What = "read"
    urgent: bool = False
    """Whoever helps in a crisis: shown even while the row can't be written; it is kept in a file and written later."""


NOTHING = Reads("nothing")
ITS_EPISODE = Reads("episode")
CRISIS = Reads("episode", urgent=True)
ITS_CLIENT = Reads("client")
SHOWN = Reads("shown")
REPORT = Reads("shown", urgent=True)
REPLAYED = Reads("episode", "replayed")
SEARCHED = Reads("shown", "searched")
EXPORTED = Reads("shown", "exported")
HELD = Reads("shown", "held")
RELEASED = Reads("shown", "released")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that was let in."""

    parts: Parts
    actor: Actor
    session: Session | None
    """None when a token let it in."""
    target: Target
    reads: Reads = NOTHING
    view: str = ""
    """The route, as it is written: `/episodes/{episode_id}`."""
    live: bool = False
    """The page asks by itself for what has changed; nobody has come anew."""
    records_away: bool = False
    """Who it is was remembered; the records could not be asked."""


Named = tuple[str, str]
"""Episode and client; an empty one is not known, or there is none."""


async def begin(visit: Visit, place: Mapping[str, Any]) -> None:
    """Write down what the address of a request names. Raises Unwritten."""
    if visit.reads.of == "episode":
        await shows(visit, [(str(place["episode_id"]), "")])
    elif visit.reads.of == "client":
        await shows(visit, [("", str(place["client_ref"]))])


async def shows(visit: Visit, named: Iterable[Named]) -> None:
    """Write down that these are shown, one row each; those shown here a few minutes ago are left out. Raises Unwritten.

    A page that follows changes by itself is one look for as long as it stays open.
    """
    who, now, fresh = visit.actor.account_id, visit.parts.clock(), visit.parts.fresh
    keys = {(who, visit.view, *one): one for one in named}
    new = {key: one for key, one in keys.items() if not fresh.looks_again(key, now, goes_on=visit.live)}
    purpose = PURPOSES.get(visit.target.relation, "care")
    await note(visit, *(look(visit, episode_id, client_ref, purpose) for episode_id, client_ref in new.values()))
    for key in new:
        fresh.note_look(key, now)


def look(visit: Visit, episode_id: str = "", client_ref: str = "", purpose: str = "", **detail: Any) -> Access:
    """A look of this visit."""
    by = {"view": visit.view, **detail}
    role = visit.actor.roles[0]
    return Access(
        visit.parts.clock(), visit.actor.account_id, role, visit.reads.what, purpose, episode_id, client_ref, by
    )


async def note(visit: Visit, *looks: Access) -> None:
    """Write looks. Raises Unwritten; where it is urgent they are kept in a file instead, and nothing is raised."""
    rows = [*map(as_row, looks)]
    try:
        if visit.records_away:
            raise TimeoutError  # asking again would only take longer
        async with asyncio.timeout(URGENT_SECONDS if visit.reads.urgent else None):
            await record_rows(visit.parts.database, rows)
    except (SQLAlchemyError, TimeoutError) as error:
        if not visit.reads.urgent:
            raise Unwritten from None
        log.error("a look is not in the access trail yet; it is kept in a file", error_type=type(error).__name__)
        try:
            visit.parts.spool.keep(rows)
        except OSError as full:  # a life is worth more than a row
            log.critical("a look can't be kept anywhere", error_type=type(full).__name__)
