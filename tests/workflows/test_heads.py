"""The records held against what the workflows themselves remember, on a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, insert, select, update

from activities.ends import Ends
from audit.database import Database, connect
from audit.heads import Asked, ask, hold
from audit.heads import ask_all as ask_everyone
from audit.lists import Lists
from audit.sealing import Keyring
from audit.tables import episodes, trail
from audit.verification import Findings
from audit.verify import Verdict, Verifier
from cli.desk import Desk
from cli.verify import ways_to
from protocol import commands as c
from tests.audit.records import tampering
from tests.workflows.stack import Stack, brisk, command, opening
from workflows.client import workflow_id

pytestmark = pytest.mark.full


def desk(shell: Stack, records: Database) -> Desk:
    return Desk(shell.settings, records, Keyring((key.id, key.secret) for key in shell.settings.record_keys))


async def ask_all(at: Desk) -> Asked:
    return await ask_everyone(Ends(ways_to(at)))


async def ask_one(at: Desk, episode_id: str) -> Asked:
    return await ask(Ends(ways_to(at)), [episode_id])


async def judged(at: Desk) -> list[Verdict]:
    asked = await ask_all(at)
    verifier = Verifier(at.records, at.ring, remembered=asked.heads)
    return await hold(Ends(ways_to(at)), asked, [one async for one in verifier.all()])


async def listed(at: Desk, count: int) -> None:
    """Temporal's list follows a moment later."""
    async with asyncio.timeout(60):
        while len((await ask_all(at)).ends) < count:
            await asyncio.sleep(0.1)


async def test_every_open_workflow_is_held_against_the_records(shell: Stack):
    url = shell.settings.database_url.get_secret_value()
    records = connect(url)
    at = desk(shell, records)
    async with shell.worker():
        first, second = opening(), opening()
        for one in (first, second):
            await shell.episodes.open(brisk(), one)
            await shell.episodes.submit(one.episode_id, command(c.AddAddendum, refers_to=1, text="Seen."))
        kept = {one.episode_id: await shell.recorded(one.episode_id) for one in (first, second)}
        await listed(at, 2)
        assert {one.episode_id: (one.rows, one.fault) for one in await judged(at)} == {
            name: (len(rows), None) for name, rows in kept.items()
        }

        last = len(kept[first.episode_id])
        here = (trail.c.episode_id == first.episode_id) & (trail.c.sequence == last)
        row = dict(
            (await records.read(lambda connection: connection.execute(select(trail).where(here)).mappings().all()))[0]
        )
        with tampering(url) as connection:  # whoever cuts the tail lowers the list, too
            connection.execute(delete(trail).where(here))
            connection.execute(
                update(episodes).where(episodes.c.episode_id == first.episode_id).values(revision=last - 1)
            )
        assert faults(await judged(at)) == [f"row {last}: truncated: the chain should reach row {last}"]

        with tampering(url) as connection:
            connection.execute(insert(trail), row)
            connection.execute(delete(trail).where(trail.c.episode_id == second.episode_id))
        gone = faults(await judged(at))
        assert gone == ["row 1: truncated: the episode is known but has no trail"]

        asked = await ask_one(at, first.episode_id)
        view = asked.ends[first.episode_id]
        shorter = replace(view, head=replace(view.head, sequence=last - 1))
        verdict = await Verifier(records, at.ring).episode(first.episode_id)
        asked.ends[first.episode_id] = shorter
        assert faults(await hold(Ends(ways_to(at)), asked, [verdict])) == [], (
            "a chain that grew since is asked about again"
        )
    await records.dispose()


async def test_a_closed_workflow_is_asked_as_long_as_temporal_has_it(shell: Stack):
    url = shell.settings.database_url.get_secret_value()
    records = connect(url)
    at = desk(shell, records)
    async with shell.worker():
        told = opening()
        await shell.episodes.open(brisk(), told)
        rows = await shell.recorded(told.episode_id)
        handle = shell.client.get_workflow_handle(workflow_id(told.episode_id))
        await handle.terminate()
        await listed(at, 1)
        with tampering(url) as connection:
            connection.execute(delete(trail).where(trail.c.sequence == len(rows)))
            connection.execute(update(episodes).values(revision=len(rows) - 1))
        asked = await ask_all(at)
        assert set(asked.ends) == {told.episode_id}
        assert faults(await judged(at)) == [f"row {len(rows)}: truncated: the chain should reach row {len(rows)}"]
    await records.dispose()


async def test_rows_on_the_way_are_no_fault_and_rows_handed_over_are(shell: Stack):
    records = connect(shell.settings.database_url.get_secret_value())
    at = desk(shell, records)
    async with shell.worker():
        told = opening()
        await shell.episodes.open(brisk(), told)
        await shell.recorded(told.episode_id)
        shell.records.away = True
        await shell.episodes.submit(told.episode_id, command(c.AddAddendum, refers_to=1, text="Seen."))
        asked = await ask_one(at, told.episode_id)
        assert asked.ends[told.episode_id].unrecorded == 1
        verdict = await Verifier(records, at.ring, remembered=asked.heads).episode(told.episode_id)
        assert faults(await hold(Ends(ways_to(at)), asked, [verdict])) == []
        assert "of 1 some rows are still on the way" in asked.said
        short = replace(verdict, rows=verdict.rows - 1)
        assert faults(await hold(Ends(ways_to(at)), asked, [short])) == [
            f"row {verdict.rows}: truncated: the workflow handed over the rows up to {verdict.rows}"
        ]
        (comparison,) = [one async for one in Lists(records, at.ring).compare([verdict])]
        assert comparison.disagreement is comparison.skipped is None
        ahead = replace(comparison, ahead=short.fault)
        assert Findings([], None, [ahead], asked, "").cut(ahead) is None  # pyright: ignore[reportArgumentType]
        shell.records.away = False
    await records.dispose()


async def test_workflows_that_cannot_be_asked_are_said(shell: Stack, tmp_path: Path):
    records = connect(f"sqlite:///{tmp_path / 'records.db'}")
    away = Desk(
        shell.settings.model_copy(update={"temporal_address": "127.0.0.1:1", "database_url": SecretStr("")}),
        records,
        Keyring([("k", b"1" * 32)]),
    )
    asked = await ask_all(away)
    assert asked.said == "Workflows: not asked; Temporal does not answer at 127.0.0.1:1."
    await records.dispose()


def faults(verdicts: list[Verdict]) -> list[str]:
    return [str(one.fault).split(", ", 1)[1] for one in verdicts if one.fault is not None]
