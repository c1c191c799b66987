"""What an auditor's command works with: the records and their keys, and nothing of Temporal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit.checkpoints import Witness
from audit.database import Database, connect
from audit.history import HistoryError, episodes_beginning_with
from audit.sealing import Keyring, SealingError
from audit.signatures import CheckpointError, SigningKeys, VerifyKeys, checking
from cli.configuration import settings
from cli.output import FOUND, UNREACHABLE, USAGE, Trouble
from settings import Settings, variable

T = TypeVar("T")

_DENIED = "42501"
"""PostgreSQL: the role may not do this."""


@dataclass(frozen=True)
class Books:
    """The records of one command."""

    settings: Settings
    records: Database
    ring: Keyring

    @property
    def witness(self) -> Witness:
        """What signed checkpoints say of an episode."""
        return Witness(self.records, keys_to_check(self.settings))

    async def find(self, reference: str) -> str:
        """The id of the one episode whose id is or begins with `reference`. Raises Trouble."""
        fitting = await episodes_beginning_with(self.records, reference)
        if len(fitting) == 1 or reference in fitting:
            return next(iter(fitting))  # an exact one stands first
        if not fitting:
            raise Trouble(f"the records have no episode {reference}", "`holdfast audit verify` lists them all", USAGE)
        some = ", ".join(fitting[:5])
        raise Trouble(f"{reference} means several episodes: {some} …", "write more of the id", USAGE)


def with_books(work: Callable[[Books], Coroutine[Any, Any, T]]) -> T:
    """Do something with the records. Raises Trouble when they don't answer or say no."""
    try:
        return asyncio.run(_with_books(work))
    except (SealingError, HistoryError, CheckpointError) as error:
        raise Trouble(str(error), "`holdfast audit verify` says more", FOUND) from None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _DENIED:
            raise _unreachable(error) from None
        owner = f"connect as the owner of the records, by {variable('database_url')}"
        raise Trouble("this login may not change the records", owner, FOUND) from None
    except SQLAlchemyError as error:
        raise _unreachable(error) from None


async def _with_books(work: Callable[[Books], Coroutine[Any, Any, T]]) -> T:
    told = settings()
    records = connect(told.database_url.get_secret_value(), pool_size=1)
    try:
        return await work(Books(told, records, Keyring((key.id, key.secret) for key in told.record_keys)))
    finally:
        await records.dispose()


def _unreachable(error: SQLAlchemyError) -> Trouble:
    return Trouble(
        f"the records do not answer ({type(error).__name__})",
        f"see that the database of {variable('database_url')} runs and `holdfast migrate` was done",
        UNREACHABLE,
    )


def signing_keys() -> SigningKeys:
    """The keys that sign. Raises Trouble when there is none."""
    told = settings().signing_keys
    if not told:
        raise Trouble("there is no key to sign with", f"set {variable('signing_keys')}", USAGE)
    return SigningKeys((key.id, key.secret) for key in told)


def verify_keys() -> VerifyKeys:
    """The keys that check. Raises Trouble when there is none."""
    found = keys_to_check(settings())
    if found is None:
        raise Trouble("there is no key to check with", f"set {variable('verify_keys')}", USAGE)
    return found


def keys_to_check(told: Settings) -> VerifyKeys | None:
    """The keys that check, None when there is none. Raises Trouble when a name stands for two keys."""
    try:
        return checking(
            ((key.id, key.public) for key in told.verify_keys), ((key.id, key.secret) for key in told.signing_keys)
        )
    except ValueError as error:
        raise Trouble(str(error), "give one of them another name", USAGE) from None
