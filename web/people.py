"""Names of the staff, as far as the rota or the accounts know them."""

from __future__ import annotations

from collections.abc import Callable

from protocol.words import person
from web.parts import Parts


async def names_of(parts: Parts) -> Callable[[str], str]:
    """A function from a person's id to their name; an id that nobody knows stands for itself."""
    known = {account.account_id: account.name for account in await parts.accounts.everybody()}
    known |= {one.id: one.name for one in (await parts.rota.current()).people}
    return lambda account_id: known.get(account_id, person(account_id))
