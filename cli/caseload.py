"""`holdfast caseload …`: on whose caseload a client is, for when nobody can sign in to the web application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from audit.database import connect
from audit.sealing import Keyring
from cli.configuration import settings
from cli.desk import utc_now
from cli.output import USAGE, AsJson, Trouble, say, say_json
from practice.reach import Reach, ReachError
from practice.sealing import Seal

T = TypeVar("T")

app = typer.Typer()

ClientRef = Annotated[str, typer.Argument(help="The client's reference.", show_default=False)]
Account = Annotated[str, typer.Argument(help="The therapist's account.", show_default=False)]


@app.command()
def assign(client: ClientRef, account: Account, as_json: AsJson = False) -> None:
    """Put a client on somebody's caseload."""
    _with_reach(lambda reach: reach.assign(client, account, utc_now()))
    _answer(client, account, "is on the caseload of", as_json=as_json)


@app.command()
def release(client: ClientRef, account: Account, as_json: AsJson = False) -> None:
    """Take a client off somebody's caseload; it counts from their next request on."""
    _with_reach(lambda reach: reach.release(client, account))
    _answer(client, account, "is not on the caseload of", as_json=as_json)


@app.command()
def transfer(
    client: ClientRef,
    leaving: Annotated[str, typer.Argument(help="Whose caseload the client leaves.", show_default=False)],
    taking: Annotated[str, typer.Argument(help="Whose caseload the client goes to.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Hand a client from one caseload to another: both or neither."""
    _with_reach(lambda reach: reach.transfer(client, leaving, taking, utc_now()))
    _answer(client, taking, "is on the caseload of", as_json=as_json)


@app.command("list")
def list_keepers(client: ClientRef, as_json: AsJson = False) -> None:
    """List on whose caseload a client is."""
    keepers, _ = _with_reach(lambda reach: reach.keepers(client, utc_now()))
    if as_json:
        say_json({"client": client, "accounts": sorted(keepers)})
    else:
        say("\n".join(sorted(keepers)) or f"{client} is on nobody's caseload.")


def _answer(client: str, account: str, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"client": client, "account": account, "done": what})
    else:
        say(f"{client} {what} {account}.")


def _with_reach(work: Callable[[Reach], Awaitable[T]]) -> T:
    async def do() -> T:
        told = settings()
        database = connect(told.database_url.get_secret_value(), pool_size=1)
        try:
            return await work(Reach(database, Seal(Keyring((key.id, key.secret) for key in told.record_keys))))
        finally:
            await database.dispose()

    try:
        return asyncio.run(do())
    except ReachError as error:
        raise Trouble(str(error), "look at the client and the account, then try again", USAGE) from None
