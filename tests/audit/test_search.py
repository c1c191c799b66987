"""An auditor finds the one breached follow-up among many episodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from audit.database import Database
from audit.keys import destroy
from audit.search import Wanted, forget, save, saved, search
from audit.store import Store
from protocol import commands as c
from protocol.engine import Engine
from tests.audit.bundles import keep
from tests.audit.records import RING, START
from tests.protocol.specs import compact
from tests.protocol.story import KEY, Story
from tests.protocol.story import START as OPENED


async def many(store: Store) -> None:
    """Thirty quiet episodes; number 17 has a follow-up that was missed, number 4 is Ruth's."""
    for number in range(30):
        story = Story(now=OPENED + timedelta(days=number))
        story.engine = Engine(compact(), f"ep-{number:02}", KEY)
        owner = "ruth" if number == 4 else "mara"
        opening = {"episode_id": f"ep-{number:02}", "client_ref": f"client-{number % 3}", "owner": owner}
        story.do(c.OpenEpisode, **opening)
        story.in_follow_up()
        if number == 17:
            story.later("73h").contact(ago="2h")
        await keep(store, compact(), story)


async def ids(records: Database, limit: int = 100, **wanted: Any) -> list[str]:
    return [one.episode_id for one in await search(records, RING, Wanted(**wanted), limit)]


async def test_each_filter_narrows_and_all_go_together(store: Store, records: Database):
    await many(store)
    assert len(await ids(records)) == 30
    assert await ids(records, limit=2) == ["ep-29", "ep-28"], "latest first"
    assert await ids(records, breach="first_contact") == ["ep-17"]
    assert await ids(records, breach="any") == ["ep-17"]
    assert await ids(records, breach="call_back") == []
    assert await ids(records, therapist="ruth") == ["ep-04"]
    assert len(await ids(records, client_ref="client-2")) == 10
    assert await ids(records, client_ref="client-2", breach="any") == ["ep-17"]
    assert await ids(records, client_ref="client-1", breach="any") == []
    assert len(await ids(records, protocol="compact", version="1.0.0")) == 30
    assert await ids(records, version="2.0.0") == []
    assert await ids(records, begins=OPENED + timedelta(days=28)) == ["ep-29", "ep-28"]
    assert await ids(records, ends=OPENED + timedelta(days=1)) == ["ep-00"]
    assert (len(await ids(records, open=True)), await ids(records, open=False)) == (30, [])
    assert (len(await ids(records, drill=False)), await ids(records, drill=True)) == (30, [])
    (found,) = await search(records, RING, Wanted(breach="any"))
    assert (found.missed, found.owner, found.client_ref) == (2, "mara", "client-2")
    await destroy(records, "client-2", START)
    assert await ids(records, breach="first_contact") == []
    assert await ids(records, breach="any") == ["ep-17"], "that something was missed stands in the clear"


async def test_filters_are_kept_for_each_person(records: Database):
    wanted = Wanted(breach="any", begins=START)
    await save(records, "ada", "missed", Wanted(), START)
    await save(records, "ada", "missed", wanted, START + timedelta(seconds=1))
    await save(records, "lee", "mine", Wanted(therapist="lee"), START)
    assert await saved(records, "ada") == {"missed": wanted}
    assert not await forget(records, "ada", "mine")
    assert await forget(records, "ada", "missed")
    assert await saved(records, "ada") == {}


@pytest.mark.parametrize("wrong", [{"client_ref": ""}, {"breach": "x" * 65}, {"begins": "monday"}, {"who": "x"}])
def test_a_filter_that_is_none_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        Wanted.model_validate(wrong)
