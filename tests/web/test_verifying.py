"""Verifying from the browser: a process of its own, words like the command's, a row that keeps the result."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.access import Sought, looked
from audit.checkpoints import Checkpointer
from audit.meaning import MEANING
from audit.signatures import SigningKeys
from protocol.trail import Wrong
from tests.web.desk import Desk
from tests.web.errands import SIGNING, done, signing_desk, standing, with_a_breach
from web.errand import STOP
from web.errand_worker import Worker
from web.errands import SILENT

pytestmark = pytest.mark.full


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[Desk]:
    async with signing_desk(tmp_path) as made:
        yield made


async def change_row(web: Desk, sequence: int) -> None:
    def change(connection: object) -> None:
        connection.execute(text("DROP TRIGGER trail_no_update"))  # type: ignore[attr-defined]
        connection.execute(text(f"UPDATE trail SET role = 'supervisor' WHERE sequence = {sequence}"))  # type: ignore[attr-defined]

    await web.parts.database.write(change)


def test_everything_that_can_be_wrong_has_its_meaning():
    assert set(MEANING) == set(Wrong)


async def test_good_records_are_called_good_and_what_is_not_seen_is_said(signing: Desk):
    story = await with_a_breach(signing)
    keys = SigningKeys([(SIGNING.id, SIGNING.secret)])
    await Checkpointer(signing.parts.database, keys, signing.clock).make()
    async with signing.signed_in("finn") as browser:
        assert "Not verified yet" in (await browser.get("/audit/verify")).text
        page = await done(signing, browser, await browser.post("/audit/verify", workflows="yes"))
        assert "All good" in page
        assert f"1 episodes, {story.episode.revision} good rows, seals and contents fit: all good." in page
        assert "1 good, over" in page
        assert "all say what the trail says" in page
        assert "not asked; Temporal does not answer" in page, "the engine is away: it says so, and goes on"
        assert "Window: no row is newer than checkpoint 1" in page
        assert "60 seconds or 1 000 rows" in page
        (row,) = await looked(signing.parts.database, Sought(what="verified"))
        assert (row.who, row.detail["good"], row.client_ref) == ("finn", True, "")
        link = re.search(r'href="(/audit/verify/account.txt[^"]+)"', page)
        assert link is not None
        account = await browser.get(link[1].replace("&amp;", "&"))
        assert "attachment" in account.headers["content-disposition"]
        assert "All good." in account.text
        assert "by Finn" in account.text


async def test_the_first_bad_row_is_named_with_what_it_means_and_what_to_do(signing: Desk):
    await with_a_breach(signing)
    await change_row(signing, 5)
    async with signing.signed_in("ruth") as browser:
        page = await done(signing, browser, await browser.post("/audit/verify"))
    assert "1 found bad" in page
    assert "episode ep-1, row 5: edited" in page
    assert "Somebody changed this row after it was written." in page
    assert "Change nothing in the database" in page
    async with signing.signed_in("finn") as browser:
        later = (await browser.get("/audit/verify")).text
        assert "by Ruth" in later, "the last result is there for whoever looks"
    signing.clock.goes_on(timedelta(hours=2))
    async with signing.signed_in("finn") as browser:
        assert "episode ep-1, row 5: edited" in (await browser.get("/audit/verify")).text, "and stays"
        assert (await browser.get("/audit/verify/account.txt?at=2020-01-01T00:00:00Z")).status_code == 404
        assert (await browser.get("/audit/verify/account.txt?at=yesterday")).status_code == 422


async def test_a_second_press_joins_and_only_who_began_it_stops_it(signing: Desk):
    one = standing(signing)
    async with signing.signed_in("finn") as browser, signing.signed_in("ruth") as ruth:
        for person in (browser, ruth):
            assert (await person.post("/audit/verify")).status_code == 303
        assert [each.errand_id for each in signing.parts.errands.everything(signing.clock())] == [one.errand_id]
        page = (await ruth.get("/audit/verify")).text
        assert re.search("Finn[^<]* is verifying", page)
        assert "Chains: 3 of 12" in page
        assert f"/audit/errands/{one.errand_id}/stop" not in page
        assert (await ruth.post(f"/audit/errands/{one.errand_id}/stop")).status_code == 404
        assert not (one.folder / STOP).exists()
        assert f"/audit/errands/{one.errand_id}/stop" in (await browser.get("/audit/verify")).text
        assert (await browser.post(f"/audit/errands/{one.errand_id}/stop")).status_code == 303
        assert (one.folder / STOP).exists()


async def test_a_stopped_one_leaves_no_result(signing: Desk):
    await with_a_breach(signing)
    one = standing(signing)
    signing.parts.errands.stop(one)
    await Worker(signing.settings, one.folder).run()
    (ended,) = signing.parts.errands.everything(signing.clock())
    assert ended.state.standing == "stopped"
    assert await looked(signing.parts.database, Sought(what="verified")) == ()


async def test_a_process_that_is_gone_is_said(signing: Desk):
    standing(signing)
    async with signing.signed_in("finn") as browser:
        assert "Verifying" in (await browser.get("/audit/verify")).text
        signing.clock.goes_on(SILENT + timedelta(seconds=1))
        page = (await browser.get("/audit/verify")).text
    assert "is gone" in page
    assert "Verify" in page
    assert signing.parts.errands.everything(signing.clock())[0].over, "a new one may begin"


async def test_without_a_place_for_its_row_there_is_no_result(signing: Desk):
    await with_a_breach(signing)
    no = "CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END"
    await signing.parts.database.write(lambda connection: connection.execute(text(no)))
    async with signing.signed_in("finn") as browser:
        page = await done(signing, browser, await browser.post("/audit/verify"))
    assert "All good" not in page
    assert "can&#39;t be written down" in page


@pytest.mark.parametrize("person", ["maya", "noor", "iris", "abel"])
async def test_nobody_else_verifies(web: Desk, person: str):
    async with web.signed_in(person) as browser:
        assert (await browser.get("/audit/verify")).status_code == 403
        assert (await browser.post("/audit/verify")).status_code == 403
