"""`holdfast protocol migrate` against a real Temporal server, a real worker and real records."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.recording import Recording
from audit import database, migrate
from audit.sealing import Keyring
from audit.store import Store
from cli.main import run
from settings import Settings, load
from tests.workflows.stack import Pager, free_port, temporal_server
from worker import episode_worker
from workflows.connection import connect

pytestmark = pytest.mark.full

SPECS = Path(__file__).parents[2] / "protocol_specs"
NAME = "caring_contacts"
LIMIT = "first_appointment_limit"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with temporal_server(port):
        yield port


@pytest.fixture
async def settings(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    folder = tmp_path / "protocols"
    folder.mkdir()
    for name in (f"{NAME}.yaml", "rota.yaml", "directory.yaml"):
        shutil.copy(SPECS / name, folder / name)
    told = {
        "HOLDFAST_VAR": str(tmp_path),
        "HOLDFAST_PROTOCOLS": str(folder),
        "HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "HOLDFAST_TEMPORAL_TASK_QUEUE": f"q-{uuid.uuid4()}",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = load(os.environ)
    await asyncio.to_thread(migrate.upgrade, settings.database_url.get_secret_value())
    records = database.connect(settings.database_url.get_secret_value())
    store = Store(records, Keyring((key.id, key.secret) for key in settings.record_keys))
    pager = Pager()
    serving = [Recording(store, at_once=1).append_rows, pager.deliver_page, pager.request_referral]
    async with episode_worker(await connect(settings), settings.model_copy(update={"drain_seconds": 1.0}), serving):
        yield settings
    await records.dispose()


class Shell:
    """A command line and what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self._folder = folder
        self.out = self.err = ""

    async def __call__(self, *arguments: str) -> int:
        code = await asyncio.to_thread(run, list(arguments))
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    async def json(self, *arguments: str) -> Any:
        await self(*arguments, "--json")
        return json.loads(self.out)

    async def opened(self) -> str:
        receipt = await self.json("episode", "open", NAME, "--client", "client-1", "--as", "tess")
        await self.recorded(receipt["episode_id"], "0.1.0")
        return receipt["episode_id"]

    async def recorded(self, episode_id: str, version: str) -> None:
        """Returns when the records, which follow the workflow, show the episode under that version."""
        async with asyncio.timeout(60):
            while (episode_id, version) not in await self.listed():
                await asyncio.sleep(0.1)

    async def listed(self) -> list[tuple[str, str]]:
        return [
            (one["episode_id"], one["protocol_version"]) for one in (await self.json("episode", "list"))["episodes"]
        ]

    def newer(self, due: str, deadline: str) -> str:
        """The next version, with another time for the first appointment; the path of its file."""
        text = (self._folder / f"{NAME}.yaml").read_text(encoding="utf-8")
        way = f"version: 0.2.0\nmigrates_from: {{0.1.0: {{obligations: {{{LIMIT}: {{deadline: {deadline}}}}}}}}}"
        before, after = text.replace("version: 0.1.0", way).split(f"  {LIMIT}:")
        file = self._folder.parent / f"{NAME}.yaml"
        file.write_text(f"{before}  {LIMIT}:{after.replace('due: 7d', f'due: {due}', 1)}", encoding="utf-8")
        return str(file)


@pytest.fixture
def holdfast(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys, settings.protocols)


async def test_a_dry_run_shows_each_changed_deadline_and_then_they_change(holdfast: Shell) -> None:
    episode_id = await holdfast.opened()
    newer = holdfast.newer("3d", "shorten")
    assert await holdfast("protocol", "migrate", newer, "--dry-run") == 0
    assert "sooner" in holdfast.out
    assert "1 episodes: 1 can be moved, 0 of them need a sign-off." in holdfast.out
    dry = await holdfast.json("protocol", "migrate", newer, "--dry-run")
    looks = await holdfast.json("audit", "access", "--episode", episode_id, "--what", "replayed")
    assert [one["purpose"] for one in looks] == ["dry run of a migration"] * 2
    (changed,) = [one for one in dry["deadlines"] if one["effect"] != "kept"]
    assert await holdfast("protocol", "migrate", newer) == 2
    assert "who moves them?" in holdfast.err
    assert await holdfast("protocol", "migrate", newer, "--as", "ruth", "--only", episode_id[:8]) == 0
    face = await holdfast.json("episode", "show", episode_id)
    assert face["version"] == "0.2.0"
    (duty,) = [one for one in face["duties"] if one["obligation_id"] == changed["obligation_id"]]
    assert duty["due_at"] == changed["new_due_at"]
    await holdfast.recorded(episode_id, "0.2.0")
    (version,) = [one for one in await holdfast.json("protocol", "versions") if one["version"] == "0.2.0"]
    assert version["open_episodes"] == 1
    assert await holdfast("audit", "replay", episode_id) == 0
    assert "0.1.0 → 0.2.0" in holdfast.out
    assert (await holdfast.json("protocol", "migrate", newer, "--dry-run"))["episodes"] == 0


async def test_what_comes_later_moves_only_under_a_clinicians_name(holdfast: Shell) -> None:
    episode_id = await holdfast.opened()
    newer = holdfast.newer("9d", "rearm")
    assert await holdfast("protocol", "migrate", newer, "--as", "ruth") == 1
    assert "LATER" in holdfast.out
    assert (await holdfast.json("episode", "show", episode_id))["version"] == "0.1.0"
    signed = ("--signed-by", "gale", "--reason", "The clinic has no earlier slot.")
    assert await holdfast("protocol", "migrate", newer, "--as", "ruth", *signed[:2]) == 2
    assert await holdfast("protocol", "migrate", newer, "--as", "ruth", *signed) == 0
    assert "moved" in holdfast.out
    await holdfast.recorded(episode_id, "0.2.0")
    assert await holdfast("audit", "replay", episode_id) == 0
    assert "signed by Gale: The clinic has no earlier slot." in " ".join(holdfast.out.split())


async def test_an_episode_without_a_way_is_named_with_the_reason(holdfast: Shell) -> None:
    episode_id = await holdfast.opened()
    file = Path(holdfast.newer("3d", "keep"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("{0.1.0: ", "{0.0.9: "), encoding="utf-8")
    assert await holdfast("protocol", "migrate", str(file), "--dry-run") == 1
    assert f"{episode_id} can't be moved: 0.2.0 names no way from 0.1.0." in holdfast.out
