"""The API: tokens, revisions, idempotency, problems; and whatever its description allows brings no fault of ours."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import select

from practice.accounts import ROLES
from practice.tables import api_calls
from tests.web.desk import BASE, PEOPLE, Desk, RealClock, desk
from tests.workflows.stack import free_port, stack
from web.access import ACTIONS, NOWHERE, Actor
from web.guard import Visit
from web.live import lines

pytestmark = pytest.mark.full
ALL = tuple(one for one in ACTIONS if one != "public")


@contextlib.asynccontextmanager
async def caller(web: Desk, person: str, *scopes: str) -> AsyncGenerator[httpx.AsyncClient]:
    token = await web.parts.tokens.add(person, "test", scopes or ALL, 1, web.clock())
    transport = httpx.ASGITransport(web.app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/api/v1", headers=headers) as http:
        yield http


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def opened(http: httpx.AsyncClient, **more: Any) -> str:
    body = {"client_ref": f"client-{uuid4().hex[:8]}", "crisis_types": ["craving"], **more}
    answer = await http.post("/episodes", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    return answer.json()["episode_id"]


async def test_an_episode_is_opened_once_and_led_with_revisions(live: Desk):
    async with caller(live, "maya") as http:
        body, once = {"client_ref": "client-api", "crisis_types": ["craving"], "said": "on the phone"}, key()
        first, second = [await http.post("/episodes", json=body, headers=once) for _ in range(2)]
        assert first.json()["episode_id"] == second.json()["episode_id"]
        place = f"/episodes/{first.json()['episode_id']}"
        seen = await http.get(place)
        revision = seen.headers["etag"]
        command = {"kind": "CompleteStep", "step": "session_start", "facts": {"present_address": "1 Pier Road"}}
        refused = await http.post(f"{place}/commands", json=command, headers=key() | {"If-Match": revision})
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert "callback_number" in refused.json()["missing"]
        assert refused.json()["remedy"]
        change = {"kind": "RecordFacts", "facts": {"present_address": "1 Pier Road"}}
        again = key() | {"If-Match": revision}
        receipts = [await http.post(f"{place}/commands", json=change, headers=again) for _ in range(2)]
        assert [one.status_code for one in receipts] == [200, 200]
        assert receipts[0].json() == receipts[1].json()
        stale = await http.post(f"{place}/commands", json=change, headers=key() | {"If-Match": revision})
        assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")


async def test_an_answer_is_kept_with_of_whom_it_is(live: Desk):
    """So that forgetting somebody takes theirs along and leaves the others."""
    async with caller(live, "ruth") as http:
        episode_id = await opened(http)
        calls: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("POST", f"/episodes/{episode_id}/preview", {"kind": "AddAddendum", "refers_to": 1, "text": "x"}),
            ("POST", "/clients", {"name": "Dana R."}),
            ("POST", "/protocol-drafts/lint", {"document": "x"}),
            ("POST", "/audit/verifications", {}),
        )
        answers = [await http.request(how, place, json=body, headers=key()) for how, place, body in calls]
    query = select(api_calls.c.of_whom).where(api_calls.c.sealed.is_not(None))
    found = await live.parts.database.read(lambda connection: connection.scalars(query).all())
    added = next(one.json()["client_ref"] for one in answers if "client_ref" in one.text)
    kept = {one for one in found if one is None or not one.endswith(episode_id)}
    assert {f"episode/{episode_id}"} == {*found} - kept
    assert kept <= {f"client/{added}", "nobody", None}
    assert f"client/{added}" in kept


async def test_false_is_not_a_score_and_unknown_fields_are_refused(live: Desk):
    async with caller(live, "maya") as http:
        place = f"/episodes/{await opened(http)}"
        for facts in ({"age": False}, {"age": 1.5}, {"age": None}, {"age": {"years": 3}}):
            answer = await http.post(f"{place}/commands", json={"kind": "RecordFacts", "facts": facts}, headers=key())
            assert answer.status_code == 422, facts
        posing: dict[str, Any] = {"kind": "RecordFacts", "facts": {}, "actor": "ruth"}
        answer = await http.post(f"{place}/commands", json=posing, headers=key())
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].endswith("actor")


async def test_a_second_episode_of_a_client_is_meant_or_not_opened(live: Desk):
    async with caller(live, "maya") as http:
        there = await opened(http, client_ref="client-again")
        async with asyncio.timeout(60):
            while not await live.parts.owing.open_of_client("client-again"):
                await asyncio.sleep(0.05)
        body: dict[str, Any] = {"client_ref": "client-again", "crisis_types": ["relapse"]}
        answer = await http.post("/episodes", json=body, headers=key())
        assert (answer.status_code, answer.json()["episodes"]) == (409, [there])
        assert (await http.post("/episodes", json=body | {"another": True}, headers=key())).status_code == 201


async def test_a_token_does_what_it_was_made_for_and_ends(live: Desk):
    async with caller(live, "maya", "queue.read") as http:
        assert (await http.get("/queue")).status_code == 200
        refused = await http.get("/protocols")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        (token,) = await live.parts.tokens.of("maya", live.clock())
        await live.parts.tokens.revoke("sam", token.token_id, live.clock())
        assert (await http.get("/queue")).status_code == 200, "somebody else can't end it"
        await live.parts.tokens.revoke("maya", token.token_id, live.clock())
        answer = await http.get("/queue")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    made = await live.parts.tokens.add("maya", "short", ("queue.read",), 1, live.clock() - timedelta(days=1))
    assert await live.parts.tokens.holder(made, live.clock()) is None
    assert made.encode() not in (live.settings.var / "records.db").read_bytes()


async def test_a_change_by_one_is_told_to_another(live: Desk):
    async with caller(live, "maya") as http:
        episode_id = await opened(http)
        async with asyncio.timeout(60):
            while await live.parts.owing.revision(episode_id) == 0:
                await asyncio.sleep(0.05)
        told = lines(Visit(live.parts, Actor("ruth", "Ruth", ("supervisor",)), None, NOWHERE), episode_id)
        assert "retry" in await anext(told)
        waiting = asyncio.create_task(_until_changed(told))
        await asyncio.sleep(0)
        await http.post(f"/episodes/{episode_id}/emergency", json={}, headers=key())
        async with asyncio.timeout(60):
            await waiting
        await told.aclose()


async def test_what_changed_before_a_tab_listens_is_told_at_once(live: Desk):
    async with caller(live, "maya") as http:
        episode_id = await opened(http)
        async with asyncio.timeout(60):
            while (latest := await live.parts.owing.revision(episode_id)) == 0:
                await asyncio.sleep(0.05)
    ruth = Visit(live.parts, Actor("ruth", "Ruth", ("supervisor",)), None, NOWHERE)
    behind = lines(ruth, episode_id, seen=latest - 1)
    assert "retry" in await anext(behind)
    assert "changed" in await asyncio.wait_for(anext(behind), 60)
    await behind.aclose()


async def _until_changed(told: AsyncIterator[str]) -> None:
    async for line in told:
        if "changed" in line:
            return


@dataclass
class Served:
    """The application in a thread of its own, on a real port."""

    url: str
    tokens: dict[str, str]
    episode_id: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, temporal_port: int) -> Iterator[Served]:
    ready, stop = threading.Event(), threading.Event()
    found: list[Served] = []
    folder = tmp_path_factory.mktemp("served")
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folder, temporal_port, found.append, ready, stop)))
    thread.start()
    assert ready.wait(60)
    yield found[0]
    stop.set()
    thread.join(30)


async def _serve(
    folder: Path, temporal: int, found: Callable[[Served], None], ready: threading.Event, stop: threading.Event
) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    told = {"web_address": address, "base_url": f"http://{address}", "worker_sandbox": False}
    async with (
        stack(folder, temporal, **told) as made,
        made.worker(),
        desk(folder, made.settings, RealClock()) as web,
    ):
        web.parts.limits.asked.most = 10**9
        await web.parts.accounts.add("all", "All", ROLES, "x" * 12, web.clock())
        people = ("all", *PEOPLE)
        tokens = {person: await web.parts.tokens.add(person, "test", ALL, 1, web.clock()) for person in people}
        config = uvicorn.Config(web.app, host="127.0.0.1", port=port, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        async with httpx.AsyncClient(base_url=f"http://{address}/api/v1") as http, asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.05)
            http.headers["authorization"] = f"Bearer {tokens['all']}"
            found(Served(f"http://{address}", tokens, await opened(http)))
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving


def asks(served: Served, person: str, examples: int) -> list[str]:
    """Ask whatever the description allows in a person's name; the operations that were asked."""
    description: Any = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    asked: list[str] = []
    for found in description.get_all_operations():
        operation: Any = found.ok()

        @settings(
            max_examples=examples, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            if len(case.path_parameters.get("episode_id", "")) % 2:
                case.path_parameters["episode_id"] = served.episode_id
            if case.path_parameters.get("account_id") in ("all", *PEOPLE):
                return  # whoever asks must go on
            answer = case.call(headers={"authorization": f"Bearer {served.tokens[person]}"}, timeout=20)
            place = (case.method, case.formatted_path, answer.status_code, answer.text[:200])
            assert answer.status_code < 500, place
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"], place
                assert answer.json()["remedy"], place

        ask()
        asked.append(operation.label)
    return asked


def test_whatever_the_description_allows_is_no_fault_of_ours(served: Served):
    assert len(asks(served, "all", 12)) >= 45


@pytest.mark.parametrize("person", PEOPLE)
def test_whatever_a_role_asks_is_no_fault_of_ours(served: Served, person: str):
    assert asks(served, person, 2)


async def test_who_opened_a_client_in_an_emergency_writes_down_that_they_tried_and_nothing_else(live: Desk):
    async with caller(live, "maya") as maya, caller(live, "noor") as noor:
        place = f"/episodes/{await opened(maya)}"
        attempt = {
            "kind": "RecordContact",
            "party": "client",
            "channel": "phone",
            "outcome": "no_answer",
            "note": "Rang twice",
        }
        assert (await noor.post(f"{place}/contacts", json=attempt, headers=key())).status_code == 403
        reason = {"reason": "Her message says goodbye; nobody answers"}
        assert (await noor.post(f"/openings/new{place[9:]}", json=reason, headers=key())).status_code == 201
        once = key()
        tried = [await noor.post(f"{place}/contacts", json=attempt, headers=once) for _ in range(2)]
        assert [one.status_code for one in tried] == [200, 200], tried[0].text
        reached = await noor.post(f"{place}/contacts", json={**attempt, "outcome": "reached"}, headers=key())
        assert reached.status_code == 200
        assert tried[0].json() == tried[1].json(), "sent twice is one attempt"
        assert "ContactMade" in reached.text
        more = {"kind": "RecordFacts", "facts": {"present_address": "1 Pier Road"}}
        assert (await noor.post(f"{place}/commands", json=more, headers=key())).status_code == 403
