"""The history of an episode from the records alone, on SQLite and PostgreSQL, with no Temporal anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from audit.checkpoints import Checkpointer, Witness
from audit.database import Database
from audit.history import HistoryError, episodes_beginning_with, history
from audit.keys import destroy
from audit.lists import Comparison, Lists, folded
from audit.queries import Queries
from audit.store import Store
from audit.tables import checkpoints, episodes, protocols, trail
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol.trail import Entry, Head, TrailRow, append, genesis
from protocol_specs.loader import load, load_protocol
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Scenario
from tests.audit.bundles import KEYS
from tests.audit.records import RING, SALT_KEY, START, summary, tampering
from tests.protocol.specs import compact
from tests.protocol.story import Story

SPECS = Path(__file__).parents[2] / "protocol_specs"


async def save(store: Store, spec: ProtocolSpec) -> None:
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())


async def recorded(store: Store) -> Story:
    """An episode with a missed deadline and a late entry, in the records."""
    story = Story.begun().in_follow_up()
    story.later("73h").contact(ago="2h")
    await save(store, compact())
    await store.append(story.engine.rows, summarise(compact(), story.episode))
    return story


async def test_an_episode_is_told_from_the_records_alone(store: Store, records: Database):
    story = await recorded(store)
    told = await history(records, RING, "ep-1", Witness(records, None))
    assert told.sound
    assert (told.verdict.rows, len(told.entries), told.differences) == (story.episode.revision,) * 2 + (0,)
    assert told.spec == compact()
    assert [one.end for one in told.breaches if one.title == "Speak to the client"] == ["met"]


async def test_a_changed_row_is_named_and_ends_the_account(store: Store, records: Database, url: str):
    await recorded(store)
    with tampering(url) as connection:
        connection.execute(update(trail).where(trail.c.sequence == 4).values(actor="somebody"))
    told = await history(records, RING, "ep-1", Witness(records, None))
    assert not told.sound
    assert told.stopped == "episode ep-1, row 4: edited: the columns do not make the row's hash"
    assert told.entries[-1].sequence <= 3
    with tampering(url) as connection:
        connection.execute(update(trail).where(trail.c.sequence == 1).values(actor="somebody"))
    with pytest.raises(HistoryError, match="row 1: edited"):
        await history(records, RING, "ep-1", Witness(records, None))


async def cut_off(url: str, rows: int, *, lowering_the_list: bool) -> None:
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.sequence > rows))
        if lowering_the_list:
            connection.execute(update(episodes).values(revision=rows))


async def test_an_end_cut_off_under_a_checkpoint_is_named(store: Store, records: Database, url: str):
    story = await recorded(store)
    last, witness = story.episode.revision, Witness(records, KEYS)
    assert (await history(records, RING, "ep-1", witness)).vouched_for.startswith("Checkpoints: none vouches")
    await Checkpointer(records, KEYS, lambda: START).make()
    told = await history(records, RING, "ep-1", witness)
    assert told.sound
    assert told.vouched_for == f"Checkpoints: signed, they vouch for the chain up to entry {last}."
    await cut_off(url, last - 3, lowering_the_list=True)
    told = await history(records, RING, "ep-1", witness)
    assert not told.sound
    assert told.stopped == f"episode ep-1, row {last - 2}: truncated: the chain should reach row {last}"
    assert told.entries[-1].sequence == last - 3, "what is there is told"
    unheard = await history(records, RING, "ep-1", Witness(records, None))
    assert "not checked" in unheard.vouched_for
    with tampering(url) as connection:
        connection.execute(update(checkpoints).values(rows=3))
    told = await history(records, RING, "ep-1", Witness(records, KEYS))
    assert (told.sound, told.witnessed.problem) == (False, "checkpoint 1: the signature does not fit")


async def test_an_end_that_the_list_still_knows_is_missed_without_any_checkpoint(
    store: Store, records: Database, url: str
):
    last = (await recorded(store)).episode.revision
    await cut_off(url, last - 1, lowering_the_list=False)
    told = await history(records, RING, "ep-1", Witness(records, None))
    assert not told.sound
    assert f"row {last}: truncated: the list of episodes knows row {last}" in str(told.verdict.fault)


async def test_a_decision_forged_by_somebody_with_every_key_differs(store: Store, records: Database):
    """The chain is whole; only deciding anew shows it."""
    story = Story.begun()
    story.answer(plan="yes")
    rows, head = list[TrailRow](), genesis("ep-1")
    for row in story.engine.rows:
        payload = row.payload or {}
        if row.kind == "RiskRaised":
            payload = {**payload, "event": {**payload["event"], "level": "low"}}
        rows.append(forged(head, row, payload))
        head = rows[-1].head
    await save(store, compact())
    await store.append(rows, summarise(compact(), story.episode))
    told = await history(records, RING, "ep-1", Witness(records, None))
    assert (told.verdict.fault, told.stopped, told.sound) == (None, None, False)
    differing = next(entry for entry in told.entries if entry.differences)
    assert differing.differences == ("level is recorded as low; decided anew it is high",)


def forged(head: Head, row: TrailRow, payload: dict[str, object]) -> TrailRow:
    entry = Entry(
        *(row.episode_id, row.sequence, row.occurred_at, row.recorded_at, row.actor, row.role),
        *(row.command_id, row.kind, payload),
    )
    return append(head, entry, SALT_KEY)


async def test_the_pinned_protocol_must_be_there_and_be_itself(store: Store, records: Database, url: str):
    await recorded(store)
    assert (await history(records, RING, "ep-1", Witness(records, None))).sound, "who read it once looks again"
    with tampering(url) as connection:
        connection.execute(update(protocols).values(document=compact().canonical().replace("Compact", "Other")))
    with pytest.raises(HistoryError, match="was changed in the records"):
        await history(records, RING, "ep-1", Witness(records, None))
    with tampering(url) as connection:
        connection.execute(text("DELETE FROM protocols"))
    with pytest.raises(HistoryError, match="is not in the records"):
        await history(records, RING, "ep-1", Witness(records, None))


async def test_what_cannot_be_told_is_said(store: Store, records: Database):
    with pytest.raises(HistoryError, match="no episode ep-9"):
        await history(records, RING, "ep-9", Witness(records, None))
    await recorded(store)
    await destroy(records, "client-1", START)
    with pytest.raises(HistoryError, match="the client's key was destroyed"):
        await history(records, RING, "ep-1", Witness(records, None))


async def test_episodes_are_found_by_the_beginning_of_their_id(store: Store, records: Database):
    for episode_id in ("ep-1", "ep-10", "ep_2", "other"):
        made = forged(genesis(episode_id), replace(Story.begun().engine.rows[0], episode_id=episode_id), {"event": {}})
        await store.append([made], summary(1, episode_id))
    assert await episodes_beginning_with(records, "ep-1") == ("ep-1", "ep-10")
    assert await episodes_beginning_with(records, "ep-10") == ("ep-10",)
    assert await episodes_beginning_with(records, "ep_") == ("ep_2",)
    assert len(await episodes_beginning_with(records, "", limit=3)) == 3


@pytest.mark.full
async def test_the_trail_of_every_scenario_replays_to_the_identical_state(store: Store, records: Database):
    for path in sorted((SPECS / "scenarios").glob("*/*.yaml")):
        spec, scenario = load_protocol(SPECS / f"{path.parent.name}.yaml"), load(path, Scenario)
        stage = VirtualStage(spec, scenario)
        finished(play(program(spec), scenario, stage))
        end = finished(stage.episode())
        if end is None:
            continue
        await save(store, spec)
        await store.append(stage.trail, summarise(spec, end))
        told = await history(records, RING, end.episode_id, Witness(records, None))
        assert told.sound, path.name
        rows = await Queries(records, RING).trail_rows(end.episode_id, limit=100_000)
        assert folded(rows) == end, path.name
        (lists,) = [one async for one in Lists(records, RING).compare([told.verdict])]
        assert lists == Comparison(end.episode_id)
        last = told.entries[-1].state
        assert (len(told.entries), last.risk, last.owner) == (end.revision, end.risk, end.owner)
