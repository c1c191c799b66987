"""Handing out from the browser: rights, receiver and purpose are asked for, files check offline, each leaves rows."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit import offline_verifier
from audit.access import Sought, looked
from audit.signatures import SigningKeys
from audit.store import Store
from tests.audit.bundles import SPECS, played
from tests.web.desk import Desk
from tests.web.errands import SIGNING, done, links, over, signing_desk, standing, with_a_breach
from tests.web.test_api import caller
from web.errand import KEPT_FOR
from web.errands import SILENT

pytestmark = pytest.mark.full

KEY = SigningKeys([(SIGNING.id, SIGNING.secret)]).public()[SIGNING.id]
FULL = {"rights": "all", "to": "State board", "purpose": "complaint 12"}
REDACTED = FULL | {"rights": "sud"}


def check(path: Path) -> int:
    return offline_verifier.main([str(path), "--key", KEY])  # pyright: ignore[reportUnknownMemberType]


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[Desk]:
    async with signing_desk(tmp_path) as made:
        yield made


async def test_bundle_certificate_and_signature_check_offline(signing: Desk, tmp_path: Path):
    await with_a_breach(signing)
    async with signing.signed_in("finn") as browser:
        assert "/audit/episodes/ep-1/export" in (await browser.get("/audit/episodes/ep-1")).text
        page = await done(signing, browser, await browser.post("/audit/episodes/ep-1/export", **FULL))
        assert f"--key {KEY}" in page, "it says how the receiver checks it"
        for suffix in ("zip", "pdf", "sig"):
            (link,) = links(page, suffix)
            answer = await browser.get(link)
            assert answer.status_code == 200
            assert "no-store" in answer.headers["cache-control"]
            (tmp_path / link.rpartition("/")[2]).write_bytes(answer.content)
    (bundle,), (pdf,) = tmp_path.glob("*.zip"), tmp_path.glob("*.pdf")
    for path in (bundle, pdf):
        assert check(path) == 0
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    assert check(bundle) != 0
    (given,) = await looked(signing.parts.database, Sought(episode_id="ep-1", what="exported"))
    assert (given.who, given.purpose, given.detail["to"]) == ("finn", "complaint 12", "State board")
    assert given.detail["bundle"] in page
    fetched = [one for one in await looked(signing.parts.database, Sought(who="finn")) if "fetched" in one.detail]
    assert {str(one.detail["fetched"]).rpartition(".")[2] for one in fetched} == {"zip", "pdf", "sig"}
    assert {one.episode_id for one in fetched} == {"ep-1"}


async def test_what_is_not_said_is_asked_for_and_what_was_typed_stays(signing: Desk):
    await with_a_breach(signing)
    async with signing.signed_in("finn") as browser:
        answer = await browser.get("/audit/exports")
        for missing in FULL:
            answer = await browser.post("/audit/episodes/ep-1/export", **(FULL | {missing: ""}))
            assert answer.status_code == 422
            assert f'href="#f-{missing}"' in answer.text
        assert "State board" in answer.text
        assert (await browser.post("/audit/exports", **FULL, **{"from": "yesterday"})).status_code == 422
        wrong = await browser.post("/audit/exports", **FULL, **{"from": "2026-12-01", "until": "2026-11-01"})
        assert "before the first" in wrong.text
        assert "No episode was opened then" in (await browser.post("/audit/exports", **FULL, until="2001-01-01")).text
    assert await looked(signing.parts.database, Sought(what="exported")) == ()
    assert signing.parts.errands.everything(signing.clock()) == []


async def test_a_reader_without_the_right_gets_nothing_of_substance_use(signing: Desk):
    store = Store(signing.parts.database, signing.parts.ring)
    scenario = SPECS / "scenarios" / "virtual_iop_crisis" / "withdrawal_at_home.yaml"
    played_now = await played(store, scenario)
    assert played_now is not None
    async with signing.signed_in("finn") as browser:
        page = await done(signing, browser, await browser.post("/audit/exports", **REDACTED))
        (link,) = links(page, "zip")
        bundle = zipfile.ZipFile(io.BytesIO((await browser.get(link)).content))
    assert json.loads(bundle.read("manifest.json"))["redacted"] == "sud"
    assert b'"ciwa' not in bundle.read("rows.ndjson")
    (given,) = await looked(signing.parts.database, Sought(what="exported"))
    assert given.detail["withheld"] == "sud"


async def test_what_is_about_substance_use_as_a_whole_is_not_handed_to_such_a_reader(signing: Desk):
    store = Store(signing.parts.database, signing.parts.ring)
    assert await played(store, SPECS / "scenarios" / "withdrawal_monitoring" / "five_quiet_days.yaml") is not None
    async with signing.signed_in("finn") as browser:
        page = await done(signing, browser, await browser.post("/audit/exports", **REDACTED))
    assert "leave it out, or hand it to a reader who has the right" in page
    assert links(page, "zip") == []
    assert await looked(signing.parts.database, Sought(what="exported")) == ()


async def test_the_files_are_for_whoever_asked_and_go_after_an_hour(signing: Desk):
    await with_a_breach(signing)
    async with signing.signed_in("finn") as browser, signing.signed_in("ruth") as ruth:
        answer = await browser.post("/audit/exports", **FULL)
        page = await done(signing, browser, answer)
        (link,) = links(page, "zip")
        (one,) = signing.parts.errands.everything(signing.clock())
        assert one.folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in one.folder.iterdir())
        assert {path.name for path in one.folder.iterdir()} >= {"order", "state"}
        for path in one.folder.iterdir():
            lying = path.read_bytes()
            told = [word for word in (b"ep-1", b"%PDF", b"finn", b"purpose", b"offline_verifier") if word in lying]
            assert not told, f"{path.name} lies there in the clear"
        for somebody, address in ((ruth, link), (ruth, answer.headers["location"])):
            assert (await somebody.get(address)).status_code == 404
        base = link.rpartition("/")[0]
        for name in ("order", "state", "..%2Fstate", "%2e%2e", "nothing.zip", link.rpartition("/")[2] + ".sealed"):
            assert (await browser.get(f"{base}/{name}")).status_code == 404, name
    signing.clock.goes_on(KEPT_FOR + timedelta(minutes=1))
    signing.parts.errands.sweep(signing.clock())
    async with signing.signed_in("finn") as browser:
        assert (await browser.get(link)).status_code == 404
        assert not one.folder.exists()


async def test_what_came_to_nothing_leaves_no_file_behind(signing: Desk):
    one = standing(signing)
    (one.folder / "half.zip").write_bytes(b"what somebody said")
    signing.parts.errands.sweep(signing.clock())
    assert (one.folder / "half.zip").exists(), "it is still under way"
    signing.clock.goes_on(SILENT + timedelta(seconds=1))
    signing.parts.errands.sweep(signing.clock())
    assert {path.name for path in one.folder.iterdir()} == {"order", "state"}
    assert signing.parts.errands.get(one.errand_id, "finn", signing.clock()) is not None, "the page still says so"


async def test_whoever_is_no_auditor_any_more_fetches_nothing(signing: Desk):
    await with_a_breach(signing)
    async with signing.signed_in("finn") as browser:
        page = await done(signing, browser, await browser.post("/audit/episodes/ep-1/export", **FULL))
    (link,) = links(page, "zip")
    await signing.parts.accounts.set_roles("finn", ("therapist",), signing.clock())
    async with signing.signed_in("finn") as browser:
        for address in (link, link.rpartition("/")[0], "/audit/verify/account.txt?at=2026-01-01T00:00:00Z"):
            assert (await browser.get(address)).status_code == 403
    async with caller(signing, "finn", "audit.read", "audit.export") as http:
        assert (await http.get(link)).status_code == 403, "an old token opens nothing either"


async def test_what_is_typed_is_never_markup(signing: Desk):
    await with_a_breach(signing)
    evil = {"rights": "sud", "to": "<script>alert(1)</script>", "purpose": '"><img src=x onerror=alert(1)>'}
    async with signing.signed_in("finn") as browser:
        answer = await browser.post("/audit/episodes/ep-1/export", **evil)
        pages = [await done(signing, browser, answer)]
        pages += [(await browser.get(place)).text for place in ("/audit/exports", "/audit/disclosures")]
        pages.append((await browser.post("/audit/exports", **(evil | {"rights": ""}))).text)
        (pdf,) = links(pages[0], "pdf")
        assert (await browser.get(pdf)).content.startswith(b"%PDF")
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert" in page


async def test_one_at_a_time_for_a_person_and_two_for_all(signing: Desk):
    await with_a_breach(signing)
    standing(signing, "finn")
    async with signing.signed_in("finn") as browser:
        busy = await browser.post("/audit/episodes/ep-1/export", **FULL)
    assert busy.status_code == 409
    assert "still under way" in busy.text
    standing(signing, "iris")
    async with signing.signed_in("ruth") as ruth:
        full = await ruth.post("/audit/exports", **FULL)
    assert full.status_code == 409
    assert "in a few minutes" in full.text
    assert await looked(signing.parts.database, Sought(what="exported")) == ()


async def test_without_a_key_to_sign_with_it_says_where_to_do_it(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get("/audit/episodes/ep-1/export")).text
        assert "no key to sign with" in page
        assert (await browser.post("/audit/episodes/ep-1/export", **FULL)).status_code == 422
        assert (await browser.get("/audit/episodes/nobody/export")).status_code == 404
    assert web.parts.errands.everything(web.clock()) == []


@pytest.mark.parametrize("person", ["maya", "noor", "iris", "abel"])
async def test_nobody_else_hands_out(web: Desk, person: str):
    await with_a_breach(web)
    async with web.signed_in(person) as browser:
        for place in ("/audit/exports", "/audit/episodes/ep-1/export", "/audit/conformance"):
            assert (await browser.get(place)).status_code == 403
            assert (await browser.post(place, **FULL)).status_code == 403
        assert (await browser.get(f"/audit/exports/{'0' * 32}/x.zip")).status_code == 403


async def test_a_period_is_judged_with_sums_episodes_and_files(signing: Desk):
    story = await with_a_breach(signing)
    async with signing.signed_in("finn") as browser:
        assert (await browser.post("/audit/conformance")).status_code == 422, "it asks why"
        answer = await browser.post("/audit/conformance", **REDACTED, files="yes")
        page = await done(signing, browser, answer)
        assert "/audit/episodes/ep-1" in page
        for by in ("protocol", "therapist", "type"):
            shown = (await browser.get(f"{answer.headers['location']}?by={by}")).text
            assert "<caption" in shown
        assert "Mara" in (await browser.get(f"{answer.headers['location']}?by=therapist")).text
        for suffix in ("csv", "ndjson", "jsonocel", "xes"):
            (link,) = links(page, suffix)
            assert (await browser.get(link)).status_code == 200
        assert (await browser.get(links(page, "csv")[0].rpartition("/")[0] + "/episodes.ndjson")).status_code == 404
        assert (await browser.get(f"{answer.headers['location']}?by=mood")).status_code == 422
    (given,) = await looked(signing.parts.database, Sought(episode_id="ep-1", what="exported"))
    assert (given.detail["of"], given.detail["withheld"]) == ("conformance", "sud")
    shown_rows = await looked(signing.parts.database, Sought(episode_id="ep-1", what="read"))
    assert any(one.detail["view"] == "/audit/conformance/{errand_id}" for one in shown_rows)
    assert story.episode.owner == "mara"


async def test_only_looking_at_the_sums_hands_out_nothing(signing: Desk):
    await with_a_breach(signing)
    async with signing.signed_in("finn") as browser:
        page = await done(signing, browser, await browser.post("/audit/conformance", purpose="quarter"))
    assert "jsonocel" not in page
    assert await looked(signing.parts.database, Sought(what="exported")) == ()
    assert any(one.purpose == "quarter" for one in await looked(signing.parts.database, Sought(what="searched")))


async def test_the_api_verifies_hands_out_and_judges(signing: Desk):
    await with_a_breach(signing)
    async with caller(signing, "finn", "audit.read", "audit.export") as http:
        begun = await http.post(
            "/audit/verifications", json={"workflows": False}, headers={"Idempotency-Key": "verify-1"}
        )
        assert begun.status_code == 202
        await over(signing)
        (result,) = (await http.get("/audit/verifications")).json()["results"]
        assert result["good"] is True
        wanted = {"episodes": ["ep-1"], "to": "the board", "purpose": "complaint 12"}
        key = {"Idempotency-Key": "export-1"}
        assert (await http.post("/audit/exports", json=wanted, headers=key)).status_code == 422, (
            "rights have no default"
        )
        begun = await http.post("/audit/exports", json={**wanted, "redact": False}, headers=key)
        again = await http.post("/audit/exports", json={**wanted, "redact": False}, headers=key)
        assert begun.json() == again.json(), "sent twice it is one export"
        await over(signing)
        place = f"/audit/exports/{begun.json()['errand_id']}"
        state = (await http.get(place)).json()
        assert {name.rpartition(".")[2] for name in state["result"]["files"]} == {"zip", "pdf", "sig"}
        for name in state["result"]["files"]:
            assert (await http.get(f"{place}/{name}")).status_code == 200
        period = {"purpose": "quarter", "redact": True, "begins": "2001-01-01T00:00:00Z"}
        begun = await http.post("/audit/conformance", json=period, headers={"Idempotency-Key": "judge-01"})
        await over(signing)
        told = (await http.get(f"/audit/conformance/{begun.json()['errand_id']}")).json()
        assert [one["episode_id"] for one in told["episodes"]] == ["ep-1"]
        assert set(told["result"]["groups"]) == {"protocol", "therapist", "type"}
        one = (await http.get("/audit/episodes/ep-1/conformance")).json()
        assert (one["owners"], len(one["deadlines"]) > 0) == (["mara"], True)
        assert (await http.get("/audit/episodes/nobody/conformance")).status_code == 404
        late = {**period, "begins": "2100-01-01T00:00:00Z"}
        answer = await http.post("/audit/conformance", json=late, headers={"Idempotency-Key": "judge-02"})
        assert answer.status_code == 404
    given = await looked(signing.parts.database, Sought(episode_id="ep-1", what="exported"))
    assert len([one for one in given if "bundle" in one.detail]) == 1


async def test_a_token_to_read_hands_nothing_out(signing: Desk):
    await with_a_breach(signing)
    async with caller(signing, "finn", "audit.read") as http:
        wanted = {"episodes": ["ep-1"], "to": "me", "purpose": "curious", "redact": False}
        key = {"Idempotency-Key": "export-1"}
        assert (await http.post("/audit/exports", json=wanted, headers=key)).status_code == 403
        files = {"to": "me", "purpose": "curious", "redact": False, "files": True}
        assert (await http.post("/audit/conformance", json=files, headers=key)).status_code == 403
    assert signing.parts.errands.everything(signing.clock()) == []
