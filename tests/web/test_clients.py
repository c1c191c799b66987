from __future__ import annotations

from audit.access import Sought, looked
from practice.clients import read_file
from tests.web.desk import Desk, hidden


async def known(web: Desk) -> str:
    return await web.parts.clients.add(read_file({"name": "Dana R.", "phone": "510-555-0137"}), web.clock(), "client-1")


async def test_a_client_is_added_looked_at_and_changed(web: Desk):
    async with web.signed_in("ruth") as browser:
        answer = await browser.post(
            "/clients/new", name="Dana R.", **{"contacts-0-name": "Ines", "contacts-0-consent": "given"}
        )
        assert answer.status_code == 303
        address = answer.headers["location"].partition("?")[0]
        text = (await browser.get(address)).text
        assert "Ines" in text
        assert "✓ consented" in text
        form = (await browser.get(f"{address}/change")).text
        await browser.post(f"{address}/change", name="Dana Rourke", revision=hidden(form, "revision"))
        assert "Dana Rourke" in (await browser.get("/clients")).text


async def test_who_looked_is_written_down(web: Desk):
    client_ref = await known(web)
    async with web.signed_in("ruth") as browser:
        await browser.get(f"/clients/{client_ref}")
    (look,) = await looked(web.parts.database, Sought(client_ref=client_ref))
    assert (look.who, look.what) == ("ruth", "read")


async def test_a_conflict_shows_both_and_keeps_the_text(web: Desk):
    client_ref = await known(web)
    async with web.signed_in("ruth") as browser:
        await browser.post(f"/clients/{client_ref}/change", name="First", revision=1)
        answer = await browser.post(f"/clients/{client_ref}/change", name="Second", revision=1)
    assert answer.status_code == 409
    assert "<del>Second</del>" in answer.text
    assert "<ins>First</ins>" in answer.text
    assert 'value="Second"' in answer.text
    assert hidden(answer.text, "revision") == "2"


async def test_what_can_t_be_kept_is_named_and_stays_typed(web: Desk):
    async with web.signed_in("ruth") as browser:
        answer = await browser.post(
            "/clients/new", name="Dana", phone="call me", born="soon", channel="text <b>first</b>"
        )
    assert answer.status_code == 422
    assert 'href="#f-phone"' in answer.text
    assert 'href="#f-born"' in answer.text
    assert "text &lt;b&gt;first&lt;/b&gt;" in answer.text


async def test_lines_are_imported_all_or_none(web: Desk):
    async with web.signed_in("ruth") as browser:
        answer = await browser.post("/clients/import", text="name,phone\nA,1234567\nB,nope\n")
        assert answer.status_code == 422
        assert "line 3: phone" in answer.text
        assert await web.parts.clients.named() == ()
        assert (await browser.post("/clients/import", text="name\nA\nB\n")).status_code == 303
    assert len(await web.parts.clients.named()) == 2


async def test_somebody_else_s_client_is_not_shown(web: Desk):
    client_ref = await known(web)
    async with web.signed_in("maya") as browser:
        assert "Dana" not in (await browser.get("/clients")).text
        answer = await browser.get(f"/clients/{client_ref}")
        assert answer.status_code == 403
        assert "Dana" not in answer.text
        assert (await browser.post("/clients/new", name="X")).status_code == 403


async def test_a_revision_that_no_database_takes_keeps_the_text(web: Desk):
    client_ref = await known(web)
    async with web.signed_in("ruth") as browser:
        for revision in ("9" * 25, "9" * 5_000):
            answer = await browser.post(f"/clients/{client_ref}/change", name="Typed", revision=revision)
            assert answer.status_code == 409
            assert 'value="Typed"' in answer.text


async def test_a_form_that_is_sent_twice_adds_its_clients_once(web: Desk):
    async with web.signed_in("ruth") as browser:
        for address, fields in (
            ("/clients/new", {"name": "Dana"}),
            ("/clients/import", {"text": "name\nKim\nKim\n"}),
        ):
            key = hidden((await browser.get(address)).text, "key")
            answers = [await browser.post(address, key=key, **fields) for _ in range(2)]
            assert answers[0].headers["location"] == answers[1].headers["location"]
            await browser.post(
                address,
                key=key,
                **{name: text.replace("Dana", "Dono").replace("Kim", "Kit") for name, text in fields.items()},
            )
    names = [one.name for one in await web.parts.clients.named()]
    assert sorted(names) == ["Dana", "Dono", "Kim", "Kim", "Kit", "Kit"], "what was changed meanwhile is not lost"
