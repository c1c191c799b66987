"""An auditor finds the one breached follow-up among many episodes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, event, text

from audit.database import Database, connect
from audit.keys import destroy
from audit.migrate import upgrade
from audit.search import Wanted, forget, save, saved, search
from audit.store import Store
from protocol import commands as c
from protocol.engine import Engine
from tests.audit.bundles import keep
from tests.audit.records import RING, START, sqlite_url, tampering
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
    return [one.episode_id for one in (await search(records, RING, Wanted(**wanted), limit)).found]


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
    (found,) = (await search(records, RING, Wanted(breach="any"))).found
    assert (found.missed, found.owner, found.client_ref) == (2, "mara", "client-2")
    assert await ids(records, episode="ep-1") == [f"ep-{number}" for number in range(19, 9, -1)]
    assert await ids(records, episode="%") == []
    await destroy(records, "client-2", START)
    assert await ids(records, breach="first_contact") == []
    assert (await search(records, RING, Wanted(breach="first_contact"))).unreadable == ("ep-17",)
    assert await ids(records, breach="any") == ["ep-17"], "that something was missed stands in the clear"


async def test_the_pages_of_a_list_follow_each_other(store: Store, records: Database):
    await many(store)
    pages = [await search(records, RING, Wanted(client_ref="client-1"), 4, skip) for skip in (0, 4, 8)]
    assert [[one.episode_id for one in page.found] for page in pages] == [
        ["ep-28", "ep-25", "ep-22", "ep-19"],
        ["ep-16", "ep-13", "ep-10", "ep-07"],
        ["ep-04", "ep-01"],
    ]
    assert {page.total for page in pages} == {10}
    named = await search(records, RING, Wanted(breach="first_contact"), 4, 1)
    assert (named.found, named.total) == ((), 1)


DAMAGE = {
    "the seal": "UPDATE trail SET sealed = zeroblob(90) WHERE episode_id = 'ep-03' AND kind = 'DeadlineMissed'",
    "the time": "UPDATE trail SET written_at = 'monday' WHERE episode_id = 'ep-03' AND kind = 'DeadlineMissed'",
    "the key's name": "UPDATE trail SET key_id = x'ff' WHERE episode_id = 'ep-03' AND kind = 'DeadlineMissed'",
    "the key": "UPDATE client_keys SET wrapped_key = x'00' WHERE client_ref = 'client-0'",
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_one_damaged_row_hides_no_other_episode(tmp_path: Path, what: str):
    url = sqlite_url(tmp_path)
    upgrade(url)
    records = connect(url)
    store = Store(records, RING)
    for name, client in (("ep-02", "client-1"), ("ep-03", "client-0")):
        await keep(store, compact(), missed(name, client))
    with tampering(url) as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        connection.exec_driver_sql(DAMAGE[what].replace("x'ff'", "CAST(x'ff' AS TEXT)"))
    answer = await search(records, RING, Wanted(breach="first_contact"))
    assert [one.episode_id for one in answer.found] == ["ep-02"]
    assert answer.unreadable == ("ep-03",)
    assert (await search(records, RING, Wanted(breach="any"))).total == 2
    await records.dispose()


def missed(episode_id: str, client_ref: str) -> Story:
    story = Story()
    story.engine = Engine(compact(), episode_id, KEY)
    story.do(c.OpenEpisode, episode_id=episode_id, client_ref=client_ref, owner="mara")
    story.in_follow_up()
    story.later("73h").contact(ago="2h")
    return story


async def test_missed_deadlines_are_found_by_their_index(store: Store, records: Database):
    """Not by reading the whole trail, which takes long where it is large."""
    await keep(store, compact(), missed("ep-02", "client-1"))
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append(statement)
        told.append(parameters)

    told: list[Any] = []
    event.listen(records.engine, "before_cursor_execute", note)
    for breach in ("any", "first_contact", None):
        await search(records, RING, Wanted(breach=breach, therapist="mara"))
    event.remove(records.engine, "before_cursor_execute", note)
    pairs = [(one, bound) for one, bound in zip(asked, told, strict=True) if "'DeadlineMissed'" in one]
    assert len(pairs) >= 5
    for statement, bound in pairs:
        plan = await records.read(lambda connection, pair=(statement, bound): explained(connection, *pair))
        assert "ix_trail_missed" in plan, plan
        assert "SCAN trail\n" not in plan, plan


def explained(connection: Connection, statement: str, bound: Any) -> str:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all()
        return "\n".join(str(row[-1]) for row in rows) + "\n"
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table of a few rows is read whole
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", bound).all())


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
