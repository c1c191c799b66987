"""`holdfast audit retention`, `hold` and `lift`: what may go, and what may not whatever its age."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from audit import holds
from audit.access import Access, What, record
from audit.retention import Kept, Policy, kept, policies
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.looks import Looks
from cli.output import AsJson, say, say_json
from cli.tables import table
from cli.who import ROLE, somebody
from practice.clients import Clients
from practice.sealing import Seal

Reason = Annotated[str, typer.Option("--reason", help="Why; kept for good.", show_default=False)]
Client = Annotated[str, typer.Argument(help="The client's reference, exactly.", show_default=False)]


def retention(
    everything: Annotated[bool, typer.Option("--all", help="Also what must still be kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is due to go: clients after 7 years, minors 7 years after turning 18, protocols after 6 years.

    Nothing goes by itself. `holdfast keys destroy CLIENT` makes what is recorded of a client unreadable for good.
    """
    today = utc_now().date()
    clients, documents = with_books(lambda books: _all(books, today, everything=everything))
    documents = tuple(one for one in documents if everything or (one.until is not None and one.until <= today))
    if as_json:
        say_json({"clients": [{**_shown(one), "due": one.due(today)} for one in clients], "protocols": documents})
        return
    rows = [(one.client_ref, str(one.episodes), _until(one.until), _state(one, today), one.why) for one in clients]
    table("", ("Client", "Episodes", "Keep until", "", "Why"), rows, "No client's records are due to go.")
    rows = [(one.name, one.version, _until(one.until), one.why, one.protocol_hash[:12]) for one in documents]
    table("", ("Protocol", "Version", "Keep until", "Why", "Hash"), rows, "No protocol is due to go.")
    say("\nCounted from the last entry in these records; therapy may have gone on without one. Counsel decides.")


def hold(client_ref: Client, reason: Reason, as_json: AsJson = False) -> None:
    """Place a legal hold: nothing recorded of this client can be destroyed until it is lifted."""
    with_books(lambda books: _hold(books, client_ref, reason, "held"))
    _tell({"held": True}, "The hold is placed. `holdfast audit lift` lifts it.", as_json=as_json)


def lift(client_ref: Client, reason: Reason, as_json: AsJson = False) -> None:
    """Lift every legal hold on a client."""
    with_books(lambda books: _hold(books, client_ref, reason, "released"))
    _tell({"held": False}, "No hold stands on this client any more.", as_json=as_json)


def _tell(answer: dict[str, bool], text: str, *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
    else:
        say(text)


async def kept_of(books: Books, client_ref: str | None = None) -> tuple[Kept, ...]:
    """How long the records of clients are kept, with the dates of birth that the practice has."""
    files = Clients(books.records, Seal(books.ring))

    async def born(client_ref: str) -> date | None:
        client = await files.get(client_ref)
        return None if client is None else client.file.born

    return await kept(books.records, books.ring, born, client_ref)


async def _all(books: Books, today: date, *, everything: bool) -> tuple[tuple[Kept, ...], tuple[Policy, ...]]:
    clients = tuple(one for one in await kept_of(books) if everything or one.due(today))
    await Looks("audit retention").shows(books, (("", one.client_ref) for one in clients))
    return clients, await policies(books.records, utc_now())


async def _hold(books: Books, client_ref: str, reason: str, what: What) -> None:
    now, who = utc_now(), somebody()
    await record(books.records, Access(now, who, ROLE, what, reason, client_ref=client_ref))
    act = holds.hold if what == "held" else holds.lift
    await act(books.records, client_ref, who, reason, now)


def _until(day: date | None) -> str:
    return "open" if day is None else day.isoformat()


def _state(one: Kept, today: date) -> str:
    if one.destroyed:
        return "destroyed"
    if one.hold is not None:
        return f"HELD by {one.hold.who}: {one.hold.reason}"
    return "due" if one.due(today) else ""


def _shown(one: Kept) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("client_ref", "episodes", "last_entry", "until", "why", "hold")}
