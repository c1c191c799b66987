"""`holdfast account …`: who may sign in to the web application; the first administrator is made here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from audit.database import connect
from audit.sealing import Keyring
from cli.configuration import settings
from cli.desk import utc_now
from cli.output import USAGE, AsJson, Trouble, say, say_json
from practice.accounts import ROLES, AccountError, Accounts, Role
from practice.sealing import Seal

T = TypeVar("T")

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="The account's id; for clinicians the one in the rota.", show_default=False)]
Roles = Annotated[list[str], typer.Option("--role", help=f"One of {', '.join(ROLES)}. Repeat it.", show_default=False)]


@app.command()
def add(
    account: Name,
    role: Roles,
    name: Annotated[str, typer.Option(help="How others see this person; the id when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an account. The first line of the standard input is its password."""
    unknown = [one for one in role if one not in ROLES]
    if unknown:
        raise Trouble(f"there is no role {unknown[0]}", f"use some of {', '.join(ROLES)}", USAGE)
    roles: tuple[Role, ...] = tuple(one for one in ROLES if one in role)
    password = _password()
    _with_accounts(lambda accounts: accounts.add(account, name or account, roles, password, utc_now()))
    _answer(account, "may sign in", as_json=as_json)


@app.command()
def password(account: Name, as_json: AsJson = False) -> None:
    """Set a new password from the first line of the standard input; sessions and waits of the account end."""
    new = _password()
    _with_accounts(lambda accounts: accounts.set_password(account, new, utc_now()))
    _answer(account, "has a new password", as_json=as_json)


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts."""
    found = _with_accounts(lambda accounts: accounts.everybody())
    if as_json:
        say_json([{"account": one.account_id, "roles": one.roles, "ended": one.disabled} for one in found])
        return
    for one in found:
        say(f"{one.account_id}  {', '.join(one.roles)}{'  ended' if one.disabled else ''}")


def _answer(account: str, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"account": account, "done": what})
    else:
        say(f"{account} {what}.")


def _password() -> str:
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\n")


def _with_accounts(work: Callable[[Accounts], Awaitable[T]]) -> T:
    async def do() -> T:
        told = settings()
        database = connect(told.database_url.get_secret_value(), pool_size=1)
        try:
            return await work(Accounts(database, Seal(Keyring((key.id, key.secret) for key in told.record_keys))))
        finally:
            await database.dispose()

    try:
        return asyncio.run(do())
    except AccountError as error:
        raise Trouble(str(error), "change that and try again", USAGE) from None
