"""Who may do what: the table itself, and every route of the application for every role and relation."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import insert

from audit.tables import episodes
from practice.accounts import ROLES, Role
from practice.clients import read_file
from tests.web.desk import PASSWORD, START, Desk, form_of
from tests.web.recorded import recorded
from web.access import ACTIONS, RELATIONS, Action, Actor, Relation, Target, authorize
from web.api_guard import MayCall
from web.app import ROUTERS
from web.guard import needs, routes_of

SEES_NO_CLIENT: tuple[Role, ...] = ("clinical_operations", "administrator")
ABOUT_CLIENTS: tuple[Action, ...] = (
    *("episode.open", "episode.read", "episode.act", "episode.emergency", "board.read"),
    *(
        "client.read",
        "client.write",
        "queue.read",
        "audit.read",
        "audit.export",
        "audit.hold",
        "access.break_glass",
        "access.review",
    ),
)
NEAR: tuple[Action, ...] = (
    *("episode.read", "episode.contact", "client.read", "episode.act", "episode.export", "client.write"),
)
CHANGES: tuple[Action, ...] = (
    *("episode.contact", "episode.export", "caseload.write"),
    *("episode.open", "episode.act", "episode.emergency", "client.write", "directory.write", "protocol.write"),
    *("protocol.study", "protocol.approve"),
    *("account.manage", "webhook.manage", "access.break_glass"),
)


def actor(*roles: Role) -> Actor:
    return Actor("somebody", "Somebody", roles)


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_may_do_anything_but_what_is_public(action: Action):
    assert authorize(None, action) == (action == "public")
    assert authorize(actor(), action) == (action in ("public", "self"))


@pytest.mark.parametrize(("role", "action", "relation"), list(product(SEES_NO_CLIENT, ABOUT_CLIENTS, RELATIONS)))
def test_who_has_no_client_sees_none(role: Role, action: Action, relation: Relation):
    assert not authorize(actor(role), action, Target(relation))


@pytest.mark.parametrize(("action", "relation"), list(product(CHANGES, RELATIONS)))
def test_an_auditor_changes_nothing(action: Action, relation: Relation):
    assert not authorize(actor("auditor"), action, Target(relation))


@pytest.mark.parametrize("role", ["therapist", "on_call"])
@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("action", NEAR)
def test_a_clinician_needs_a_relation(role: Role, relation: Relation, action: Action):
    through_glass = action in ("episode.read", "episode.contact", "client.read")
    allowed = {"none": False, "broke_glass": through_glass}.get(relation, True)
    assert authorize(actor(role), action, Target(relation)) == allowed


@pytest.mark.parametrize(("role", "relation"), list(product(("therapist", "on_call", "supervisor"), RELATIONS)))
def test_a_life_saving_act_asks_for_no_relation(role: Role, relation: Relation):
    assert authorize(actor(role), "episode.emergency", Target(relation))


@pytest.mark.parametrize(("first", "second"), list(product(ROLES, ROLES)))
def test_two_roles_may_what_either_may_and_a_token_only_what_it_was_made_for(first: Role, second: Role):
    for action, relation in product(ACTIONS, RELATIONS):
        target = Target(relation)
        either = authorize(actor(first), action, target) or authorize(actor(second), action, target)
        both = actor(first, second)
        assert authorize(both, action, target) == either
        narrow = replace(both, scopes=frozenset[Action]({"queue.read"}))
        assert authorize(narrow, action, target) == (either and action in ("queue.read", "public", "self"))


RELATED: dict[str, Relation] = {"mine": "own", "of-another": "none", "unheard-of": "none"}
FILLED: dict[str, str] = {
    "obligation_id": "x-1",
    "access_id": "a",
    "account_id": "nobody",
    "token_id": "t",
    "act": "advance",
    "name": "virtual_iop_crisis",
    "client_ref": "client-1",
    "protocol": "virtual_iop_crisis",
}
ASKED = [
    (method, route, episode_id)
    for route in routes_of(ROUTERS)
    for method in sorted(set(route.methods or ()) - {"HEAD"})
    for episode_id in (RELATED if "{episode_id}" in route.path else [""])
    if route.path != "/live"
]


async def put_episode(web: Desk, episode_id: str, owner: str) -> None:
    """An episode as the lists know it; the engine is away and not waited for."""
    row = {
        "episode_id": episode_id,
        "client_ref": f"client-of-{owner}",
        "protocol": "p",
        "protocol_version": "1.0.0",
        "protocol_hash": "0" * 64,
        "revision": 1,
        "stage": "assessment",
        "risk": "low",
        "peak_risk": "low",
        "owner": owner,
        "opened_at": START,
        "drill": False,
    }
    await web.parts.database.write(lambda connection: connection.execute(insert(episodes), row))


def address_of(route: APIRoute, episode_id: str) -> str:
    filled = {**FILLED, "episode_id": episode_id}
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: filled.get(found[1], "x"), route.path)


@pytest.mark.full
@pytest.mark.parametrize("person", ["maya", "noor", "ruth", "iris", "finn", "abel"])
async def test_every_route_lets_in_whom_the_table_lets_in_and_nobody_else(web: Desk, person: str):
    account = await web.parts.accounts.get(person)
    assert account is not None
    await put_episode(web, "mine", person)
    await put_episode(web, "of-another", "somebody-else")
    scopes = tuple(one for one in ACTIONS if one != "public")
    token = await web.parts.tokens.add(person, "all", scopes, 1, web.clock())
    who = Actor(person, account.name, account.roles)
    for method, route, episode_id in ASKED:
        action = needs(route)
        assert action is not None
        address = address_of(route, episode_id)
        api = any(isinstance(one.call, MayCall) for one in route.dependant.dependencies)
        async with web.signed_in(person) as browser:  # a fresh one: some routes end the session
            headers = {"x-form-token": browser.form_token}
            if api:
                browser.http.cookies.clear()
                headers = {"authorization": f"Bearer {token}"}
            answer = await browser.http.request(method, address, headers=headers)
        allowed = authorize(who, action, Target(RELATED.get(episode_id, "none")))
        refused = answer.status_code == 403 or (address == "/" and answer.status_code == 303)
        assert refused != allowed, f"{person} {method} {address}: {answer.status_code}, needs {action}"


@pytest.mark.parametrize(("method", "route"), sorted({(method, route.path) for method, route, _ in ASKED}))
async def test_without_a_session_no_route_says_anything(web: Desk, method: str, route: str):
    address = re.sub(r"{(\w+)(:\w+)?}", "x", route)
    found: Any = next(one for one in routes_of(ROUTERS) if one.path == route and method in (one.methods or ()))
    if needs(found) == "public":
        return
    async with web.browser() as browser:
        answer = await browser.http.request(method, address)
        asked = answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in")
        assert asked, f"{method} {address}: {answer.status_code}"


async def test_an_emergency_opening_needs_a_reason_and_a_second_person_to_review_it(web: Desk):
    await put_episode(web, "of-another", "somebody-else")
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/episodes/of-another")).status_code == 403
        assert (await browser.post("/openings/new/of-another", reason="because")).status_code == 422
        opened = await browser.post("/openings/new/of-another", reason="the client calls me and is in danger")
        assert opened.status_code == 303
        assert (await browser.get("/episodes/of-another")).status_code != 403
        web.clock.goes_on(timedelta(hours=9))
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/episodes/of-another")).status_code == 403, "it ends by itself"
    (opening,) = await web.parts.reach.openings()
    assert (opening.account_id, opening.reason) == ("maya", "the client calls me and is in danger")
    assert not await web.parts.reach.review(opening.access_id, "maya", web.clock())
    async with web.signed_in("ruth") as browser:
        assert "the client calls me" in (await browser.get("/openings")).text
        assert (await browser.post(f"/openings/{opening.access_id}/review")).status_code == 303
    assert await web.parts.reach.openings() == ()


@pytest.mark.full
async def test_an_emergency_that_is_not_taken_shows_nothing_of_an_episode_of_another(web: Desk):
    episode = await recorded(web, "led_through_all_stages")
    await web.parts.clients.add(read_file({"name": "Dana Rourke"}), web.clock(), episode.client_ref)
    await web.parts.accounts.add("zoe", "Zoe", ("therapist",), PASSWORD, web.clock())
    async with web.signed_in("zoe") as browser:
        assert (await browser.get(f"/episodes/{episode.episode_id}")).status_code == 403
        answer = await browser.post(f"/episodes/{episode.episode_id}/emergency")
    assert answer.status_code == 503
    assert "Call the local emergency number now" in answer.text
    assert "Dana" not in answer.text
    assert episode.client_ref not in answer.text


@pytest.mark.full
async def test_who_declares_an_emergency_of_another_is_told_that_it_was_taken(live: Desk):
    async with live.signed_in("maya") as owner:
        sent = form_of((await owner.get("/report")).text, "/report")
        opened = await owner.post("/report", **sent, client="client-9", crisis="craving")
        place = opened.headers["location"]
    await live.parts.accounts.add("zoe", "Zoe", ("therapist",), PASSWORD, live.clock())
    async with live.signed_in("zoe") as browser:
        answer = await browser.post(f"{place}/emergency")
        assert answer.headers["location"] == f"/openings/new/{place.rpartition('/')[2]}"
        page = (await browser.get(answer.headers["location"])).text
    assert "The emergency is declared" in page
