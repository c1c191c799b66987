"""Temporal comes back from an older copy than the records: found, told, and the episode goes on from its trail."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from activities.ends import Ends
from audit.access import Sought, looked
from audit.database import connect
from audit.sealing import Keyring
from audit.verification import Wanted, verification
from cli.desk import Desk
from cli.output import Trouble
from cli.reconcile import Reconciled, reconciled
from protocol import commands as c
from tests.workflows.stack import Stack, brisk, command, free_port, opening, stack, temporal_server
from workflows.client import EpisodeClient, EpisodeStoppedError, workflow_id

pytestmark = pytest.mark.full

ROTA = """
time_zone: America/Los_Angeles
people:
  - {id: maya, name: Maya, roles: [therapist], email: maya@example.test, licensed: true, licensed_in: [CA]}
"""


def copy(folder: Path, to: Path) -> None:
    """Temporal's files, while no server runs."""
    to.mkdir()
    for file in folder.glob("temporal.db*"):
        shutil.copy(file, to / file.name)


async def reconcile(shell: Stack, episode_id: str) -> Reconciled:
    rota = shell.settings.var / "rota.yaml"
    rota.write_text(ROTA, encoding="utf-8")
    told = shell.settings.model_copy(update={"rota": rota})
    records = connect(told.database_url.get_secret_value())
    try:
        return await reconciled(
            Desk(told, records, Keyring((one.id, one.secret) for one in told.record_keys)), episode_id, "maya"
        )
    finally:
        await records.dispose()


async def who_looked(shell: Stack, episode_id: str) -> list[str]:
    records = connect(shell.settings.database_url.get_secret_value())
    try:
        return [one.detail["view"] for one in await looked(records, Sought(episode_id=episode_id))]
    finally:
        await records.dispose()


async def note(shell: Stack, episode_id: str, text: str) -> None:
    await shell.episodes.submit(episode_id, command(c.AddAddendum, refers_to=1, text=text))


async def said(shell: Stack, episode_id: str) -> list[str]:
    rows = await shell.recorded(episode_id)
    return [row.payload["event"]["text"] for row in rows if row.kind == "AddendumAdded" and row.payload]


async def test_an_episode_whose_workflow_is_behind_goes_on_from_its_trail(tmp_path: Path):
    port, folder = free_port(), tmp_path / "temporal"
    folder.mkdir()
    told, unknown = opening(), opening()
    repeated = command(c.AddAddendum, refers_to=1, text="after the copy")
    with contextlib.ExitStack() as first:
        first.enter_context(temporal_server(port, folder / "temporal.db"))
        async with stack(tmp_path, port) as shell:
            async with shell.worker():
                await shell.episodes.open(brisk(), told)
                await note(shell, told.episode_id, "before the copy")
                await shell.recorded(told.episode_id)
                with pytest.raises(Trouble, match="knows all that the trail says"):
                    await reconcile(shell, told.episode_id)
                assert await who_looked(shell, told.episode_id) == ["audit reconcile"]
            first.close()
            copy(folder, tmp_path / "aside")
            with temporal_server(port, folder / "temporal.db"):
                async with shell.worker():
                    await shell.episodes.submit(told.episode_id, repeated)
                    await shell.episodes.submit(told.episode_id, command(c.DeclareEmergency))
                    await shell.recorded(told.episode_id)
                    await shell.episodes.open(brisk(), unknown)
                    await shell.recorded(unknown.episode_id)
            shutil.rmtree(folder)
            copy(tmp_path / "aside", folder)
            with temporal_server(port, folder / "temporal.db"):
                async with shell.worker():
                    await _goes_on(shell, told.episode_id, repeated)
                    assert (await reconcile(shell, unknown.episode_id)).taken_over == ()
                    await note(shell, unknown.episode_id, "It goes on.")
                    await shell.recorded(unknown.episode_id)


async def _goes_on(shell: Stack, episode_id: str, repeated: c.AddAddendum) -> None:
    """The workflow has forgotten an emergency, and takes a command that no record will ever hold as it is."""
    await note(shell, episode_id, "into the old state")
    async with asyncio.timeout(60):
        while not (await shell.episodes.view(episode_id)).unrecorded:
            await asyncio.sleep(0.1)
    done = await reconcile(shell, episode_id)
    assert done.taken_over == ("AddAddendum",)
    assert done.refused == ()
    view = await shell.episodes.view(episode_id)
    assert view.episode is not None
    assert view.episode.stage == brisk().emergency.stage
    again = await shell.episodes.submit(episode_id, repeated)
    assert again.refusal is None
    texts = await said(shell, episode_id)
    assert texts[:3] == ["before the copy", "after the copy", "into the old state"]
    assert texts[3].startswith("Temporal knew less than the trail")
    assert len(texts) == 4, "what is sent again is not applied again"
    async with asyncio.timeout(60):
        while "DeadlineMissed" not in {row.kind for row in await shell.recorded(episode_id)}:
            await asyncio.sleep(0.2)


async def test_an_episode_whose_workflow_was_ended_is_told_and_goes_on(tmp_path: Path):
    port, told = free_port(), opening()
    with temporal_server(port, tmp_path / "temporal.db"):
        async with stack(tmp_path, port) as shell, shell.worker():
            await shell.episodes.open(brisk(), told)
            await note(shell, told.episode_id, "before")
            await shell.episodes.submit(told.episode_id, command(c.DeclareEmergency))
            await shell.recorded(told.episode_id)
            assert not await stopped(shell)
            await shell.client.get_workflow_handle(workflow_id(told.episode_id)).terminate("a press on the wrong page")
            with pytest.raises(EpisodeStoppedError, match="audit reconcile"):
                await note(shell, told.episode_id, "into nothing")
            with pytest.raises(EpisodeStoppedError, match="audit reconcile"):
                await shell.episodes.open(brisk(), told)
            assert await stopped(shell) == [told.episode_id]
            assert (await reconcile(shell, told.episode_id)).taken_over == ()
            assert not await stopped(shell)
            await note(shell, told.episode_id, "It goes on.")
            async with asyncio.timeout(60):
                while "DeadlineMissed" not in {row.kind for row in await shell.recorded(told.episode_id)}:
                    await asyncio.sleep(0.2)
            texts = await said(shell, told.episode_id)
            assert texts[0] == "before"
            assert texts[1].startswith("The workflow was ended in Temporal; the episode went on from entry")
            with pytest.raises(Trouble, match="knows all that the trail says"):
                await reconcile(shell, told.episode_id)


async def stopped(shell: Stack) -> list[str]:
    """The episodes that a verification finds stopped."""
    records = connect(shell.settings.database_url.get_secret_value())
    ring = Keyring((one.id, one.secret) for one in shell.settings.record_keys)

    async def way() -> EpisodeClient:
        return shell.episodes

    try:
        found = await verification(records, ring, None, Ends(way), Wanted(ask=True))
    finally:
        await records.dispose()
    assert all("was ended in Temporal" in one.text for one in found.found), "and nothing else"
    return [one.episode_id for one in found.found]
