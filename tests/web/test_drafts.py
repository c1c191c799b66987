"""Long forms are kept as one types; lists come as files, whole or not at all; nobody's change is written over."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from practice import facilities
from practice.drafts import LONGEST_FIELD
from practice.facilities import read_facility
from tests.web.desk import Browser, Desk, form_of, hidden
from tests.web.recorded import recorded
from tests.web.test_caseload import put_client
from tests.web.test_episodes import reported

HEAD = (
    "name,phone,contact_name,contact_consent,contact2_name,contact2_never,consent_telehealth,consent_telehealth_until"
)


async def keeps(browser: Browser, draft: str, **fields: str) -> str:
    """What is said when the script saves."""
    sent = {"form_token": browser.form_token, "draft": draft, **fields}
    answer = await browser.http.post("/drafts", data=sent, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["said"]


@pytest.mark.parametrize(
    ("person", "address", "draft", "field"),
    [
        ("maya", "/report", "report", "said"),
        ("ruth", "/clients/new", "client/new", "channel"),
        ("ruth", "/clients/client-1/change", "client/client-1", "channel"),
        ("ruth", "/facilities/new", "facility/new", "takes"),
        ("ruth", "/facilities/harbor-house", "facility/harbor-house", "takes"),
    ],
)
async def test_what_is_typed_into_a_long_form_is_there_in_the_next_browser(
    web: Desk, person: str, address: str, draft: str, field: str
):
    await put_client(web, "client-1", "Dana R.")
    harbor = read_facility({"name": "Harbor House", "kind": "php", "checked": "2026-11-01"})
    await web.parts.facilities.save(harbor, "ruth", web.clock())
    async with web.signed_in(person) as browser:
        page = (await browser.get(address)).text
        assert f'name="draft" value="{draft}"' in page
        assert 'data-draft="/drafts"' in page
        said = await keeps(browser, draft, **{field: "half <typed>", "name": "Dana", "revision": "1"})
        assert said.startswith("Saved ")
    async with web.signed_in(person) as browser:
        page = (await browser.get(address)).text
        assert "half &lt;typed&gt;" in page
        assert "Not sent yet" in page
        assert (await browser.post("/drafts/forget", draft=draft)).headers["location"] == address
        assert "half &lt;typed&gt;" not in (await browser.get(address)).text
    async with web.signed_in("finn") as other:
        assert (await other.post("/drafts", draft="../secret", x="y")).status_code == 404


async def test_a_draft_that_is_too_long_to_keep_says_so(web: Desk):
    async with web.signed_in("maya") as browser:
        said = await keeps(browser, "report", said="x" * (LONGEST_FIELD + 1), client="client-1")
        assert f"only the first {LONGEST_FIELD} characters of: said" in said


async def test_a_draft_of_a_client_keeps_the_state_that_was_seen(web: Desk):
    """Somebody else saves meanwhile: the restored form still conflicts, and shows both."""
    await put_client(web, "client-1", "Dana R.")
    async with web.signed_in("ruth") as browser:
        await keeps(browser, "client/client-1", name="Mine", revision="1")
        await browser.post("/clients/client-1/change", name="Theirs", revision="1")
        await keeps(browser, "client/client-1", name="Mine", revision="1")
        page = (await browser.get("/clients/client-1/change")).text
        assert hidden(page, "revision") == "1"
        answer = await browser.post("/clients/client-1/change", name="Mine", revision=hidden(page, "revision"))
        assert answer.status_code == 409
        assert "<ins>Theirs</ins>" in answer.text


@pytest.mark.full
async def test_words_of_a_report_go_along_to_the_open_episode(live: Desk):
    async with live.signed_in("maya") as browser:
        client = f"client-{uuid4().hex[:8]}"
        sent = form_of((await browser.get("/report")).text, "/report") | {"client": client, "crisis": "craving"}
        place = (await browser.post("/report", **sent)).headers["location"]
        page = (await browser.get("/report")).text
        again = {**form_of(page, "/report"), "client": client, "crisis": "craving", "said": "She <called> twice"}
        offered = await browser.post("/report", **again)
        assert offered.status_code == 409
        onward = f"/report/onward/{place.rpartition('/')[2]}"
        assert f'action="{onward}"' in offered.text
        answer = await browser.post(onward, said="She <called> twice")
        assert answer.headers["location"] == f"{place}?add=1#act-add-addendum"
        page = (await browser.get(f"{place}?add=1")).text
        assert re.search(r'<textarea id="f-add-addendum-text"[^>]*>She &lt;called&gt; twice</textarea>', page)


@pytest.mark.full
async def test_the_address_of_what_was_said_has_no_words(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        answer = await browser.post(f"/report/onward/{place.rpartition('/')[2]}", said="Her words")
        assert "Her" not in answer.headers["location"]


async def sends(browser: Browser, address: str, content: bytes, **fields: str):
    sent = {"form_token": browser.form_token, **fields}
    return await browser.http.post(address, data=sent, files={"file": ("list.csv", content, "text/csv")})


async def test_clients_come_as_a_file_with_contacts_and_consents(web: Desk):
    lines = f"{HEAD}\nDana R.,510-555-0137,Ines,given,Rob,yes,given,2030-01-01\nLuis A.,,,,,,refused,\n"
    async with web.signed_in("ruth") as browser:
        answer = await sends(browser, "/clients/import", b"\xef\xbb\xbf" + lines.encode(), key="a-key")
        assert answer.status_code == 303, answer.text
        assert (await sends(browser, "/clients/import", lines.encode(), key="a-key")).status_code == 303
    dana, luis = await web.parts.clients.named()
    (file, other) = [one.file for one in await web.parts.clients.several([dana.client_ref, luis.client_ref])]
    assert [(one.name, one.consent, one.never) for one in file.contacts] == [
        ("Ines", "given", False),
        ("Rob", "unknown", True),
    ]
    assert [(one.kind, one.answer, str(one.until)) for one in file.consents] == [("Telehealth", "given", "2030-01-01")]
    assert other.consents[0].answer == "refused"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name\n\xff\xfe\n", "CSV UTF-8"),
        (b"name,shoe\nDana,9\n", "there is no column shoe"),
        (b"name,born\nDana,1990-01-01\nLuis,soon\n", "line 3"),
    ],
)
async def test_a_file_with_a_mistake_imports_nothing_and_says_where(web: Desk, content: bytes, said: str):
    async with web.signed_in("ruth") as browser:
        answer = await sends(browser, "/clients/import", content, key="k")
        assert answer.status_code == 422
        assert said in answer.text
    assert await web.parts.clients.named() == ()


async def test_facilities_come_as_a_file_all_or_none(web: Desk, monkeypatch: pytest.MonkeyPatch):
    lines = b"name,kind,checked\nHarbor House,php,2026-11-01\nBay Detox,detox,2026-11-01\n"
    async with web.signed_in("ruth") as browser:
        with monkeypatch.context() as patched:
            real, done = facilities._save, []  # pyright: ignore[reportPrivateUsage]

            def fails_at_the_second(*told: Any) -> None:
                done.append(told)
                if len(done) == 2:
                    raise RuntimeError
                real(*told)

            patched.setattr(facilities, "_save", fails_at_the_second)
            assert (await sends(browser, "/facilities/import", lines)).status_code == 500
        assert await web.parts.facilities.listed() == ()
        assert (await sends(browser, "/facilities/import", lines)).status_code == 303
        assert len(await web.parts.facilities.listed()) == 2
        handed_out = await browser.get("/facilities/list.csv")
        assert handed_out.headers["content-disposition"] == 'attachment; filename="facilities.csv"'
        assert [one.name for one in facilities.read_csv(handed_out.text)] == ["Bay Detox", "Harbor House"]


async def test_a_facility_that_somebody_else_changed_is_not_written_over(web: Desk):
    first = read_facility({"name": "Harbor House", "kind": "php", "checked": "2026-11-01", "phone": "510-555-0100"})
    await web.parts.facilities.save(first, "ruth", web.clock())
    typed = {"name": "Harbor House", "kind": "php", "checked": "2026-11-20"}
    async with web.signed_in("ruth") as ruth, web.signed_in("iris") as iris:
        seen = hidden((await ruth.get("/facilities/harbor-house")).text, "revision")
        theirs = await iris.post("/facilities/harbor-house", **typed, phone="510-555-0111", revision=seen)
        assert theirs.status_code == 303
        answer = await ruth.post("/facilities/harbor-house", **typed, phone="510-555-0122", revision=seen)
        assert answer.status_code == 409
        assert "<del>510-555-0122</del>" in answer.text
        assert "<ins>510-555-0111</ins>" in answer.text
        assert 'value="510-555-0122"' in answer.text
        again = hidden(answer.text, "revision")
        last = await ruth.post("/facilities/harbor-house", **typed, phone="510-555-0122", revision=again)
        assert last.status_code == 303


async def test_a_decision_and_an_asking_are_kept_as_they_are_typed_on_the_page_of_more_care(web: Desk):
    harbor = read_facility({"name": "Harbor House", "kind": "php", "checked": "2026-11-01"})
    await web.parts.facilities.save(harbor, "ruth", web.clock())
    place = f"/episodes/{(await recorded(web, 'php_has_no_place', steps=6)).episode_id}"
    typed = {
        "record-decision/step_up": {"decision": "step_up", "option": "php", "rationale": "Half <a> reason"},
        "complete-step/facility_search/harbor-house": {
            "fact.facility_2_name": "Harbor House",
            "fact.facility_2_person": "Half <an> answer",
        },
    }
    async with web.signed_in("ruth") as browser:
        page = (await browser.get(f"{place}/step-up")).text
        for draft, fields in typed.items():
            assert f'name="draft" value="{draft}"' in page
            back = f"{place}/step-up"
            answer = await browser.post(f"{place}/draft", draft=draft, back=back, **fields)
            assert answer.headers["location"] == back, "without scripts one stays on the page"
        page = (await browser.get(f"{place}/step-up")).text
        assert "Half &lt;a&gt; reason</textarea>" in page
        assert re.search(r'value="php"[^>]* checked', page)
        assert 'value="Half &lt;an&gt; answer"' in page
        assert '<details id="ask-harbor-house" open>' in page
        assert "Half &lt;a&gt; reason</textarea>" in (await browser.get(place)).text, "it is the same form there"
