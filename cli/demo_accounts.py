"""Accounts for the fictional staff, so that a first look needs no set-up. The password is this installation's own."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from audit.database import connect
from audit.sealing import Keyring
from practice.accounts import Accounts, Role
from practice.sealing import Seal
from settings import Settings

DEMO: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("maya", "Maya Ortiz", ("therapist",)),
    ("sam", "Sam Lindqvist", ("therapist", "on_call")),
    ("lee", "Lee Okafor", ("therapist", "on_call")),
    ("noor", "Noor Haddad", ("therapist", "on_call")),
    ("ruth", "Ruth Alvarez", ("supervisor",)),
    ("gale", "Gale Whitfield", ("supervisor",)),
    ("iris", "Iris Castellano", ("clinical_operations",)),
    ("finn", "Finn Abara", ("auditor",)),
    ("abel", "Abel Moreno", ("administrator",)),
)
"""Id, name, roles. The ids of clinicians are those of the rota."""
SHOWN = ("maya", "ruth", "iris", "finn", "abel")
"""One of each role, named at the start."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


async def add_demo_accounts(settings: Settings) -> str:
    """Make the accounts that are not there yet; the password that all of them have."""
    password = demo_password(settings.var / "keys" / "demo_password.txt")
    database = connect(settings.database_url.get_secret_value(), pool_size=1)
    accounts = Accounts(database, Seal(Keyring((key.id, key.secret) for key in settings.record_keys)))
    try:
        known = {account.account_id for account in await accounts.everybody()}
        for account_id, name, roles in DEMO:
            if account_id not in known:
                await accounts.add(account_id, name, roles, password, datetime.now(UTC))
    finally:
        await database.dispose()
    return password


def demo_password(path: Path) -> str:
    """The password in the file; made on first use, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("-".join(groups) + "\n")
    return path.read_text(encoding="utf-8").strip()


def greeting(password: str) -> dict[str, str]:
    """Who may sign in, for the start."""
    roles = {account_id: roles for account_id, _, roles in DEMO}
    named = ", ".join(f"{one} ({roles[one][0].replace('_', ' ')})" for one in SHOWN)
    return {"sign in as": named, "password": password}
