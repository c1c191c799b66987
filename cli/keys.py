"""`holdfast keys …`: the clients' data keys, wrapped anew or destroyed. Every act is logged, without the client."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

import logs
from audit import keys
from audit.access import Access
from audit.holds import HELD, HeldError
from cli.books import Books, verify_keys, with_books
from cli.configuration import settings
from cli.desk import utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.retention import kept_of
from cli.who import ROLE, somebody
from practice.forgetting import destroy_client
from practice.sealing import Seal

log = structlog.get_logger()

LIFTS = "`holdfast audit lift` lifts it"

app = typer.Typer()


@app.callback()
def started() -> None:
    """Rotate and destroy the keys that seal what is recorded of a client."""
    logs.configure(settings().log_level, settings().log_format)


@app.command()
def rewrap(as_json: AsJson = False) -> None:
    """Wrap every data key with the first of the record keys; then an old record key can go.

    On PostgreSQL this needs the owner of the records. Safe to run again.
    """
    count = with_books(lambda books: keys.rewrap(books.records, books.ring))
    log.info("data keys wrapped anew", count=count)
    first = settings().record_keys[0].id
    if as_json:
        say_json({"wrapped": count, "with": first})
    else:
        say(f"{_keys(count)} wrapped anew with {first}.")


@app.command()
def public(as_json: AsJson = False) -> None:
    """Print the public halves of the signing keys: give them to whoever shall check exports and checkpoints.

    They must reach that person by another way than what they check. Joined by commas they are HOLDFAST_VERIFY_KEYS.
    """
    found = verify_keys().public()
    if as_json:
        say_json(found)
        return
    for name, key in found.items():
        say(f"{name}:{key}")


@app.command()
def destroy(
    client_ref: Annotated[str, typer.Argument(help="The client's reference, exactly.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Say that nobody shall ever read it again.")] = False,
    despite: Annotated[
        str, typer.Option("--despite-retention", help="Why it goes before its time; kept in the access trail.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make everything recorded of a client unreadable for good. The rows stay, and their chains still verify.

    Refused under a legal hold, and before the time of `holdfast audit retention` unless a reason is given. There is
    no way back. A backup keeps the key until it is overwritten. On PostgreSQL this needs the owner. The practice's
    own file of the client goes too, and whatever was typed about them and not sent.
    """
    if not yes:
        raise Trouble(
            "nobody could ever read again what is recorded of this client",
            "check `holdfast audit retention`, then add --yes",
            USAGE,
        )
    count, forgotten = with_books(lambda books: _destroy(books, client_ref, despite))
    if not count and not forgotten:
        raise Trouble("no usable key or file belongs to that reference", "check it; a destroyed key is gone", FOUND)
    log.warning("data keys destroyed", count=count)
    if as_json:
        say_json({"destroyed": count, "forgotten": forgotten})
        return
    say(f"{_keys(count)} destroyed. Nothing recorded of this client can be read any more; the chains still verify.")
    if forgotten:
        say("Their file and what was typed about them and not sent are gone too.")


async def _destroy(books: Books, client_ref: str, despite: str) -> tuple[int, bool]:
    now = utc_now()
    found = await kept_of(books, client_ref)
    if not found and not despite:
        raise Trouble("no episode says how long this is to be kept", "say why it goes by --despite-retention", FOUND)
    for one in found:
        if one.hold is not None:
            raise Trouble(HELD, LIFTS, FOUND)
        if not one.destroyed and not one.due(now.date()) and not despite:
            until = "an episode is open" if one.until is None else f"until {one.until}: {one.why}"
            raise Trouble(
                f"these records must be kept, {until}", "if it must be, say why by --despite-retention", FOUND
            )
    look = Access(now, somebody(), ROLE, "destroyed", despite, client_ref=client_ref)
    try:
        return await destroy_client(books.records, Seal(books.ring), client_ref, look)
    except HeldError as held:
        raise Trouble(str(held), LIFTS, FOUND) from None


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
