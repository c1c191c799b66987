"""`holdfast audit search`: find episodes, and keep a filter for the next time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from audit import search as records
from audit.access import Access, record
from audit.search import Answer, Wanted
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.output import USAGE, AsJson, Trouble, say, say_json
from cli.tables import table
from cli.who import ROLE, somebody


def search(
    client: Annotated[str | None, typer.Option("--client", help="The client's reference.")] = None,
    therapist: Annotated[str | None, typer.Option("--therapist", help="Owns it or wrote in it.")] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", help="The protocol's name.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="Its version.")] = None,
    breach: Annotated[
        str | None, typer.Option("--breach", help="A missed deadline: the obligation's name, or `any`.")
    ] = None,
    begins: Annotated[datetime | None, typer.Option("--from", help="Opened on this day (UTC) or later.")] = None,
    ends: Annotated[datetime | None, typer.Option("--to", help="Opened before this day (UTC).")] = None,
    is_open: Annotated[bool | None, typer.Option("--open/--closed", help="Only open, or only closed ones.")] = None,
    keep: Annotated[str | None, typer.Option("--save", help="Keep this filter under a name.")] = None,
    kept: Annotated[str | None, typer.Option("--saved", help="Use a filter that was kept, instead.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=records.MOST, help="At most so many.")] = 100,
    purpose: Annotated[str, typer.Option("--purpose", help="Why you look; kept in the access trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Find episodes by client, therapist, protocol, breach and period, latest first.

    `holdfast audit replay EPISODE --breaches` then tells what led to a missed deadline.
    """
    given = {"client_ref": client, "therapist": therapist, "protocol": protocol, "version": version, "breach": breach}
    period = {"begins": begins and begins.replace(tzinfo=UTC), "ends": ends and ends.replace(tzinfo=UTC)}
    try:
        wanted = Wanted.model_validate({**given, **period, "open": is_open})
    except ValidationError as error:
        place = error.errors()[0]["loc"][0]
        raise Trouble(f"{place} can't be that", "write a name of 1 to 64 characters", USAGE) from None
    found = with_books(lambda books: _search(books, wanted, keep, kept, limit, purpose))
    if as_json:
        say_json({"episodes": found.found, "total": found.total, "unreadable": found.unreadable})
        return
    rows = [
        (
            *(one.episode_id, f"{one.opened_at:%Y-%m-%d %H:%M}Z", one.client_ref, f"{one.protocol} {one.version}"),
            *(one.owner, one.risk, "open" if one.closed_at is None else "closed", str(one.missed or "")),
        )
        for one in found.found
    ]
    columns = ("Episode", "Opened", "Client", "Protocol", "Owner", "Risk", "", "Missed")
    table("", columns, rows, "No episode fits.")
    say(f"\n{found.total} episodes." + (f" The first {limit} are shown." if found.total > limit else ""))
    if found.unreadable:
        say(f"NOT READABLE, so it is not known which deadline was missed: {', '.join(found.unreadable)}.")


async def _search(books: Books, wanted: Wanted, keep: str | None, kept: str | None, limit: int, purpose: str) -> Answer:
    now, who = utc_now(), somebody()
    if kept is not None:
        known = await records.saved(books.records, who)
        if kept not in known:
            raise Trouble(f"you keep no filter {kept}", f"yours are: {', '.join(known) or 'none'}", USAGE)
        wanted = known[kept]
    if keep is not None:
        await records.save(books.records, who, keep, wanted, now)
    asked = wanted.model_dump(mode="json", exclude_none=True, exclude={"client_ref"})
    await record(
        books.records, Access(now, who, ROLE, "searched", purpose, client_ref=wanted.client_ref or "", detail=asked)
    )
    return await records.search(books.records, books.ring, wanted, limit)
