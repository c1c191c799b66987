"""Destroying a client's keys leaves nothing of them in the practice's own tables, on either database."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from audit.database import Database
from audit.store import Store
from practice.accounts import Accounts
from practice.calls import NOBODY, Calls, of_client, of_episode
from practice.clients import Clients, read_file
from practice.drafts import Drafts
from practice.forgetting import GONE, forget_client
from practice.reach import Reach
from practice.sealing import Seal
from practice.tables import api_calls, caseloads, clients, drafts
from tests.audit.records import RING, START, fill

SEAL = Seal(RING)
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
    assert await forget_client(practice, SEAL, "client-1")
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
    await forget_client(practice, SEAL, "client-1")
    assert not await forget_client(practice, SEAL, "client-1")
    assert not await forget_client(practice, SEAL, "nobody")
