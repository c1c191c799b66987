"""The application on real records in SQLite, spoken to in process, and people who are signed in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from audit import migrate
from practice.accounts import Role
from settings import Settings
from tests.workflows.stack import free_port, settings_for
from web.app import create_app
from web.parts import Parts

PASSWORD = "fictional-password"
PEOPLE: dict[str, tuple[Role, ...]] = {
    "maya": ("therapist",),
    "sam": ("therapist", "on_call"),
    "noor": ("on_call",),
    "ruth": ("supervisor",),
    "iris": ("clinical_operations",),
    "finn": ("auditor",),
    "abel": ("administrator",),
}
START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:8080"


@dataclass
class Clock:
    """A clock that the test turns."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, span: timedelta) -> None:
        self.now += span


class RealClock(Clock):
    """The clock on the wall, or that much behind it."""

    behind = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.behind


@dataclass
class Desk:
    """The application under test."""

    app: FastAPI
    clock: Clock
    settings: Settings

    @property
    def parts(self) -> Parts:
        return self.app.state.parts

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncGenerator[Browser]:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            yield Browser(http)

    @contextlib.asynccontextmanager
    async def signed_in(self, person: str) -> AsyncGenerator[Browser]:
        """A browser with a session of this person; made without the slow check of a password."""
        account = await self.parts.accounts.get(person)
        assert account is not None
        token, session = await self.parts.sessions.begin(account, self.clock())
        async with self.browser() as browser:
            browser.http.cookies.set("holdfast", token, domain="127.0.0.1")
            browser.form_token = session.form_token
            yield browser


@dataclass
class Browser:
    """Gets pages and sends their forms."""

    http: httpx.AsyncClient
    form_token: str = ""

    async def get(self, address: str, **headers: str) -> httpx.Response:
        return await self.http.get(address, headers=headers)

    async def post(self, address: str, **fields: Any) -> httpx.Response:
        return await self.http.post(address, data={"form_token": self.form_token, **fields})


def form_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to an address."""
    start = page.index(f'action="{action}"')
    form = page[start : page.index("</form>", start)]
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, f"no hidden field {name}"
    return found[1]


@contextlib.asynccontextmanager
async def desk(folder: Path, settings: Settings | None = None, clock: Clock | None = None) -> AsyncGenerator[Desk]:
    """The application with the accounts of PEOPLE."""
    told = settings or settings_for(folder, free_port())
    migrate.upgrade(told.database_url.get_secret_value())
    clock = clock or Clock()
    app = create_app(told, clock)
    async with app.router.lifespan_context(app):
        made = Desk(app, clock, told)
        for person, roles in PEOPLE.items():
            await made.parts.accounts.add(person, person.capitalize(), roles, PASSWORD, clock())
        yield made
