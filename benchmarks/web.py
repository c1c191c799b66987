"""The web application with 5,000 open episodes: the server's time for each page, and from a submit to the new page.

Real records on SQLite and a real engine. The application runs in this process and is asked through ASGI, so the time
is the server's own. The lists are filled straight into their tables: what a list costs does not depend on how it came.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import Connection, insert

from audit.tables import episodes, obligations
from benchmarks.embedded import Embedded, embedded, run_async
from benchmarks.tables import Row
from practice.accounts import Role
from web.app import create_app
from web.parts import Parts

OPEN, THERAPISTS, OWED = 5_000, 50, 3
AT_ONCE = 20
LOOKS, SUBMITS = 60, 5
THINK_SECONDS = 4.0
"""Between two submits of one person: far busier than people are."""
FORM = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


def run() -> list[Row]:
    """Fill, look, submit."""
    return run_async(_run())


async def _run() -> list[Row]:
    async with embedded(web_address="127.0.0.1:8080") as stack:
        stack.start_worker()
        app = create_app(stack.settings)
        async with app.router.lifespan_context(app):
            return await _measured(stack, app)


async def _measured(stack: Embedded, app: FastAPI) -> list[Row]:
    parts: Parts = app.state.parts
    spec = parts.shelf.open_now()["virtual_iop_crisis"]
    await parts.database.write(lambda connection: _fill(connection, spec.content_hash))
    await _account(parts, "maya", "therapist")
    await _account(parts, "ruth", "supervisor")
    rows: list[Row] = []
    async with _browser(app, "maya") as maya, _browser(app, "ruth") as ruth:
        place = await _reported(maya)
        for who, name, address in (
            (maya, "my queue", "/"),
            (maya, "report a crisis", "/report"),
            (maya, "an episode", place),
            (ruth, "board", "/board"),
        ):
            rows.append({"page": name, **await _looks(who, address)})
    return [*rows, {"page": f"submit to the new page, {AT_ONCE} at once", **await _submits(app, parts)}]


async def _looks(http: httpx.AsyncClient, address: str) -> Row:
    for _ in range(3):
        await http.get(address)
    taken: list[float] = []
    size, worked = 0, time.process_time()
    for _ in range(LOOKS):
        begun = time.perf_counter()
        answer = await http.get(address)
        taken.append(time.perf_counter() - begun)
        assert answer.status_code == 200, answer.status_code
        size = len(answer.content)
    return _figures(taken, time.process_time() - worked) | {"kB": round(size / 1000)}


async def _submits(app: FastAPI, parts: Parts) -> Row:
    taken: list[float] = []

    async def works(number: int) -> None:
        await _account(parts, f"t{number}", "supervisor")
        async with _browser(app, f"t{number}") as http:
            place = await _reported(http)
            await asyncio.sleep(number * THINK_SECONDS / AT_ONCE)
            for _ in range(SUBMITS):
                await asyncio.sleep(THINK_SECONDS)
                fields = _form((await http.get(place)).text, f"{place}/acts/record-contact")
                told = {"party": "client", "channel": "phone", "outcome": "no_answer", "note": "rang out"}
                begun = time.perf_counter()
                sent = await http.post(f"{place}/acts/record-contact", data={**fields, **told})
                assert sent.status_code == 303, sent.text
                await http.get(sent.headers["location"])
                taken.append(time.perf_counter() - begun)

    worked = time.process_time()
    await asyncio.gather(*(works(number) for number in range(AT_ONCE)))
    return _figures(taken, time.process_time() - worked) | {"kB": ""}


def _figures(taken: list[float], worked: float) -> Row:
    every = sorted(one * 1_000 for one in taken)
    return {
        "p50 ms": round(every[len(every) // 2], 1),
        "p95 ms": round(every[int(len(every) * 0.95)], 1),
        "max ms": round(every[-1], 1),
        "cpu ms": round(worked / len(every) * 1_000, 1),
    }


async def _reported(http: httpx.AsyncClient) -> str:
    fields = _form((await http.get("/report")).text, "/report")
    told = {"client": f"client-{uuid4().hex[:10]}", "crisis": "craving"}
    return (await http.post("/report", data={**fields, **told})).headers["location"]


def _form(page: str, action: str) -> dict[str, str]:
    start = page.index(f'action="{action}"')
    return dict(FORM.findall(page[start : page.index("</form>", start)]))


async def _account(parts: Parts, account_id: str, role: Role) -> None:
    await parts.accounts.add(account_id, account_id.capitalize(), (role,), uuid4().hex, datetime.now(UTC))


@asynccontextmanager
async def _browser(app: FastAPI, person: str) -> AsyncGenerator[httpx.AsyncClient]:
    parts: Parts = app.state.parts
    account = await parts.accounts.get(person)
    assert account is not None
    token, _ = await parts.sessions.begin(account, datetime.now(UTC))
    transport, cookies = httpx.ASGITransport(app), {"holdfast": token}
    async with httpx.AsyncClient(transport=transport, base_url=parts.settings.base_url, cookies=cookies) as http:
        yield http


def _fill(connection: Connection, protocol: str) -> None:
    now = datetime.now(UTC)
    numbers = range(OPEN)
    connection.execute(insert(episodes), [_episode(number, now) | {"protocol_hash": protocol} for number in numbers])
    connection.execute(
        insert(obligations), [_obligation(number, one, now) for number in numbers for one in range(OWED)]
    )


def _episode(number: int, now: datetime) -> dict[str, Any]:
    owner = "maya" if number % THERAPISTS == 0 else f"therapist-{number % THERAPISTS}"
    return {
        "episode_id": f"e{number}",
        "client_ref": f"client-{number}",
        "protocol": "virtual_iop_crisis",
        "protocol_version": "1.0.0",
        "protocol_hash": "0" * 64,
        "revision": 1,
        "stage": "assessment",
        "risk": ("low", "moderate", "high")[number % 3],
        "peak_risk": "high",
        "owner": owner,
        "drill": False,
        "opened_at": now - timedelta(hours=number % 100),
        "next_deadline": now + timedelta(minutes=number),
    }


def _obligation(number: int, one: int, now: datetime) -> dict[str, Any]:
    owner = "maya" if number % THERAPISTS == 0 else f"therapist-{number % THERAPISTS}"
    due = now + timedelta(minutes=number * (one + 1) - 60)
    return {
        "episode_id": f"e{number}",
        "obligation_id": f"follow_up-{one}",
        "kind": "follow_up",
        "title": "Follow up",
        "status": "open",
        "owner_role": "owner",
        "owner": owner,
        "opened_at": now,
        "due_at": due,
        "missed": due <= now,
        "rung": -1,
        "next_page_at": due,
    }
