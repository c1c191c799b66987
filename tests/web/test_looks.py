"""Whoever looks at a client leaves a row: every route that shows one, lists too; and nothing is shown without."""

import re
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from sqlalchemy import text, update

from audit.access import Access, Sought, as_row, looked
from audit.tables import episodes, obligations
from practice.clients import read_file
from protocol.episode import Episode
from tests.web.desk import Browser, Desk
from tests.web.recorded import recorded
from web.access import ABOUT_CLIENTS, ACTIONS, Action, Target, authorize
from web.api_guard import MayCall
from web.app import ROUTERS
from web.guard import May, Visit, guard_of, routes_of
from web.looks import NOTHING
from web.openings import SHORTEST_REASON

pytestmark = pytest.mark.full

SHOWING = [
    route
    for route in routes_of(ROUTERS)
    if (guard := guard_of(route)) is not None and guard.reads not in (None, NOTHING) and "GET" in (route.methods or ())
]
"""Every route that shows clients when it is looked at."""
OF_A_DRAFT = {"/studio/{draft_id}/whatif", "/protocols/{content_hash}/moving"}
"""They show nobody before a draft or a newer version is there; `test_studio_moving.py` goes through them."""
OF_AN_ERRAND = ("/conformance/{errand_id}", "/exports/{errand_id}/{name}")
"""They show nobody before something was begun; `test_exports.py` goes through them."""
SHOWING = [route for route in SHOWING if route.path not in OF_A_DRAFT and not route.path.endswith(OF_AN_ERRAND)]
ASKED_FOR: dict[str, dict[str, str]] = {"/reassign": {"owner": "ruth"}, "/audit/retention": {"show": "all"}}
"""What an address needs behind it before it shows anybody."""


STOPS_AFTER = {"/signatures": 7}
"""Steps of the scenario after which its episode has what the route shows; all of them for the others."""


async def one_client(web: Desk, scenario: str = "php_has_no_place", steps: int | None = None) -> Episode:
    """An episode of Ruth's with a client's file, opened by Maya in an emergency."""
    episode = await recorded(web, scenario, steps=steps)
    hers = [update(episodes).values(owner="ruth"), update(obligations).values(owner="ruth")]
    await web.parts.database.write(lambda connection: [connection.execute(one) for one in hers])
    await web.parts.clients.add(read_file({"name": "Dana Rourke"}), web.clock(), episode.client_ref)
    await web.parts.reach.break_glass("maya", episode.client_ref, "x" * SHORTEST_REASON, web.clock())
    return episode


def scenario_for(route: APIRoute) -> str:
    """One whose episode has what the route shows."""
    return "led_through_all_stages" if "/plan" in route.path else "php_has_no_place"


def who_may(action: Action) -> str:
    """Ruth, or whoever else may."""
    return next(
        person
        for person, roles in (("ruth", "supervisor"), ("finn", "auditor"))
        if authorize(actor_of(roles), action, Target("own"))
    )


def actor_of(role: Any) -> Any:
    from web.access import Actor

    return Actor("x", "X", (role,))


async def ask(web: Desk, browser: Browser, route: APIRoute, episode: Episode, person: str) -> Any:
    ids = {"episode_id": episode.episode_id, "client_ref": episode.client_ref}
    address = re.sub(r"{(\w+)(:\w+)?}", lambda found: ids.get(found[1], "x"), route.path)
    headers: dict[str, str] = {}
    if isinstance(guard_of(route), MayCall):
        scopes = tuple(one for one in ACTIONS if one != "public")
        token = await web.parts.tokens.add(person, "all", scopes, 1, web.clock())
        browser.http.cookies.clear()
        headers = {"authorization": f"Bearer {token}"}
    return await browser.http.get(address, headers=headers, params=ASKED_FOR.get(route.path, {}))


@pytest.mark.parametrize("route", SHOWING, ids=lambda route: route.path)
async def test_every_route_that_shows_a_client_leaves_a_row(web: Desk, route: APIRoute):
    episode = await one_client(web, scenario_for(route), STOPS_AFTER.get(route.path))
    guard = guard_of(route)
    assert guard is not None
    assert guard.reads is not None
    person = who_may(guard.action)
    async with web.signed_in(person) as browser:
        answer = await ask(web, browser, route, episode, person)
    assert answer.status_code == 200, answer.text[:300]
    looks = [one for one in await looked(web.parts.database, Sought(who=person)) if one.what == guard.reads.what]
    assert looks, "nobody can tell that somebody looked"
    assert looks[0].detail["view"] == route.path
    if guard.reads.what != "searched" and (episode.client_ref in answer.text or "Dana" in answer.text):
        assert episode.client_ref in {one.client_ref for one in looks}, "who looked at this client is not told"


@pytest.mark.parametrize("route", SHOWING, ids=lambda route: route.path)
async def test_without_the_row_nothing_is_shown_but_what_a_crisis_needs(web: Desk, route: APIRoute):
    episode = await one_client(web, scenario_for(route), STOPS_AFTER.get(route.path))
    guard = guard_of(route)
    assert guard is not None
    assert guard.reads is not None
    person = who_may(guard.action)
    await takes_nothing(web)
    async with web.signed_in(person) as browser:
        answer = await ask(web, browser, route, episode, person)
        if not guard.reads.urgent:
            assert answer.status_code == 503
            assert "written down that you look" in answer.text
            assert episode.client_ref not in answer.text
            assert "Dana" not in answer.text
            return
    assert answer.status_code == 200
    (kept,) = web.parts.spool.waiting()
    assert episode.client_ref.encode() not in kept.read_bytes()
    await takes_again(web)
    assert await web.parts.spool.write_into(web.parts.database) >= 1
    assert web.parts.spool.waiting() == []
    assert episode.client_ref in {one.client_ref for one in await looked(web.parts.database, Sought(who=person))}


async def takes_nothing(web: Desk) -> None:
    """The access trail as it is on a full disk."""
    no = "CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END"
    await web.parts.database.write(lambda connection: connection.execute(text(no)))


async def takes_again(web: Desk) -> None:
    await web.parts.database.write(lambda connection: connection.execute(text("DROP TRIGGER full")))


async def board_looks(web: Desk) -> list[Access]:
    found = await looked(web.parts.database, Sought(who="ruth"))
    return [one for one in found if one.detail["view"] == "/board"]


async def test_a_page_that_is_opened_again_soon_is_the_same_look(web: Desk):
    await one_client(web)
    async with web.signed_in("ruth") as browser:
        for _ in range(3):
            await browser.get("/board")
        assert len(await board_looks(web)) == 1
        web.clock.goes_on(timedelta(minutes=9))
        await browser.get("/board")
        assert len(await board_looks(web)) == 1
        web.clock.goes_on(timedelta(minutes=2))
        await browser.get("/board")
        assert len(await board_looks(web)) == 2


async def test_a_page_that_follows_changes_by_itself_is_one_look_while_it_is_open(web: Desk):
    await one_client(web)
    async with web.signed_in("ruth") as browser:
        await browser.get("/board")
        for _ in range(3):
            web.clock.goes_on(timedelta(minutes=9))
            await browser.get("/board", **{"x-live": "1"})
        assert len(await board_looks(web)) == 1


async def test_a_look_that_could_not_be_written_is_none_to_rely_on(web: Desk):
    episode = await one_client(web)
    await takes_nothing(web)
    async with web.signed_in("ruth") as browser:
        assert (await browser.get("/board")).status_code == 503
        await takes_again(web)
        assert (await browser.get("/board")).status_code == 200
    assert [one.episode_id for one in await board_looks(web)] == [episode.episode_id]


async def test_a_kept_look_is_written_once_however_often_that_is_tried(web: Desk):
    episode = await one_client(web)
    spool = web.parts.spool
    spool.keep([as_row(Access(web.clock(), "ruth", "supervisor", "read", "care", episode.episode_id))])
    (path,) = spool.waiting()
    content = path.read_bytes()
    assert await spool.write_into(web.parts.database) == 1
    path.write_bytes(content)  # the process died before it could take the file away
    assert await spool.write_into(web.parts.database) == 1
    (look,) = await looked(web.parts.database, Sought(episode_id=episode.episode_id))
    assert (look.who, look.client_ref) == ("ruth", episode.client_ref)


@pytest.mark.parametrize("action", sorted(ABOUT_CLIENTS))
def test_a_route_about_clients_that_does_not_say_what_it_shows_stops_the_start(action: Action):
    with pytest.raises(RuntimeError, match="what it shows of clients"):
        routes_of([router_with(May(action), "/somewhere")])
    routes_of([router_with(May(action, NOTHING), "/somewhere")])


def test_nor_may_an_address_name_an_episode_and_say_nothing():
    with pytest.raises(RuntimeError, match="what it shows of clients"):
        routes_of([router_with(May("protocol.read"), "/episodes/{episode_id}/elsewhere")])


def router_with(guard: May, path: str) -> APIRouter:
    router = APIRouter()

    async def route(visit: Annotated[Visit, Depends(guard)]) -> None:
        assert visit.view == path

    router.get(path)(route)
    return router
