"""A draft's way from nothing to what new episodes take, as its pages lead there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.publishing import in_effect
from tests.web.desk import Desk
from tests.web.studio import begun, revision_in, saved, signing_desk, text_in, tried


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    async with signing_desk(tmp_path) as made:
        yield made


async def test_a_mistake_is_named_with_its_line_and_remedy_and_what_was_typed_is_kept(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        assert "Nothing. Prove and test it next." in (await browser.get(address)).text
        broken = (
            (await text_in(web, address))
            .replace("due: 24h", "due: 24 hours")
            .replace("clock: safety", "clok: safety", 1)
        )
        line = next(number for number, one in enumerate(broken.splitlines(), 1) if "clok" in one)
        assert (await saved(browser, address, broken)).status_code == 303
        page = (await browser.get(address)).text
        assert f'data-line="{line}"' in page
        assert "did you mean `clock`" in page
        assert await text_in(web, address) == broken
        told = (await browser.post(f"{address}/lint", text=broken)).json()
        assert {one["line"] for one in told["found"]} >= {line}
        assert told["usable"] is False


async def test_from_a_published_version_to_the_next_by_two_people(web: Desk):
    async with web.signed_in("iris") as author, web.signed_in("ruth") as reviewer:
        address = await begun(author)
        page = await tried(web, author, address)
        assert "✓ proved" in page
        assert "Go on to submit" in page
        sent = await author.post(f"{address}/submit", note="For the evening team.", revision="1")
        review = sent.headers["location"]
        assert (await author.post(review.replace("review", "publish"))).status_code == 403
        page = (await reviewer.get(review)).text
        assert "For the evening team." in page
        key = re.search(r'name="tests" value="(\w+)"', page)
        assert key is not None
        done = await reviewer.post(review.replace("review", "publish"), tests=key[1])
        assert done.status_code == 303, done.text
        assert "in effect" in (await reviewer.get(review)).text
        record = (await web.parts.publications.read()).record
        now = in_effect(record, "evening_line", web.clock())
        assert now is not None
        assert (now.by, now.role, now.trial is not None and now.trial.good) == ("ruth", "supervisor", True)

        address = await begun(author, f"version:{now.protocol_hash}", "")
        text = await text_in(web, address)
        assert "version: 0.2.0" in text
        assert "# Who acts." in text, "comments of the author are kept"
        later = text.replace("due: 15m", "due: 47h", 1)
        assert later != text
        await saved(author, address, later)
        page = (await author.get(f"{address}?side=changes")).text
        assert "LONGER" in page
        assert page.index("Laxer") < page.index("Other")


async def test_nothing_is_submitted_that_was_not_tried_as_it_is(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        refused = await browser.post(f"{address}/submit", note="", revision="1")
        assert refused.status_code == 422
        assert "not proved and tested yet" in refused.text
        await tried(web, browser, address)
        await saved(browser, address, (await text_in(web, address)).replace("A worrying message", "A worrying call"))
        assert "not proved and tested yet" in (await browser.post(f"{address}/submit", note="", revision="2")).text
        await saved(browser, address, (await text_in(web, address)).replace("grade: P", "grade: X"))
        assert "Mend them first" in (await browser.post(f"{address}/submit", note="", revision="3")).text


async def test_what_is_not_good_is_published_only_when_somebody_signs_for_it(web: Desk):
    async with web.signed_in("iris") as author, web.signed_in("ruth") as reviewer:
        address = await begun(author)
        await web.parts.protocol_drafts.drop_scenario(address.rpartition("/")[2], "nobody_answers")
        assert "▲ no scenario" in await tried(web, author, address)
        review = (await author.post(f"{address}/submit", note="", revision="1")).headers["location"]
        refused = await reviewer.post(review.replace("review", "publish"))
        assert refused.status_code == 422
        assert "was not found good" in refused.text
        done = await reviewer.post(review.replace("review", "publish"), exception="Needed tonight.")
        assert done.status_code == 303
        assert "signed by ruth, supervisor: Needed tonight." in (await reviewer.get("/protocols")).text
        assert "Published by exception" in (await reviewer.get(review)).text


async def test_sent_back_with_words_retired_and_published_again(web: Desk):
    async with web.signed_in("iris") as author, web.signed_in("ruth") as reviewer:
        address = await begun(author)
        await tried(web, author, address)
        review = (await author.post(f"{address}/submit", note="", revision="1")).headers["location"]
        base = review.removesuffix("/review")
        assert "A reason is missing" in (await reviewer.post(f"{base}/send-back", reason=" ")).text
        await reviewer.post(f"{base}/send-back", reason="Who answers at night?")
        assert "Who answers at night?" in (await author.get(review)).text
        await author.post(f"{address}/submit", note="Sam does.", revision="1")
        far = await reviewer.post(f"{base}/publish", effective="2030-01-01T08:00")
        assert far.status_code == 303
        assert "scheduled" in (await reviewer.get(review)).text
        await reviewer.post(f"{base}/retire", reason="Not now.")
        assert "retired" in (await reviewer.get(review)).text
        assert (await reviewer.post(f"{base}/publish")).status_code == 303
        assert "in effect" in (await reviewer.get(review)).text


async def test_who_has_no_licence_by_the_rota_publishes_nothing(web: Desk):
    await web.parts.accounts.add("tess", "Tess", ("supervisor",), "fictional-password", web.clock())
    async with web.signed_in("iris") as author, web.signed_in("tess") as reviewer:
        address = await begun(author)
        await tried(web, author, address)
        review = (await author.post(f"{address}/submit", note="", revision="1")).headers["location"]
        refused = await reviewer.post(review.replace("review", "publish"))
        assert refused.status_code == 422
        assert "The rota gives you no licensed role" in refused.text


async def test_two_authors_see_both_texts_and_neither_is_lost(web: Desk):
    await web.parts.accounts.add("olga", "Olga", ("clinical_operations",), "fictional-password", web.clock())
    async with web.signed_in("iris") as one, web.signed_in("olga") as other:
        address = await begun(one)
        text = await text_in(web, address)
        await saved(other, address, text.replace("A worrying message", "A worried call"))
        conflict = await one.post(f"{address}/save", text=text.replace("Talking", "Speaking"), revision="1")
        assert conflict.status_code == 409
        assert "Olga saved this draft" in conflict.text
        assert "A worried call" in conflict.text
        assert "Speaking" in conflict.text
        assert "A worried call" in await text_in(web, address)
        quiet = await one.http.post(
            f"{address}/save",
            data={"form_token": one.form_token, "text": text.replace("Talking", "Speaking"), "revision": "1"},
            headers={"accept": "application/json"},
        )
        assert quiet.status_code == 409
        mine = await one.post(
            f"{address}/save", text=text.replace("Talking", "Speaking"), revision=revision_in(conflict.text)
        )
        assert mine.status_code == 303
        history = (await one.get(f"{address}/history")).text
        assert "Olga" in history
        await one.post(f"{address}/restore", wanted="2", revision="3")
        assert "A worried call" in await text_in(web, address)


async def test_tidy_changes_the_layout_alone(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        text = await text_in(web, address)
        roles, facts, screen = (text.index(one) for one in ("roles:", "# What may be", "# Questions that"))
        moved = text[:roles] + text[facts:screen] + text[roles:facts] + text[screen:]
        assert (await browser.post(f"{address}/tidy", text=moved, revision="1")).status_code == 303
        tidy = await text_in(web, address)
        assert tidy.index("\nroles:") < tidy.index("\nfacts:")
        refused = await browser.post(f"{address}/tidy", text="a: [", revision="2")
        assert refused.status_code == 422
        assert "a: [" in refused.text, "what was typed stays"


async def test_a_draft_that_is_nothing_or_too_much_is_answered_in_words(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser, "blank", "quiet_line")
        for side in ("diagram", "changes", "tables", "sources"):
            assert (await browser.get(f"{address}?side={side}")).status_code == 200
        for text in ("", "<script>alert(1)</script>", "&a [*a]", "x: " * 5_000, "\x00\x1b[31m", "- " * 3_000):
            answer = await saved(browser, address, text)
            assert answer.status_code in (303, 422), text[:20]
            assert (await browser.get(address)).status_code == 200
        assert (await saved(browser, address, "x" * 400_001)).status_code == 422
        assert (await browser.post("/studio/new", start="template:starter", name="Not A Name")).status_code == 422
        assert (await browser.post("/studio/new", start="else", name="fine")).status_code == 422
        assert (await browser.get("/studio/none")).status_code == 404
