"""`holdfast episode …` against a real Temporal server, a real worker and real records."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from activities.recording import Recording
from audit import database, migrate
from audit.sealing import Keyring
from audit.spool import FOLDER, Spool
from audit.store import Store
from cli.demo_seed import SEEDS, seed
from cli.main import run
from settings import Settings, load
from tests.workflows.stack import Pager, free_port, temporal_server
from worker import episode_worker
from workflows.connection import connect

pytestmark = pytest.mark.full

SPEC = "caring_contacts"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with temporal_server(port):
        yield port


@pytest.fixture
async def settings(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """What the command line is told, with a worker that serves it."""
    told = {
        "HOLDFAST_VAR": str(tmp_path),
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

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    async def __call__(self, *arguments: str) -> int:
        code = await asyncio.to_thread(run, list(arguments))
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    async def json(self, *arguments: str) -> Any:
        await self(*arguments, "--json")
        return json.loads(self.out)


@pytest.fixture
def holdfast(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


async def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await true()):
            await asyncio.sleep(0.1)
    return found


async def opened(holdfast: Shell) -> str:
    receipt = await holdfast.json("episode", "open", SPEC, "--client", "client-1", "--as", "tess")
    return receipt["episode_id"]


async def test_an_episode_is_opened_led_and_shown(holdfast: Shell) -> None:
    episode_id = await opened(holdfast)
    short = episode_id[:8]
    assert (
        await holdfast("episode", "do", episode_id, "declare-emergency", "--reason", "no answer", "--as", "tess") == 0
    )
    assert "rises from" in holdfast.out
    assert "next: " in holdfast.out
    listed = await until(lambda: listing(holdfast, episode_id, risk="imminent"))
    assert (listed["owner"], listed["client_ref"]) == ("tess", "client-1")
    assert await holdfast("episode", "list") == 0
    assert listed["protocol"] in holdfast.out
    assert listed["protocol_version"] in holdfast.out
    for fits, which in ((True, listed["protocol_version"]), (True, listed["protocol_hash"][:8]), (False, "9.9.9")):
        board = await holdfast.json("episode", "list", "--protocol", listed["protocol"], "--version", which)
        assert (episode_id in [one["episode_id"] for one in board["episodes"]]) is fits
    assert await holdfast("episode", "show", short) == 0
    for expected in (episode_id, "IMMINENT", "Whom to call", "What to say to the emergency service", "988"):
        assert expected in holdfast.out
    face = await holdfast.json("episode", "show", short)
    assert face["duties"][0]["due_at"] <= face["duties"][-1]["due_at"]
    assert {"stage", "todo", "script", "resources", "next_stages"} <= face.keys()
    assert await holdfast("episode", "watch", short) == 0
    assert episode_id in holdfast.out


async def listing(holdfast: Shell, episode_id: str, risk: str | None = None) -> Any:
    """The episode's line in the list, once it is there (at this risk); the records follow a moment later."""
    board = await holdfast.json("episode", "list")
    assert board["engine"] == "up"
    found = [one for one in board["episodes"] if one["episode_id"] == episode_id and risk in (None, one["risk"])]
    return found[0] if found else None


async def test_whoever_looks_leaves_a_row_and_helps_in_a_crisis_without_it(holdfast: Shell, settings: Settings) -> None:
    episode_id = await opened(holdfast)
    await until(lambda: listing(holdfast, episode_id))
    for arguments in (("list",), ("show", episode_id), ("watch", episode_id), ("watch",)):
        assert await holdfast("episode", *arguments) == 0
    assert await holdfast("episode", "do", episode_id, "declare-emergency", "--as", "tess") == 0
    looks = await holdfast.json("audit", "access", "--client", "client-1")
    assert {one["detail"]["view"] for one in looks} == {"episode list", "episode show", "episode do", "audit access"}
    assert {one["episode_id"] for one in looks} == {episode_id, ""}, "who asks who looked asks about a client"
    path = settings.database_url.get_secret_value().removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert await holdfast("episode", "list") == 3, "a list is not shown without its row"
    assert episode_id not in holdfast.out
    assert await holdfast("episode", "show", episode_id) == 0
    assert await holdfast("episode", "do", episode_id, "declare-emergency", "--as", "tess") in (0, 1)
    ring = Keyring((key.id, key.secret) for key in settings.record_keys)
    assert len(Spool(settings.var / FOLDER, ring).waiting()) == 2


async def test_a_refusal_says_what_is_missing_and_how_to_mend_it(holdfast: Shell) -> None:
    episode_id = await opened(holdfast)
    assert (
        await holdfast("episode", "do", episode_id, "close-episode", "--outcome", "x", "--reason", "y", "--as", "tess")
        == 1
    )
    assert holdfast.out.startswith("refused (")
    assert "\nmend:  " in holdfast.out
    receipt = await holdfast.json("episode", "do", episode_id, "advance", "--as", "tess")
    assert receipt["events"][-1]["kind"] == "CommandRefused"


async def test_the_same_command_id_changes_nothing_twice(holdfast: Shell) -> None:
    episode_id = await opened(holdfast)
    note = ("episode", "do", episode_id, "add-addendum", "--refers-to", "1", "--text", "more", "--as", "tess")
    first = await holdfast.json(*note, "--id", "note-1")
    assert await holdfast.json(*note, "--id", "note-1") == first


@pytest.mark.parametrize(
    ("actor", "more", "message"),
    [
        ("nobody", [], "not on the staff"),
        ("tess", ["--role", "supervisor"], "tess is no supervisor"),
        ("finn", [], "has no role in caring_contacts"),
    ],
)
async def test_only_the_staff_acts_and_only_in_their_roles(
    actor: str, more: list[str], message: str, holdfast: Shell
) -> None:
    episode_id = await opened(holdfast)
    assert await holdfast("episode", "do", episode_id, "advance", "--as", actor, *more) == 2
    assert message in holdfast.err
    assert "\nmend:  " in holdfast.err


@pytest.mark.parametrize(
    ("to", "message", "mend"),
    [
        ("rut", "rut is not on the staff", "did you mean `ruth`"),
        ("finn", "finn has no role in caring_contacts", "add one in the rota"),
        ("noor", "", ""),
    ],
)
async def test_an_episode_is_offered_only_to_staff_who_may_own_it(
    to: str, message: str, mend: str, holdfast: Shell
) -> None:
    episode_id = await opened(holdfast)
    offer = ("episode", "do", episode_id, "offer-handover", "--to", to, "--reason", "shift", "--as", "maya")
    assert await holdfast(*offer) == (2 if message else 0)
    assert message in holdfast.err
    assert mend in holdfast.err.lower()


async def test_an_unknown_episode_is_said_to_be_one(holdfast: Shell) -> None:
    assert await holdfast("episode", "show", "no-such-episode") == 2
    assert "there is no episode" in holdfast.err


async def test_the_trail_is_verified(holdfast: Shell) -> None:
    episode_id = await opened(holdfast)
    await until(lambda: listing(holdfast, episode_id))
    verdicts = await holdfast.json("audit", "verify")
    assert verdicts["good"]
    assert episode_id in [one["episode_id"] for one in verdicts["episodes"]]
    assert await holdfast("audit", "verify", episode_id) == 0
    assert "all good" in holdfast.out


async def test_the_fictional_episodes_are_opened_once(holdfast: Shell, settings: Settings) -> None:
    said: list[str] = []
    await seed(settings, said.append)
    await seed(settings, said.append)
    assert await until(lambda: seeded(holdfast)) == len(SEEDS)
    assert await holdfast("episode", "list", "--risk", "high") == 0
    assert "IMMINENT" in holdfast.out
    assert await holdfast("episode", "list", "--owner", "maya") == 0
    assert "Maya" in holdfast.out
    assert "Sam" not in holdfast.out


async def seeded(holdfast: Shell) -> int:
    """How many episodes are listed, once the records have followed all that was done in them."""
    board = await holdfast.json("episode", "list")
    risks = {one["risk"] for one in board["episodes"]}
    return len(board["episodes"]) if risks >= {"low", "high", "imminent"} else 0


async def test_a_list_says_that_the_engine_is_down(holdfast: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    episode_id = await opened(holdfast)
    await until(lambda: listing(holdfast, episode_id))
    monkeypatch.setenv("HOLDFAST_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert await holdfast("episode", "list") == 0
    assert "ENGINE DOWN" in holdfast.out
    assert episode_id[:8] in holdfast.out
    assert await holdfast("episode", "show", episode_id) == 3
    assert "does not answer" in holdfast.err


async def test_records_that_are_away_are_said_to_be(holdfast: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "sqlite+aiosqlite:////nowhere/at/all.db")
    assert await holdfast("episode", "list") == 3
    assert "the records do not answer" in holdfast.err
