"""A small protocol on the desk, and the way of a draft through the studio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.web.desk import Browser, Desk, desk
from tests.workflows.stack import free_port, key, settings_for

STARTER = "template:starter"


@asynccontextmanager
async def signing_desk(folder: Path) -> AsyncGenerator[Desk]:
    """The application with a key to sign publications."""
    async with desk(folder, settings_for(folder, free_port(), signing_keys=(key(),))) as made:
        yield made


async def begun(browser: Browser, start: str = STARTER, name: str = "evening_line") -> str:
    """A draft; its address."""
    answer = await browser.post("/studio/new", start=start, name=name)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def revision_in(page: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', page)
    assert found is not None
    return found[1]


async def text_in(web: Desk, address: str) -> str:
    draft = await web.parts.protocol_drafts.get(address.rpartition("/")[2])
    assert draft is not None
    return draft.text


async def saved(browser: Browser, address: str, text: str, **more: Any) -> httpx.Response:
    seen = revision_in((await browser.get(address)).text)
    return await browser.post(f"{address}/save", **{"text": text, "revision": seen, **more})


async def tried(web: Desk, browser: Browser, address: str, what: str = "both") -> str:
    """Prove and test, wait for the process, and give the page."""
    assert (await browser.post(f"{address}/trials", what=what)).status_code == 303
    while any(not job.over for job in web.parts.jobs.everything()):
        await asyncio.sleep(0.05)
    return (await browser.get(f"{address}/trials")).text
