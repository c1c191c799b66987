"""`holdfast audit access`: who looked at what."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

import typer

from audit.access import Access, Sought, looked
from cli.books import Books, with_books
from cli.output import USAGE, AsJson, Trouble, say, say_json, table


def access(
    client: Annotated[str | None, typer.Option("--client", help="Who looked at this client: the reference.")] = None,
    episode: Annotated[str | None, typer.Option("--episode", help="Who looked at this episode.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="What this person looked at.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who read or exported what is recorded of a client, latest first."""
    if not (client or episode or by):
        raise Trouble("whose accesses?", "give --client, --episode or --by", USAGE)
    found = with_books(lambda books: _looked(books, client, episode, by))
    if as_json:
        say_json(found)
        return
    rows = [
        (f"{one.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z", one.who, one.role, one.what, one.episode_id, one.purpose)
        for one in found
    ]
    table("", ("At", "Who", "Role", "What", "Episode", "Purpose"), rows, "Nobody, since accesses are recorded.")
    say(f"\n{len(found)} accesses.")


async def _looked(books: Books, client: str | None, episode: str | None, by: str | None) -> tuple[Access, ...]:
    episode_id = None if episode is None else await books.find(episode)
    return await looked(books.records, Sought(client, episode_id, by))
