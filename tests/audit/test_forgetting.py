"""Destroying a client's keys leaves nothing of them in the practice's own tables, on either database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from audit.access import Access, Sought, looked
from audit.database import Database, connect
from audit.holds import HeldError, hold, lift
from audit.keys import destroy
from audit.store import Store
from practice.accounts import Accounts
from practice.calls import NOBODY, Calls, of_client, of_episode
from practice.clients import Clients, read_file
from practice.drafts import Drafts
from practice.forgetting import GONE, destroy_client
from practice.reach import Reach
from practice.sealing import Seal
from practice.tables import api_calls, caseloads, clients, drafts
from tests.audit.records import RING, START, fill

SEAL = Seal(RING)
LOOK = Access(START, "ada", "auditor", "destroyed", client_ref="client-1")
SAID = {"text": ["I can't go on"]}
OF_CLIENT = ("ep-1/add-addendum", "page/client/client-1", "page/opening/ep-1")
CALLS_OF_CLIENT = (of_client("client-1"), of_episode("ep-1"), of_episode("not-in-the-lists-yet"), None)
CALLS_OF_OTHERS = (of_client("client-10"), of_episode("ep-10"), NOBODY)
OF_OTHERS = ("ep-10/add-addendum", "page/client/client-10", "page/facility/new")


@pytest.fixture
async def practice(records: Database, store: Store) -> Database:
    """Two people at work on two clients, of whom one has an episode."""
    await fill(store)
    await fill(store, episode_id="ep-10", client_ref="client-10")
    for name in ("maya", "sam"):
        await Accounts(records, SEAL).add(name, name.title(), ("therapist",), "a password of some length", START)
    for ref in ("client-1", "client-10"):
        await Clients(records, SEAL).add(read_file({"name": f"Person {ref}"}), START, ref)
        await Reach(records, SEAL).assign(ref, "maya", START)
        await Reach(records, SEAL).break_glass("sam", ref, f"{ref} is on the bridge", START)
    for place in (*OF_CLIENT, *OF_OTHERS):
        await Drafts(records, SEAL).save("maya", place, SAID, START)
    for name, ref in (("maya", "client-1"), ("sam", "client-10")):
        await Drafts(records, SEAL).save(name, "page/report", {"client": [ref], **SAID}, START)
    calls = Calls(records, SEAL)
    for of_whom in (*CALLS_OF_CLIENT, *CALLS_OF_OTHERS):
        await calls.begin(f"call {of_whom}", "asked", START)
        await calls.end(f"call {of_whom}", {"said": "I can't go on"}, of_whom)
    await calls.begin("under way", "asked", START)
    return records


async def test_nothing_of_the_client_is_left_and_the_others_stay(practice: Database):
    assert await destroy_client(practice, SEAL, "client-1", LOOK) == (1, True)
    places, refs, held, calls = await practice.read(
        lambda connection: (
            {(row.account_id, row.place) for row in connection.execute(select(drafts))},
            set(connection.scalars(select(clients.c.client_ref))),
            set(connection.scalars(select(caseloads.c.client_ref))),
            set(connection.scalars(select(api_calls.c.call_hash))),
        )
    )
    assert places == {*(("maya", place) for place in OF_OTHERS), ("sam", "page/report")}
    assert (refs, held) == ({"client-10"}, {"client-10"})
    assert calls == {"under way", *(f"call {of_whom}" for of_whom in CALLS_OF_OTHERS)}
    opened = {one.client_ref: one.reason for one in await Reach(practice, SEAL).openings(unreviewed=False)}
    assert opened == {"client-1": GONE, "client-10": "client-10 is on the bridge"}


async def test_forgetting_again_finds_nothing(practice: Database):
    await destroy_client(practice, SEAL, "client-1", LOOK)
    assert await destroy_client(practice, SEAL, "client-1", LOOK) == (0, False)
    assert await destroy_client(practice, SEAL, "nobody", LOOK) == (0, False)


async def test_under_a_hold_nothing_goes_whoever_asks_and_however_late_it_was_placed(practice: Database):
    """Also a client of whom there is no episode that could say how long."""
    for ref in ("client-1", "client-10", "client-without-episode"):
        await hold(practice, ref, "ada", "subpoena", START)
        with pytest.raises(HeldError):
            await destroy_client(practice, SEAL, ref, LOOK)
        with pytest.raises(HeldError):
            await destroy(practice, ref, START)
    assert await looked(practice, Sought(what="destroyed")) == ()
    kept = await practice.read(lambda connection: set(connection.scalars(select(clients.c.client_ref))))
    assert kept == {"client-1", "client-10"}
    await lift(practice, "client-1", "ada", "over", START + timedelta(seconds=1))
    assert await destroy_client(practice, SEAL, "client-1", LOOK) == (1, True)
    assert len(await looked(practice, Sought(what="destroyed"))) == 1


async def test_a_hold_and_a_destruction_at_once_come_one_after_the_other(practice: Database, url: str):
    """The hold is seen, or it comes when nothing is left to hold: never is something destroyed after it was placed."""
    other, moments = connect(url), list[str]()

    async def destroying() -> None:
        try:
            await destroy_client(practice, SEAL, "client-1", LOOK)
            moments.append("destroyed")
        except HeldError:
            moments.append("refused")

    async def holding() -> None:
        await hold(other, "client-1", "ada", "subpoena", START)
        moments.append("held")

    await asyncio.gather(destroying(), holding())
    await other.dispose()
    assert moments in (["destroyed", "held"], ["held", "refused"], ["refused", "held"])
