"""Whose clients are whose, what an emergency opening allows, and lists that stay right with many clients."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from activities.notices import Notice
from audit.access import Sought, looked
from audit.tables import episodes
from practice.clients import read_file
from tests.web.desk import START, Browser, Desk, hidden
from tests.web.recorded import recorded
from tests.web.test_access import put_episode


def once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def put_client(web: Desk, client_ref: str, name: str, **more: Any) -> None:
    await web.parts.clients.add(read_file({"name": name, **more}), web.clock(), client_ref)


async def put_open(web: Desk, episode_id: str, client_ref: str, risk: str, *, drill: bool = False) -> None:
    row = {"episode_id": episode_id, "client_ref": client_ref, "protocol": "p", "protocol_version": "1.0.0",
           "protocol_hash": "0" * 64, "revision": 1, "stage": "assessment", "risk": risk, "peak_risk": risk,
           "owner": "maya", "opened_at": START, "drill": drill}  # fmt: skip
    await web.parts.database.write(lambda connection: connection.execute(insert(episodes), row))


async def changes(browser: Browser, client_ref: str, **who: str) -> int:
    return (await browser.post(f"/clients/{client_ref}/caseload", **who)).status_code


async def test_a_supervisor_assigns_hands_over_and_takes_off_and_it_counts_at_once(web: Desk):
    await put_client(web, "client-1", "Dana R.")
    async with web.signed_in("ruth") as ruth, web.signed_in("maya") as maya, web.signed_in("sam") as sam:
        assert (await maya.get("/clients/client-1")).status_code == 403
        assert "On nobody" in (await ruth.get("/clients/client-1")).text
        assert await changes(ruth, "client-1", to="maya") == 303
        assert (await maya.get("/clients/client-1")).status_code == 200
        assert "Dana R." in (await maya.get("/clients")).text
        web.clock.goes_on(timedelta(minutes=1))
        assert await changes(ruth, "client-1", **{"from": "maya", "to": "sam"}) == 303
        web.clock.goes_on(timedelta(minutes=1))
        assert (await maya.get("/clients/client-1")).status_code == 403
        assert (await sam.get("/clients/client-1")).status_code == 200
        assert await changes(ruth, "client-1", **{"from": "sam"}) == 303
        assert (await sam.get("/clients/client-1")).status_code == 403
        assert "Dana R." not in (await sam.get("/clients")).text
        told = (await ruth.get("/audit/access?what=administered")).text
        assert told.index("off sam") < told.index("off maya, on sam") < told.rindex("on maya")
    rows = await looked(web.parts.database, Sought(client_ref="client-1", what="administered"))
    assert {(one.who, one.purpose, one.detail["view"]) for one in rows} == {
        ("ruth", "caseload", "/clients/{client_ref}/caseload")
    }
    changed = [{name: who for name, who in one.detail.items() if name in ("off", "on")} for one in rows]
    assert changed == [{"off": "sam"}, {"off": "maya", "on": "sam"}, {"on": "maya"}]


async def test_only_supervisors_and_only_to_who_may_carry_clients(web: Desk):
    await put_client(web, "client-1", "Dana R.")
    async with web.signed_in("maya") as maya, web.signed_in("ruth") as ruth:
        await web.parts.reach.assign("client-1", "maya", web.clock())
        assert await changes(maya, "client-1", to="sam") == 403
        for nobody in ("abel", "finn", "unheard-of", ""):
            assert await changes(ruth, "client-1", to=nobody) == 422, nobody
        assert await changes(ruth, "client-1", **{"from": "sam", "to": "noor"}) == 422, "sam does not have the client"
        keepers, _ = await web.parts.reach.keepers("client-1", web.clock())
        assert keepers == {"maya"}, "a hand-over is both or neither"


async def test_a_new_client_is_put_on_a_caseload(web: Desk):
    async with web.signed_in("ruth") as ruth, web.signed_in("maya") as maya:
        form = (await ruth.get("/clients/new")).text
        wrong = await ruth.post("/clients/new", name="Dana", therapist="abel", key=hidden(form, "key"))
        assert wrong.status_code == 422
        assert await web.parts.clients.named() == ()
        answer = await ruth.post("/clients/new", name="Dana", therapist="maya", key=hidden(form, "key"))
        assert (await maya.get(answer.headers["location"])).status_code == 200


async def test_the_api_assigns_and_releases(web: Desk):
    await put_client(web, "client-1", "Dana R.")
    token = await web.parts.tokens.add("ruth", "t", ("caseload.write", "client.read"), 1, web.clock())
    weak = await web.parts.tokens.add("ruth", "t", ("client.read",), 1, web.clock())
    address = "/api/v1/clients/client-1/caseload"
    async with web.browser() as browser:
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await browser.http.put(f"{address}/maya", headers=bearer | once())).status_code == 200
        assert (await browser.http.get(address, headers=bearer)).json() == {"accounts": ["maya"]}
        assert (await browser.http.put(f"{address}/abel", headers=bearer | once())).status_code == 422
        assert (await browser.http.delete(f"{address}/maya", headers=bearer | once())).status_code == 200
        assert (await browser.http.get(address, headers=bearer)).json() == {"accounts": []}
        refused = await browser.http.put(f"{address}/maya", headers={"Authorization": f"Bearer {weak}"} | once())
        assert refused.status_code == 403


async def test_the_highest_risk_of_several_open_episodes_is_shown_however_many_there_are(web: Desk):
    await put_client(web, "client-1", "Dana R.")
    await put_client(web, "client-2", "Luis A.")
    for number in range(1_050):
        await put_episode(web, f"other-{number}", "nobody")
    await put_open(web, "first", "client-1", "low")
    await put_open(web, "second", "client-1", "imminent")
    await put_open(web, "drill", "client-2", "high", drill=True)
    async with web.signed_in("ruth") as ruth:
        page = (await ruth.get("/clients")).text
        dana = page[page.index("Dana R.") :]
        assert "imminent" in dana[: dana.index("Luis A.")]
        assert "2 open" in dana
        assert "none" in dana[dana.index("Luis A.") :][:300], "an exercise is nobody's crisis"
        first = (await ruth.get("/clients?order=risk")).text
        assert first.index("Dana R.") < first.index("Luis A.")


async def test_clients_are_paged_in_order_and_found_by_name_or_reference(web: Desk, monkeypatch: pytest.MonkeyPatch):
    for number in range(120):
        await put_client(web, f"client-{number:03}", f"Person {119 - number:03}")
    async with web.signed_in("ruth") as ruth, web.signed_in("maya") as maya:
        names: list[str] = []
        for page in (1, 2, 3):
            names += re.findall(r"data-row>(Person \d+)<", (await ruth.get(f"/clients?page={page}")).text)
        assert names == [f"Person {number:03}" for number in range(120)]
        opened: list[str] = []
        seal = web.parts.reach._seal  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(seal, "open", lambda sealed, what, place: opened.append(place) or {"name": "x"})
        assert (await ruth.get("/report")).status_code == 200
        assert opened == [], "a list of names unseals nothing that was not changed"
        monkeypatch.undo()
        assert "Person 117" in (await ruth.get("/clients?find=117+person")).text
        assert "Person 111" in (await ruth.get("/clients?find=client-008")).text
        assert "Person" not in (await maya.get("/clients")).text


async def test_an_emergency_opening_reads_and_saves_a_life_and_no_more(web: Desk, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[Notice, list[str]]] = []

    async def deliver(_self: object, notice: Notice, people: Any) -> None:
        told.append((notice, [one.id for one in people]))

    monkeypatch.setattr("activities.mail.Mailer.deliver", deliver)
    episode = await recorded(web, "php_has_no_place")
    place = f"/episodes/{episode.episode_id}"
    await put_client(web, episode.client_ref, "Dana R.")
    async with web.signed_in("maya") as maya:
        assert (await maya.get(place)).status_code == 403
        reason = "The client calls and nobody else is there"
        assert (await maya.post(f"/openings/new/{episode.episode_id}", reason=reason)).status_code == 303
        page = (await maya.get(place)).text
        assert f'action="{place}/acts/record-contact"' in page
        assert f'action="{place}/acts/complete-step"' not in page
        assert (await maya.get(f"/clients/{episode.client_ref}")).status_code == 200
        assert (await maya.post(f"{place}/acts/complete-step", step="session_start")).status_code == 403
        assert (await maya.post(f"{place}/acts/record-contact", party="client")).status_code == 422
        assert (await maya.get(f"{place}/plan.pdf")).status_code == 403
        assert (await maya.get(f"/clients/{episode.client_ref}/change")).status_code == 403
    ((notice, people),) = told
    assert people
    assert "maya" not in people
    for secret in ("Dana", episode.client_ref, episode.episode_id, reason):
        assert secret not in f"{notice.subject} {notice.text} {notice.data}"


async def test_the_board_names_a_client_only_to_who_stands_near(web: Desk):
    await put_client(web, "client-of-maya", "Dana R.")
    await put_client(web, "client-of-sam", "Luis A.")
    await put_episode(web, "one", "maya")
    await put_episode(web, "two", "sam")
    async with web.signed_in("sam") as sam, web.signed_in("ruth") as ruth:
        page = (await sam.get("/board")).text
        assert "Luis A." in page
        assert "Dana R." not in page
        assert "client-of-maya" in page
        assert "Dana R." in (await ruth.get("/board")).text


@pytest.mark.full
async def test_what_one_web_process_opened_is_there_on_another_before_the_records_know(
    live: Desk, monkeypatch: pytest.MonkeyPatch
):
    from tests.web.test_episodes import reported

    async def not_yet(_episode_id: str) -> None:
        return None

    async with live.signed_in("maya") as maya, live.signed_in("sam") as sam:
        place = await reported(maya)
        live.parts.fresh.__init__()  # another process has a memory of its own
        monkeypatch.setattr(live.parts.queries, "get_episode", not_yet)
        assert (await maya.get(place)).status_code == 200
        assert (await sam.get(place)).status_code == 403
