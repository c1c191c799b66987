"""What an administrator does to an account: each act is in the access trail before it is done, pages and API alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.access import Access, record
from practice.accounts import AccountError, Role
from web.looks import Visit

OWN = "Your own account is changed by another administrator, so that somebody can still manage."


async def make(visit: Visit, account_id: str, name: str, roles: tuple[Role, ...], password: str | None) -> None:
    """Make an account; without a password for single sign-on alone. Raises AccountError."""
    parts = visit.parts
    if password is None and parts.provider is None:
        raise AccountError("without single sign-on an account needs a password")
    await _noted(visit, "made", account_id, {"roles": list(roles)})
    await parts.accounts.add(account_id, name[:120] or account_id, roles, password, parts.clock())


async def set_roles(visit: Visit, account_id: str, roles: tuple[Role, ...]) -> None:
    """Give it other roles; it signs in anew. Raises AccountError."""
    await _of_another(visit, account_id)
    await _noted(visit, "roles", account_id, {"roles": list(roles)})
    await visit.parts.accounts.set_roles(account_id, roles, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)


async def set_password(visit: Visit, account_id: str, password: str) -> None:
    """Give it a new password, for somebody who lost theirs; its sessions end. Raises AccountError."""
    await _known(visit, account_id)
    await _noted(visit, "password", account_id)
    await visit.parts.accounts.set_password(account_id, password, visit.parts.clock())
    await visit.parts.identities.unlink(account_id)
    visit.parts.lately.forget_others(account_id)


async def use_single_sign_on(visit: Visit, account_id: str) -> None:
    """Take the password away: from now on they come through the provider. Raises AccountError."""
    if visit.parts.provider is None:
        raise AccountError("there is no single sign-on here")
    await _of_another(visit, account_id)
    await _noted(visit, "single_sign_on", account_id)
    await visit.parts.identities.unlink(account_id)
    await visit.parts.accounts.drop_password(account_id, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)


async def reset_second_factor(visit: Visit, account_id: str) -> None:
    """Take away the second factor of somebody who lost it. Raises AccountError."""
    await _of_another(visit, account_id)
    await _noted(visit, "second_factor", account_id)
    await visit.parts.accounts.reset_second_factor(account_id, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)


async def end_sessions(visit: Visit, account_id: str) -> None:
    """Sign it out everywhere. Raises AccountError."""
    await _known(visit, account_id)
    await _noted(visit, "sessions", account_id)
    await visit.parts.sessions.end_all(account_id, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)


async def disable(visit: Visit, account_id: str) -> None:
    """Let it sign in no more; its tokens are good for nothing. Raises AccountError."""
    await _of_another(visit, account_id)
    await _noted(visit, "ended", account_id)
    await visit.parts.accounts.disable(account_id, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)


async def enable(visit: Visit, account_id: str) -> None:
    """Let it sign in again. Raises AccountError."""
    await _of_another(visit, account_id)
    await _noted(visit, "enabled", account_id)
    await visit.parts.accounts.enable(account_id, visit.parts.clock())


async def lone_administrator(visit: Visit) -> bool:
    """Whether nobody could help if the only administrator were away or locked out."""
    everybody = await visit.parts.accounts.everybody()
    return sum("administrator" in one.roles and not one.disabled for one in everybody) < 2


async def _of_another(visit: Visit, account_id: str) -> None:
    if account_id == visit.actor.account_id:
        raise AccountError(OWN)
    await _known(visit, account_id)


async def _known(visit: Visit, account_id: str) -> None:
    if await visit.parts.accounts.get(account_id) is None:
        raise AccountError("there is no such account")


async def _noted(visit: Visit, act: str, account_id: str, more: Mapping[str, Any] | None = None) -> None:
    now, actor = visit.parts.clock(), visit.actor
    detail = {"act": act, "account": account_id[:64], **(more or {})}
    await record(
        visit.parts.database, Access(now, actor.account_id, actor.roles[0], "administered", "account", detail=detail)
    )
