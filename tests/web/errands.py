"""Errands of an auditor in tests: the real process works on them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from audit.store import Store
from tests.audit.test_history import recorded
from tests.protocol.story import Story
from tests.web.desk import Browser, Desk, desk
from tests.workflows.stack import free_port, key, settings_for
from web.errand import Errand, Order, State, seal_of, write
from web.errands import FOLDER

SIGNING = key()
ASK_SECONDS = 0.1


@asynccontextmanager
async def signing_desk(folder: Path) -> AsyncGenerator[Desk]:
    """The application with a key to sign with."""
    async with desk(folder, settings_for(folder, free_port(), signing_keys=(SIGNING,))) as made:
        yield made


async def with_a_breach(web: Desk) -> Story:
    return await recorded(Store(web.parts.database, web.parts.ring))


async def over(web: Desk) -> None:
    """Wait until nothing is under way."""
    async with asyncio.timeout(60):
        while any(not one.over for one in web.parts.errands.everything(web.clock())):
            await asyncio.sleep(ASK_SECONDS)


async def done(web: Desk, browser: Browser, answer: httpx.Response) -> str:
    """The page that a form led to, once the errand is over."""
    assert answer.status_code == 303, answer.text
    await over(web)
    return (await browser.get(answer.headers["location"])).text


def standing(web: Desk, by: str = "finn") -> Errand:
    """A verification that goes on for as long as the test does."""
    order = Order(kind="verification", by=by, role="auditor", asked_at=web.clock())
    folder = web.settings.var / FOLDER / secrets.token_hex(16)
    folder.mkdir(parents=True)
    seal = seal_of(web.settings)
    write(folder / "order", order, seal)
    write(folder / "state", State(at=web.clock(), doing="Chains", done=3, of=12), seal)
    found = web.parts.errands.get(folder.name, by, web.clock())
    assert found is not None
    return found


def links(page: str, suffix: str) -> list[str]:
    """Addresses of files on a page."""
    return re.findall(rf'href="(/audit/exports/[^"]+\.{suffix})"', page)
