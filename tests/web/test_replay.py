from __future__ import annotations

import re
from dataclasses import replace

from audit.checkpoints import Checkpointer, Witness
from audit.keys import destroy
from audit.signatures import VerifyKeys
from audit.store import Store
from tests.audit.bundles import KEYS
from tests.audit.test_history import cut_off, recorded
from tests.protocol.story import Story
from tests.web.desk import Desk


async def with_a_breach(web: Desk) -> Story:
    return await recorded(Store(web.parts.database, web.parts.ring))


async def test_an_auditor_finds_the_breach_and_reads_what_led_there(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        found = (await browser.get("/audit?breach=any")).text
        assert "/audit/episodes/ep-1" in found
        first = (await browser.get("/audit/episodes/ep-1")).text
        assert "every decision comes out the same" in first
        goal = re.search(r'href="(/audit/episodes/ep-1\?at=\d+)" data-key="b"', first)
        assert goal is not None
        breach = (await browser.get(goal[1])).text
    assert "Speak to the client" in breach
    assert "done in time, but written down only after the deadline" in breach
    assert "overdue" in breach


async def test_the_page_says_what_was_kept_of_the_protocol(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get("/audit/episodes/ep-1")).text
    kept = page[page.index("Kept of the protocol") :]
    assert "<dt>Done in time</dt>" in kept
    assert "Late entry: " in kept


async def test_every_link_of_the_page_leads_on(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get("/audit/episodes/ep-1?at=9")).text
        beside = page[page.index("Breaches in this episode") :]
        title = re.search(r'<a href="([^"]*)">Speak to the client</a>', beside)
        assert title is not None
        assert "the client" in (await browser.get(title[1])).text
        for goal in set(re.findall(r'href="([^"]*)"', page[page.index("<main") :])):
            assert (await browser.get(goal)).status_code == 200, goal


async def test_an_episode_that_cant_be_told_says_why_and_what_to_do(web: Desk):
    story = await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        nobody = await browser.get("/audit/episodes/nobody")
        assert nobody.status_code == 404
        assert "The records have no episode nobody" in nobody.text
        await destroy(web.parts.database, story.episode.client_ref, web.clock())
        gone = (await browser.get("/audit/episodes/ep-1")).text
    assert "the client&#39;s key was destroyed" in gone
    assert "holdfast audit verify" in gone


async def test_a_trail_that_was_cut_off_is_not_called_whole(web: Desk):
    story = await with_a_breach(web)
    records = web.parts.database
    await Checkpointer(records, KEYS, web.parts.clock).make()
    public = VerifyKeys((name, bytes.fromhex(key)) for name, key in KEYS.public().items())
    web.app.state.parts = replace(web.parts, witness=Witness(records, public))
    last = story.episode.revision
    async with web.signed_in("finn") as browser:
        whole = (await browser.get("/audit/episodes/ep-1")).text
        assert f"they vouch for the chain up to entry {last}." in whole
        assert "✓ chain whole" in whole
        await cut_off(web.parts.settings.database_url.get_secret_value(), last - 3, lowering_the_list=True)
        cut = (await browser.get("/audit/episodes/ep-1")).text
    assert "✓ chain whole" not in cut
    assert f"row {last - 2}: truncated: the chain should reach row {last}" in cut


async def test_each_entry_knows_only_what_was_known_then(web: Desk):
    story = await with_a_breach(web)
    last = story.episode.revision
    async with web.signed_in("finn") as browser:
        first = (await browser.get("/audit/episodes/ep-1?at=1")).text
        end = (await browser.get(f"/audit/episodes/ep-1?at={last + 500}")).text
    assert "Nothing yet." in first
    assert "Nothing yet." not in end
    assert f"Entry <b>{last}</b> of {last}" in end
    assert "late entry" in end or "later</span>" in end


async def test_the_list_finds_by_id_client_and_therapist_and_nothing_else(web: Desk):
    story = await with_a_breach(web)
    async with web.signed_in("finn") as browser:
        fitting = {"episode": "ep-", "client": story.episode.client_ref, "therapist": story.episode.owner}
        fitting |= {"breach": "first_contact", "protocol": "compact 1.0.0", "state": "open", "drills": "none"}
        for name, text in fitting.items():
            assert "/audit/episodes/ep-1" in (await browser.http.get("/audit", params={name: text})).text, name
        others = {"episode": "%", "client": "nobody", "therapist": "nobody", "breach": "start", "to": "2020-01-01"}
        others |= {"protocol": "compact 9", "state": "closed", "drills": "only", "from": "2100-01-01"}
        for name, text in others.items():
            assert "No episode fits" in (await browser.http.get("/audit", params={name: text})).text, name
        assert (await browser.get("/audit/episodes/nobody")).status_code == 404


async def test_a_therapist_is_no_auditor(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/audit")).status_code == 403
        assert (await browser.get("/audit/episodes/ep-1")).status_code == 403


async def test_a_filter_is_kept_used_and_forgotten_by_whoever_made_it(web: Desk):
    await with_a_breach(web)
    async with web.signed_in("finn") as browser, web.signed_in("ruth") as ruth:
        saved = await browser.post("/audit/saved", name="my misses", breach="first_contact", therapist="mara")
        assert saved.headers["location"] == "/audit?saved=my+misses"
        page = (await browser.get("/audit?saved=my+misses")).text
        assert "/audit/episodes/ep-1" in page
        assert 'value="mara"' in page, "one sees what it filters"
        assert (await ruth.get("/audit?saved=my+misses")).status_code == 404
        await browser.post("/audit/saved/forget", name="my misses")
        assert (await browser.get("/audit?saved=my+misses")).status_code == 404
