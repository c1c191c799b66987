"""`holdfast audit access` and `disclosures`: who looked at what, and what left the house."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from audit.access import WHATS, Access, Sought, What, looked
from cli.books import Books, with_books
from cli.looks import look, note
from cli.output import USAGE, AsJson, Trouble, say, say_json
from cli.tables import table

Client = Annotated[str | None, typer.Option("--client", help="At this client: the reference.")]
Episode = Annotated[str | None, typer.Option("--episode", help="At this episode.")]
By = Annotated[str | None, typer.Option("--by", help="By this person.")]
Begins = Annotated[datetime | None, typer.Option("--from", help="On this day (UTC) or later.")]
Ends = Annotated[datetime | None, typer.Option("--to", help="Before this day (UTC).")]


def access(
    client: Client = None,
    episode: Episode = None,
    by: By = None,
    what: Annotated[What | None, typer.Option("--what", help=f"One of {', '.join(WHATS)}.")] = None,
    begins: Begins = None,
    ends: Ends = None,
    as_json: AsJson = False,
) -> None:
    """Tell who read or exported what is recorded of a client, latest first."""
    if not (client or episode or by or what or begins or ends):
        raise Trouble("whose accesses?", "give --client, --episode, --by, --what, --from or --to", USAGE)
    found = with_books(lambda books: _looked(books, "access", client, episode, by, what, begins, ends))
    if as_json:
        say_json(found)
        return
    rows = [
        (_at(one), one.who, one.role, one.what, one.episode_id, one.client_ref, _where(one), one.purpose)
        for one in found
    ]
    columns = ("At", "Who", "Role", "What", "Episode", "Client", "Where", "Purpose")
    table("", columns, rows, "Nobody, since accesses are recorded.")
    say(f"\n{len(found)} accesses.")


def disclosures(
    client: Client = None,
    episode: Episode = None,
    by: By = None,
    begins: Begins = None,
    ends: Ends = None,
    as_json: AsJson = False,
) -> None:
    """List what was handed out: to whom, for what purpose, with which hash, and what was withheld; latest first."""
    found = with_books(lambda books: _looked(books, "disclosures", client, episode, by, "exported", begins, ends))
    if as_json:
        say_json(found)
        return
    rows = [
        (
            *(_at(one), _detail(one, "to") or "nobody named", one.purpose, one.who, one.client_ref, one.episode_id),
            *(_detail(one, "withheld"), _detail(one, "bundle")[:16]),
        )
        for one in found
    ]
    columns = ("At", "To", "Purpose", "By", "Client", "Episode", "Withheld", "SHA-256")
    table("", columns, rows, "Nothing was handed out.")
    say(f"\n{len(found)} disclosures.")


async def _looked(
    books: Books,
    command: str,
    client: str | None,
    episode: str | None,
    by: str | None,
    what: What | None,
    begins: datetime | None,
    ends: datetime | None,
) -> tuple[Access, ...]:
    episode_id = None if episode is None else await books.find(episode)
    period = (begins and begins.replace(tzinfo=UTC), ends and ends.replace(tzinfo=UTC))
    asked = {name: str(one) for name, one in (("who", by), ("what", what), ("from", begins), ("to", ends)) if one}
    await note(books, look(f"audit {command}", "searched", episode_id or "", client or "", asked=asked))
    return await looked(books.records, Sought(client, episode_id, by, what, *period))


def _at(one: Access) -> str:
    return f"{one.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _where(one: Access) -> str:
    return _detail(one, "view")


def _detail(one: Access, name: str) -> str:
    return str(one.detail.get(name, ""))
