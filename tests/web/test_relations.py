"""Every route about an episode or a client, for every role and every relation; and what others' things look like."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import insert

from audit.tables import episodes, obligations, pages
from practice.accounts import Role
from practice.clients import read_file
from tests.web.desk import PASSWORD, START, Clock, Desk, desk
from tests.workflows.stack import free_port, settings_for
from web import live
from web.access import ACTIONS, RELATIONS, Actor, Relation, Target, authorize
from web.api_guard import MayCall
from web.app import ROUTERS
from web.guard import needs, routes_of
from web.looks import Visit

pytestmark = pytest.mark.full

ROTA = """
time_zone: America/Los_Angeles
people:
  - {id: zoe, name: Zoe Adler, roles: [therapist], email: zoe@staff.example, licensed: true, licensed_in: [CA]}
  - {id: away, name: Ari Wolf, roles: [therapist], email: ari@staff.example, licensed: true, licensed_in: [CA]}
shifts: []
leave:
  - {person: away, first: "2026-11-20", last: "2026-11-30", cover: zoe}
"""
ROLES: tuple[Role, ...] = ("therapist", "on_call", "supervisor", "clinical_operations", "auditor", "administrator")
NEAR = {"own": "zoe", "covered": "away", "asked": "other", "broke_glass": "other", "none": "other"}
"""Whose episode it is that zoe stands to like this."""
FILLED = {"act": "advance", "obligation_id": "x-1", "place": "complete-step/session_start"}
ABOUT_ONE = [
    (method, route)
    for route in routes_of(ROUTERS)
    for method in sorted(set(route.methods or ()) - {"HEAD"})
    if "{episode_id}" in route.path or "{client_ref}" in route.path
]
SAYS_WHETHER_THERE_IS_ONE = ("/openings/new/", "/emergency")
"""Whoever helps in an emergency is told whether it was taken, so whether there is one. Ids can't be guessed."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "rota.yaml").write_text(ROTA, encoding="utf-8")
    told = settings_for(tmp_path, free_port(), rota=tmp_path / "rota.yaml")
    async with desk(tmp_path, told, Clock(START)) as made:
        for relation, owner in NEAR.items():
            await put(made, relation, owner)
        yield made


async def put(web: Desk, relation: str, owner: str) -> None:
    """An episode and its client, to which zoe stands like this."""
    episode_id, client_ref = f"e-{relation}", f"c-{relation}"
    row = {
        "episode_id": episode_id,
        "client_ref": client_ref,
        "owner": owner,
        "opened_at": START,
        "drill": False,
        "protocol": "p",
        "protocol_version": "1.0.0",
        "protocol_hash": "0" * 64,
        "revision": 1,
        "stage": "assessment",
        "risk": "low",
        "peak_risk": "low",
    }
    owed = {
        "episode_id": episode_id,
        "obligation_id": "x-1",
        "kind": "x",
        "title": "X",
        "status": "open",
        "rung": 1,
        "owner_role": "owner",
        "owner": owner,
        "opened_at": START,
        "due_at": START,
        "missed": False,
    }
    asked = {
        "episode_id": episode_id,
        "page_id": "p-1",
        "obligation_id": "x-1",
        "rung": 1,
        "role": "therapist",
        "channels": ["email"],
        "requested_at": START,
        "recipients": ["zoe"],
        "detail": "",
        "delivered": True,
    }
    await web.parts.database.write(
        lambda connection: (
            connection.execute(insert(episodes), row),
            connection.execute(insert(obligations), owed),
            connection.execute(insert(pages), asked) if relation == "asked" else None,
        )
    )
    await web.parts.clients.add(read_file({"name": f"Client {relation}"}), START, client_ref)
    for keeper in {"own": ["zoe"], "covered": ["away"]}.get(relation, []):
        if await web.parts.accounts.get(keeper) is None:
            await web.parts.accounts.add(keeper, keeper, ("therapist",), PASSWORD, START)
        await web.parts.reach.assign(client_ref, keeper, START)
    if relation == "broke_glass":
        await web.parts.reach.break_glass("zoe", client_ref, "in danger", START)


def address_of(route: APIRoute, episode_id: str, client_ref: str) -> str:
    filled = {**FILLED, "episode_id": episode_id, "client_ref": client_ref}
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: filled.get(found[1], "x"), route.path)


async def asked(web: Desk, method: str, route: APIRoute, address: str, token: str) -> Any:
    async with web.signed_in("zoe") as browser:
        headers = {"x-form-token": browser.form_token}
        if any(isinstance(one.call, MayCall) for one in route.dependant.dependencies):
            browser.http.cookies.clear()
            headers = {"authorization": f"Bearer {token}"}
        return await browser.http.request(method, address, headers=headers)


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_about_one_thing_for_every_relation(house: Desk, role: Role):
    await house.parts.accounts.set_roles("zoe", (role,), START)
    token = await house.parts.tokens.add("zoe", "all", tuple(ACTIONS[1:]), 1, START)
    wrong: list[str] = []
    for (method, route), relation in product(ABOUT_ONE, RELATIONS):
        action = needs(route)
        assert action is not None
        # `asked` is about an episode; its client is read through it
        near: Relation = "none" if relation == "asked" and "{episode_id}" not in route.path else relation
        allowed = authorize(Actor("zoe", "Zoe", (role,)), action, Target(near))
        answer = await asked(house, method, route, address_of(route, f"e-{relation}", f"c-{relation}"), token)
        if (answer.status_code == 403) == allowed:
            wrong.append(f"{role} {method} {route.path} {relation}: {answer.status_code}, needs {action}")
    assert wrong == []


async def test_what_is_somebody_elses_looks_like_what_nobody_ever_heard_of(house: Desk):
    token = await house.parts.tokens.add("zoe", "all", tuple(ACTIONS[1:]), 1, START)
    for method, route in ABOUT_ONE:
        if any(part in route.path for part in SAYS_WHETHER_THERE_IS_ONE):
            continue
        answers = [
            await asked(house, method, route, address_of(route, episode_id, client_ref), token)
            for episode_id, client_ref in (("e-none", "c-none"), ("e-nope", "c-nope"))
        ]
        told = [_bare(one.text) for one in answers]
        assert answers[0].status_code == answers[1].status_code, f"{method} {route.path}"
        assert told[0] == told[1], f"{method} {route.path}"
        assert "Client none" not in answers[0].text


def _bare(page: str) -> str:
    """A page without what is new each time, and without the id that was asked for."""
    page = re.sub(r'(nonce|value|data-now)="[^"]*"', "", page)
    return page.replace("e-none", "e-nope").replace("c-none", "c-nope")


@pytest.mark.parametrize("episode", ["e-none", "e-nope", "e-own"])
async def test_a_tab_is_told_of_an_episode_that_its_person_may_see_and_of_no_other(
    house: Desk, episode: str, monkeypatch: pytest.MonkeyPatch
):
    followed: list[str] = []

    async def noted(visit: Visit, episode: str, *, whole: bool, seen: int | None) -> AsyncIterator[str]:
        followed.append(episode)
        assert not whole, "the board is not a therapist's"
        assert seen == 7
        yield "retry: 1\n\n"

    monkeypatch.setattr(live, "lines", noted)
    async with house.signed_in("zoe") as browser:
        assert (await browser.get(f"/live?episode={episode}&board=true&seen=7")).status_code == 200
    assert followed == ["e-own" if episode == "e-own" else ""]


async def test_tokens_sessions_drafts_and_openings_of_others_stay_as_they_are(house: Desk):
    parts = house.parts
    theirs = await parts.tokens.add("maya", "hers", ("queue.read",), 1, START)
    (kept,) = await parts.tokens.of("maya", START)
    await parts.drafts.save("maya", "e-own/complete-step/x", {"fact.a": ["typed by maya"]}, START)
    mine = await parts.reach.break_glass("zoe", "c-none", "in danger now", START)
    token = await parts.tokens.add("zoe", "all", tuple(ACTIONS[1:]), 1, START)
    async with house.signed_in("maya") as maya, house.signed_in("zoe") as zoe:
        answers = [await zoe.post(f"/account/tokens/{one}/revoke") for one in (kept.token_id, "unheard-of")]
        assert [one.status_code for one in answers] == [303, 303]
        assert await parts.tokens.holder(theirs, START) is not None
        await zoe.post("/account/sessions/end-others")
        assert (await maya.get("/account")).status_code == 200
        drafts = await zoe.get("/api/v1/episodes/e-own/drafts", authorization=f"Bearer {token}")
        assert drafts.json() == {}
        assert (await zoe.post(f"/openings/{mine}/review")).status_code == 403
    async with house.signed_in("ruth") as ruth:
        assert (await ruth.post(f"/openings/{mine}/review")).status_code == 303
        house.clock.goes_on(timedelta(minutes=1))
    assert await parts.reach.openings() == tuple(one for one in await parts.reach.openings() if one.access_id != mine)
