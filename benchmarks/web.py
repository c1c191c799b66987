"""The web application with 5,000 open episodes, over its socket: each page, a submit, and how soon others see it.

Real records on SQLite, a real engine, worker and web process; the caller is an HTTP client beside them. The lists are
filled straight into their tables, and each of their clients has a file: what a list costs does not depend on how it
came. `cpu ms` is the processor time of the web process alone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import Connection, insert

from audit.tables import episodes, obligations
from benchmarks.embedded import Process, embedded, free_port, run_async
from benchmarks.tables import Row
from practice.accounts import Role
from practice.clients import ClientFile
from practice.tables import caseloads
from web.parts import Parts, opened

OPEN, THERAPISTS, OWED = 5_000, 50, 3
AT_ONCE = 20
LOOKS, SUBMITS = 60, 8
THINK_SECONDS = 4.0
"""Between two submits of one person: far busier than people are."""
SEEN_AFTER_SECONDS = 30.0
"""Whoever waits so long for a change of somebody else has missed it."""
FORM = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
ASSET = re.compile(r"""(?:src=|href=|url\()["']?(/static/[^"')]+)""")

PAGES: tuple[tuple[Role, str, str], ...] = (
    ("therapist", "my queue", "/"),
    ("therapist", "report a crisis", "/report"),
    ("therapist", "an episode", "{episode}"),
    ("therapist", "its timeline", "{episode}/timeline"),
    ("therapist", "clients", "/clients"),
    ("supervisor", "board", "/board"),
    ("supervisor", "signatures", "/signatures"),
    ("supervisor", "insight", "/insight"),
    ("clinical_operations", "protocols", "/protocols"),
    ("auditor", "search of the trail", "/audit"),
    ("auditor", "replay of an episode", "/audit{episode}"),
)


@dataclass
class House:
    """The application as a process, and a way in for anybody."""

    parts: Parts
    process: Process

    @asynccontextmanager
    async def browser(self, person: str) -> AsyncGenerator[httpx.AsyncClient]:
        """A person who is signed in, with connections that stay."""
        account = await self.parts.accounts.get(person)
        assert account is not None
        token, _ = await self.parts.sessions.begin(account, datetime.now(UTC))
        async with httpx.AsyncClient(base_url=self.parts.settings.base_url, cookies={"holdfast": token}) as http:
            yield http


def run() -> list[Row]:
    """Fill, look, submit, wait."""
    return run_async(_run())


async def _run() -> list[Row]:
    address = f"127.0.0.1:{free_port()}"
    async with embedded(web_address=address, base_url=f"http://{address}") as stack:
        stack.start_worker()
        async with opened(stack.settings) as parts:
            await _fill(parts)
            return await _measured(House(parts, await stack.start_web()))


async def _measured(house: House) -> list[Row]:
    rows: list[Row] = []
    async with house.browser("therapist") as http:
        place = await _reported(http)
    for role, name, address in PAGES:
        async with house.browser(role) as http:
            rows.append({"page": name, **await _looks(house, http, address.format(episode=place))})
    async with house.browser("therapist") as http:
        rows.append({"page": "first load of an episode, all it needs", "kB": await _first_load(http, place)})
    return rows + await _submits(house)


async def _looks(house: House, http: httpx.AsyncClient, address: str) -> Row:
    for _ in range(3):
        await http.get(address)
    taken: list[float] = []
    size, worked = 0, house.process.cpu_seconds
    for _ in range(LOOKS):
        begun = time.perf_counter()
        answer = await http.get(address)
        taken.append(time.perf_counter() - begun)
        assert answer.status_code == 200, (address, answer.status_code)
        size = answer.num_bytes_downloaded
    return _figures(taken) | {
        "cpu ms": round((house.process.cpu_seconds - worked) / LOOKS * 1_000, 1),
        "kB": round(size / 1000, 1),
    }


async def _first_load(http: httpx.AsyncClient, place: str) -> float:
    page = await http.get(place)
    assets = [await http.get(one) for one in sorted(set(ASSET.findall(page.text)))]
    fonts = {one for asset in assets for one in ASSET.findall(asset.text)}
    every = [page, *assets, *[await http.get(one) for one in sorted(fonts)]]
    assert all(one.status_code == 200 for one in every)
    return round(sum(one.num_bytes_downloaded for one in every) / 1000, 1)


async def _submits(house: House) -> list[Row]:
    sent: list[float] = []
    seen: list[float] = []
    worked = house.process.cpu_seconds
    await asyncio.gather(*(_works(house, number, sent, seen) for number in range(AT_ONCE)))
    used = {"cpu ms": round((house.process.cpu_seconds - worked) / len(sent) * 1_000, 1)}
    return [
        {"page": f"from a submit to the new page, {AT_ONCE} at once", **_figures(sent), **used},
        {"page": "from a submit to the page of somebody else", **_figures(seen)},
    ]


async def _works(house: House, number: int, sent: list[float], seen: list[float]) -> None:
    """One person works on an episode while another, a supervisor, has it open."""
    async with house.browser(f"t{number}") as http, house.browser("supervisor") as other:
        place = await _reported(http)
        await asyncio.sleep(number * THINK_SECONDS / AT_ONCE)
        for _ in range(SUBMITS):
            await asyncio.sleep(THINK_SECONDS)
            fields = _form((await http.get(place)).text, f"{place}/acts/record-contact")
            note = uuid4().hex
            told = {"party": "client", "channel": "phone", "outcome": "no_answer", "note": note}
            async with _watching(other, place, note) as appeared:
                begun = time.perf_counter()
                await http.head("/static/icon.svg")  # as sending.js asks whether the server can be reached
                answer = await http.post(f"{place}/acts/record-contact", data={**fields, **told})
                assert answer.status_code == 303, answer.text
                await http.get(answer.headers["location"])
                sent.append(time.perf_counter() - begun)
                seen.append(await appeared - begun)


@asynccontextmanager
async def _watching(http: httpx.AsyncClient, place: str, note: str) -> AsyncGenerator[asyncio.Task[float]]:
    """A tab that listens: the moment at which its page shows the note."""
    listening = asyncio.Event()

    async def appears() -> float:
        live = http.stream("GET", "/live", params={"episode": place.rpartition("/")[2]})
        async with asyncio.timeout(SEEN_AFTER_SECONDS), live as told:
            async for line in told.aiter_lines():
                if line.startswith("retry"):
                    listening.set()
                if line == "event: changed" and note in (await http.get(f"{place}/timeline")).text:
                    return time.perf_counter()
        raise AssertionError("the stream ended before the change was seen")

    task = asyncio.create_task(appears())
    await listening.wait()
    try:
        yield task
    finally:
        task.cancel()


def _figures(taken: list[float]) -> Row:
    every = sorted(one * 1_000 for one in taken)
    return {
        "p50 ms": round(every[len(every) // 2], 1),
        "p95 ms": round(every[int(len(every) * 0.95)], 1),
        "max ms": round(every[-1], 1),
    }


async def _reported(http: httpx.AsyncClient) -> str:
    fields = _form((await http.get("/report")).text, "/report")
    told = {"client": f"client-{uuid4().hex[:10]}", "crisis": "craving"}
    answer = await http.post("/report", data={**fields, **told})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _form(page: str, action: str) -> dict[str, str]:
    start = page.index(f'action="{action}"')
    return dict(FORM.findall(page[start : page.index("</form>", start)]))


async def _fill(parts: Parts) -> None:
    spec, now, numbers = parts.shelf.open_now()["virtual_iop_crisis"], datetime.now(UTC), range(OPEN)
    for role in ("therapist", "supervisor", "clinical_operations", "auditor"):
        await _account(parts, role, role)
    for number in range(AT_ONCE):
        await _account(parts, f"t{number}", "therapist")
    mine = [number for number in numbers if _owner(number) == "therapist"]
    files = [(f"client-{number}", ClientFile(name=f"Person {number}", phone="209-555-0100")) for number in numbers]
    await parts.clients.add_all(files, now)

    def lists(connection: Connection) -> None:
        held = [{"client_ref": f"client-{number}", "account_id": "therapist", "since": now} for number in mine]
        connection.execute(insert(caseloads), held)
        connection.execute(insert(episodes), [_episode(number, now, spec.content_hash) for number in numbers])
        connection.execute(
            insert(obligations), [_obligation(number, one, now) for number in numbers for one in range(OWED)]
        )

    await parts.database.write(lists)


async def _account(parts: Parts, account_id: str, role: Role) -> None:
    await parts.accounts.add(account_id, account_id.capitalize(), (role,), uuid4().hex, datetime.now(UTC))


def _owner(number: int) -> str:
    return "therapist" if number % THERAPISTS == 0 else f"therapist-{number % THERAPISTS}"


def _episode(number: int, now: datetime, protocol: str) -> dict[str, Any]:
    return {
        "episode_id": f"e{number}",
        "client_ref": f"client-{number}",
        "protocol": "virtual_iop_crisis",
        "protocol_version": "1.0.0",
        "protocol_hash": protocol,
        "revision": 1,
        "stage": "assessment",
        "risk": ("low", "moderate", "high")[number % 3],
        "peak_risk": "high",
        "owner": _owner(number),
        "drill": False,
        "opened_at": now - timedelta(hours=number % 100),
        "next_deadline": now + timedelta(minutes=number),
    }


def _obligation(number: int, one: int, now: datetime) -> dict[str, Any]:
    due = now + timedelta(minutes=number * (one + 1) - 60)
    return {
        "episode_id": f"e{number}",
        "obligation_id": f"follow_up-{one}",
        "kind": "follow_up",
        "title": "Follow up",
        "status": "open",
        "owner_role": "owner",
        "owner": _owner(number),
        "opened_at": now,
        "due_at": due,
        "missed": due <= now,
        "rung": -1,
        "next_page_at": due,
    }
