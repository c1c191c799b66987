"""The API noun by noun, and that a call counts once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from practice.accounts import digest
from practice.calls import ABANDONED_AFTER, KEPT_FOR
from tests.web.desk import BASE, PASSWORD, Desk
from tests.web.recorded import recorded
from web.access import ACTIONS
from web.housekeeping import tidy

ALL = tuple(one for one in ACTIONS if one != "public")
FILE: dict[str, Any] = {
    "name": "Dana Rourke",
    "contacts": [{"name": "Lou", "relation": "sister", "phone": "555 0100", "consent": "given"}],
    "consents": [{"kind": "Telehealth", "answer": "given", "on": "2026-01-02"}],
}


@contextlib.asynccontextmanager
async def caller(web: Desk, person: str) -> AsyncGenerator[httpx.AsyncClient]:
    token = await web.parts.tokens.add(person, "test", ALL, 1, web.clock())
    transport = httpx.ASGITransport(web.app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/api/v1", headers=headers) as http:
        yield http


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def test_a_client_is_kept_read_and_changed_with_its_revision(web: Desk):
    async with caller(web, "ruth") as http:
        made = await http.post("/clients", json=FILE, headers=key())
        assert made.status_code == 201, made.text
        place = f"/clients/{made.json()['client_ref']}"
        seen = await http.get(place)
        assert seen.json()["file"]["contacts"][0]["name"] == "Lou"
        assert [one["name"] for one in (await http.get("/clients?find=dana")).json()] == ["Dana Rourke"]
        changed = {**FILE, "county": "alameda"}
        match = {"If-Match": seen.headers["etag"]}
        assert (await http.put(place, json=changed, headers=key())).status_code == 422, "no revision"
        answer = await http.put(place, json=changed, headers=key() | match)
        assert (answer.status_code, answer.json()["file"]["county"]) == (200, "alameda")
        stale = await http.put(place, json=FILE, headers=key() | match)
        assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
        wrong = await http.post("/clients", json={"name": "", "note": 3}, headers=key())
        assert (wrong.status_code, len(wrong.json()["errors"])) == (422, 2)
        lines = await http.post("/clients/import", json={"csv": "name,phone\nA,x\nB,555 0101"}, headers=key())
        assert (lines.status_code, lines.json()["errors"][0]["field"]) == (422, "line 2")
        lines = await http.post("/clients/import", json={"csv": "name\nA\nB"}, headers=key())
        assert len(lines.json()["client_refs"]) == 2


async def test_a_number_changes_when_a_second_person_says_so_and_is_then_served(web: Desk):
    async with caller(web, "ruth") as ruth, caller(web, "iris") as iris:
        before = (await ruth.get("/resources?county=orange")).json()
        ways = [{"by": "call", "number": "800-555-0100", "then": ""}]
        body = {"resource": "orange_oc_links", "ways": ways, "reason": "read on the county's page"}
        made = await ruth.post("/resources/changes", json=body, headers=key())
        assert made.status_code == 201, made.text
        place = f"/resources/changes/{made.json()['change_id']}"
        assert (await ruth.post(place, json={"approve": True}, headers=key())).status_code == 409, "one's own"
        assert (await ruth.get("/resources?county=orange")).json() == before
        assert len((await iris.get("/resources/changes")).json()) == 1
        assert (await iris.post(place, json={"approve": True}, headers=key())).status_code == 200
        assert "800-555-0100" in (await ruth.get("/resources?county=orange")).text


async def test_a_facility_is_kept_and_listed(web: Desk):
    body = {"name": "Harbor House PHP", "kind": "php", "county": "alameda", "checked": "2026-11-20"}
    async with caller(web, "iris") as http:
        assert (await http.put("/facilities/harbor-house-php", json=body, headers=key())).status_code == 200
        assert (await http.get("/facilities/harbor-house-php")).json()["revision"] == 1
        assert (await http.get("/facilities/nowhere")).status_code == 404
        assert len((await http.get("/facilities?kind=php")).json()) == 1
        text = "name,kind,checked\nBay,iop,2026-11-20"
        made = await http.post("/facilities/import", json={"csv": text}, headers=key())
        assert made.json() == {"facility_ids": ["bay"]}


async def test_accounts_are_managed(web: Desk):
    async with caller(web, "abel") as http:
        body: dict[str, Any] = {"account_id": "dora", "name": "Dora", "roles": ["auditor"], "password": PASSWORD}
        assert (await http.post("/accounts", json=body, headers=key())).status_code == 201
        assert (
            await http.put("/accounts/dora/roles", json={"roles": ["supervisor"]}, headers=key())
        ).status_code == 200
        assert (
            await http.put("/accounts/dora/password", json={"password": "x" * 12}, headers=key())
        ).status_code == 200
        for act in ("sessions", "second-factor", "disable", "enable"):
            assert (await http.post(f"/accounts/dora/{act}", headers=key())).status_code == 200, act
        assert (await http.post("/accounts/abel/disable", headers=key())).status_code == 422
        assert (await http.post("/accounts/dora/explode", headers=key())).status_code == 422
    account = await web.parts.accounts.get("dora")
    assert account is not None
    assert (account.roles, account.disabled) == (("supervisor",), False)


async def test_the_board_insight_the_rota_and_the_versions_are_told(web: Desk):
    episode = await recorded(web, "led_through_all_stages")
    async with caller(web, "ruth") as http:
        for place in ("/board", "/board?late=true&level=high", "/insight", "/rota", "/versions", "/audit/episodes"):
            answer = await http.get(place)
            assert answer.status_code == 200, (place, answer.text)
        (one,) = (await http.get("/versions")).json()
        assert (await http.get(f"/versions/{one['hash']}")).json()["protocol"] == "virtual_iop_crisis"
        same = (await http.get(f"/versions/{one['hash']}/compare/{one['hash']}")).json()
        assert same["changes"] == []
        assert (await http.get(f"/versions/{'0' * 64}")).status_code == 404
        told = (await http.get(f"/audit/episodes/{episode.episode_id}")).json()
        assert told["entries"][0]["sequence"] == 1
        assert (await http.get("/audit/episodes/unheard-of")).status_code == 404


@pytest.mark.full
async def test_the_plan_its_copy_and_the_step_up_are_told(web: Desk):
    episode = await recorded(web, "led_through_all_stages")
    async with caller(web, "ruth") as http:
        place = f"/episodes/{episode.episode_id}"
        plan = (await http.get(f"{place}/plan")).json()
        assert plan["parts"]
        assert len(plan["versions"]) >= 1
        copy = await http.get(f"{place}/plan.pdf")
        assert copy.content.startswith(b"%PDF")
        step_up = (await http.get(f"{place}/step-up")).json()
        assert set(step_up) == {"title", "options", "rules", "facts", "decided"}
        fields = {"fields": {"fact.present_address": ["12 Kelp Lane"]}}
        kept = await http.put(f"{place}/drafts/complete-step/session_start", json=fields, headers=key())
        assert kept.json() == {"kept": True}
        assert "12 Kelp Lane" in (await http.get(f"{place}/drafts")).text
        empty: dict[str, Any] = {"fields": {}}
        await http.put(f"{place}/drafts/complete-step/session_start", json=empty, headers=key())
        assert (await http.get(f"{place}/drafts")).json() == {}


async def test_the_same_key_is_the_same_call(web: Desk):
    async with caller(web, "ruth") as http, caller(web, "ruth") as other:
        once = key()
        first, second = [await http.post("/clients", json=FILE, headers=once) for _ in range(2)]
        assert (second.status_code, second.json()) == (201, first.json())
        changed = await http.post("/clients", json={**FILE, "note": "x"}, headers=once)
        assert (changed.status_code, changed.json()["code"]) == (422, "key_reused")
        assert (await other.post("/clients", json={**FILE, "name": "Z"}, headers=once)).status_code == 201
        elsewhere = await http.post("/clients/import", json={"csv": "name\nA"}, headers=once)
        assert elsewhere.json()["code"] == "key_reused"
        assert (await http.post("/clients", json=FILE)).status_code == 422, "a key is needed"
        raw = (web.settings.var / "records.db").read_bytes()
        assert b"Dana Rourke" not in raw, "answers are sealed"


async def test_a_call_that_is_under_way_is_not_begun_twice(web: Desk):
    async with caller(web, "ruth") as http:
        once = key()
        token = http.headers["authorization"].partition(" ")[2]
        call = digest(f"{digest(token)}\n{once['Idempotency-Key']}")
        answer = await http.post("/clients", json=FILE, headers=once)
        asked = (await web.parts.calls.begin(call, "", web.clock())) or None
        assert asked is not None
        await web.parts.calls.drop(call)
        assert await web.parts.calls.begin(call, asked.asked, web.clock()) is None
        busy = await http.post("/clients", json=FILE, headers=once)
        assert (busy.status_code, busy.json()["code"]) == (409, "in_flight")
        web.clock.goes_on(ABANDONED_AFTER + timedelta(seconds=1))
        again = await http.post("/clients", json=FILE, headers=once)
        assert again.json() == answer.json(), "its process was gone; the client is the same one"


async def test_a_refusal_is_not_kept_and_a_key_is_forgotten_after_a_day(web: Desk):
    async with caller(web, "ruth") as http:
        once = key()
        assert (await http.post("/clients", json={"name": ""}, headers=once)).status_code == 422
        assert (await http.post("/clients", json=FILE, headers=once)).status_code == 201
        web.clock.goes_on(KEPT_FOR - timedelta(hours=1))
        await tidy(web.parts)
        assert (await http.post("/clients", json={**FILE, "note": "x"}, headers=once)).status_code == 422
        web.clock.goes_on(timedelta(minutes=59))


async def test_whoever_may_not_any_more_gets_no_former_answer(web: Desk):
    async with caller(web, "ruth") as http:
        once = key()
        assert (await http.post("/clients", json=FILE, headers=once)).status_code == 201
        await web.parts.accounts.set_roles("ruth", ("auditor",), web.clock())
        assert (await http.post("/clients", json=FILE, headers=once)).status_code == 403
