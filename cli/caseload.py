"""`holdfast caseload …`: on whose caseload a client is, for when nobody can sign in to the web application."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from audit.access import Access
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.looks import Looks, look
from cli.output import USAGE, AsJson, Trouble, say, say_json
from practice.reach import Reach, ReachError
from practice.sealing import Seal

app = typer.Typer()

ClientRef = Annotated[str, typer.Argument(help="The client's reference.", show_default=False)]
Account = Annotated[str, typer.Argument(help="The therapist's account.", show_default=False)]


@app.command()
def assign(client: ClientRef, account: Account, as_json: AsJson = False) -> None:
    """Put a client on somebody's caseload."""
    _changing(lambda books: _reach(books).assign(client, account, utc_now(), _by("assign")))
    _answer(client, account, "is on the caseload of", as_json=as_json)


@app.command()
def release(client: ClientRef, account: Account, as_json: AsJson = False) -> None:
    """Take a client off somebody's caseload; it counts from their next request on."""
    _changing(lambda books: _reach(books).release(client, account, _by("release")))
    _answer(client, account, "is not on the caseload of", as_json=as_json)


@app.command()
def transfer(
    client: ClientRef,
    leaving: Annotated[str, typer.Argument(help="Whose caseload the client leaves.", show_default=False)],
    taking: Annotated[str, typer.Argument(help="Whose caseload the client goes to.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Hand a client from one caseload to another: both or neither."""
    _changing(lambda books: _reach(books).transfer(client, leaving, taking, utc_now(), _by("transfer")))
    _answer(client, taking, "is on the caseload of", as_json=as_json)


@app.command("list")
def list_keepers(client: ClientRef, as_json: AsJson = False) -> None:
    """List on whose caseload a client is."""
    keepers = with_books(lambda books: _keepers(books, client))
    if as_json:
        say_json({"client": client, "accounts": sorted(keepers)})
    else:
        say("\n".join(sorted(keepers)) or f"{client} is on nobody's caseload.")


def _answer(client: str, account: str, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"client": client, "account": account, "done": what})
    else:
        say(f"{client} {what} {account}.")


async def _keepers(books: Books, client: str) -> frozenset[str]:
    await Looks("caseload list").shows(books, [("", client)])
    return (await _reach(books).keepers(client, utc_now()))[0]


def _by(command: str) -> Access:
    return look(f"caseload {command}", "administered")


def _reach(books: Books) -> Reach:
    return Reach(books.records, Seal(books.ring))


def _changing(work: Callable[[Books], Coroutine[Any, Any, None]]) -> None:
    try:
        with_books(work)
    except ReachError as error:
        raise Trouble(str(error), "look at the client and the account, then try again", USAGE) from None
