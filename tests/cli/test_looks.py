"""Whatever the command line shows of clients, exports or verifies leaves a row: no command can be forgotten."""

from __future__ import annotations

import asyncio
import getpass
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.access import Access, Sought, looked
from audit.database import connect
from audit.sealing import Keyring
from audit.spool import FOLDER, Spool
from cli.main import run
from practice.accounts import Accounts
from practice.clients import Clients, read_file
from practice.sealing import Seal
from settings import load
from tests.cli.test_audit_command import episode as episode  # a fixture, used by each test
from tests.cli.test_command_tree import TREE

Out = pytest.CaptureFixture[str]

NOBODY = {
    "up": "starts processes",
    "worker": "runs a process",
    "demo": "plays made-up episodes in a server of its own",
    "migrate": "changes tables",
    "health": "asks Temporal for its pollers",
    "protocol list": "documents",
    "protocol show": "documents",
    "protocol lint": "documents",
    "protocol test": "made-up episodes",
    "protocol diff": "documents",
    "protocol schema": "documents",
    "protocol diagram": "documents",
    "protocol new": "documents",
    "protocol fmt": "documents",
    "protocol simulate": "made-up episodes",
    "protocol prove": "made-up episodes",
    "protocol tables": "documents",
    "protocol generate": "documents",
    "protocol submit": "documents, and acts of staff",
    "protocol send-back": "documents, and acts of staff",
    "protocol publish": "documents, and acts of staff",
    "protocol retire": "documents, and acts of staff",
    "protocol versions": "counts how many episodes are open under each",
    "directory show": "the directory",
    "directory check": "the directory",
    "directory retired": "the directory",
    "roster check": "the rota",
    "audit checkpoint": "hashes alone",
    "keys rewrap": "wraps keys anew and shows how many",
    "keys public": "public keys",
    "account add": "staff",
    "account password": "staff",
    "account list": "staff",
    "episode open": "the first entry of the trail says who opens; nothing older is shown",
}
"""Commands that show nothing of a client, and what they work with instead."""
ELSEWHERE = {
    "episode list": "tests/cli/test_episode_command.py",
    "episode show": "tests/cli/test_episode_command.py",
    "episode watch": "tests/cli/test_episode_command.py",
    "audit reconcile": "tests/workflows/test_reconcile.py",
    "protocol migrate": "tests/cli/test_migrate_command.py",
    "protocol whatif": "tests/cli/test_whatif_command.py",
    **{path: "tests/cli/test_episode_command.py" for path in TREE if path.startswith("episode do ")},
}
"""Commands that need Temporal or more of a story, and where it is seen that they leave a row."""
LEAVING = {
    "audit verify": (["audit", "verify", "--processes", "1"], "verified"),
    "audit search": (["audit", "search", "--client", "client-1"], "searched"),
    "audit replay": (["audit", "replay", "ep-1"], "replayed"),
    "audit conformance": (["audit", "conformance"], "searched"),
    "audit export": (["audit", "export", "ep-1", "--out", "{}/e.zip", "--purpose", "x"], "exported"),
    "audit access": (["audit", "access", "--client", "client-1"], "searched"),
    "audit disclosures": (["audit", "disclosures", "--client", "client-1"], "searched"),
    "audit retention": (["audit", "retention", "--all"], "read"),
    "audit hold": (["audit", "hold", "client-1", "--reason", "subpoena"], "held"),
    "audit lift": (["audit", "lift", "client-1", "--reason", "over"], "released"),
    "keys destroy": (["keys", "destroy", "client-1", "--yes", "--despite-retention", "order 7"], "destroyed"),
    "caseload assign": (["caseload", "assign", "client-1", "maya"], "administered"),
    "caseload release": (["caseload", "release", "client-1", "maya"], "administered"),
    "caseload transfer": (["caseload", "transfer", "client-1", "sam", "maya"], "administered"),
    "caseload list": (["caseload", "list", "client-1"], "read"),
}
"""Commands, how they are called here, and what the row calls it."""
OF_ALL = ("audit verify", "audit conformance")
"""Their rows name no client: they are about all."""


def test_of_every_command_it_is_known_whether_it_shows_clients() -> None:
    assert {*NOBODY, *ELSEWHERE, *LEAVING} == TREE.keys()
    assert len(NOBODY) + len(ELSEWHERE) + len(LEAVING) == len(TREE), "a command is named twice"


@pytest.fixture(autouse=True)
def practice(episode: str) -> None:
    """Two therapists, and the client's file on the caseload of one."""
    asyncio.run(_people(episode))
    assert run(["caseload", "assign", "client-1", "sam"]) == 0


async def _people(url: str) -> None:
    records, now = connect(url), datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    seal = Seal(Keyring((key.id, key.secret) for key in load().record_keys))
    for name in ("maya", "sam"):
        await Accounts(records, seal).add(name, name.title(), ("therapist",), "fictional-password", now)
    await Clients(records, seal).add(read_file({"name": "Dana R."}), now, "client-1")
    await records.dispose()


async def rows(url: str, **sought: str) -> tuple[Access, ...]:
    records = connect(url)
    found = await looked(records, Sought(**sought))  # pyright: ignore[reportArgumentType]
    await records.dispose()
    return found


@pytest.mark.parametrize("command", LEAVING)
def test_a_command_that_shows_clients_leaves_a_row(episode: str, tmp_path: Path, capsys: Out, command: str) -> None:
    words, what = LEAVING[command]
    before = len(asyncio.run(rows(episode)))
    assert run([word.format(tmp_path) for word in words]) == 0, capsys.readouterr().err
    found = asyncio.run(rows(episode))
    assert len(found) > before
    assert (found[0].who, found[0].role, found[0].what) == (getpass.getuser(), "command line", what)
    assert command in OF_ALL or found[0].client_ref == "client-1"


@pytest.mark.parametrize("command", [one for one in LEAVING if one != "audit verify"])
def test_without_the_row_nothing_is_shown_and_nothing_done(
    episode: str, tmp_path: Path, capsys: Out, command: str
) -> None:
    takes_nothing(episode)
    words, _ = LEAVING[command]
    assert run([word.format(tmp_path) for word in words]) == 3
    said = capsys.readouterr()
    assert "client-1" not in said.out
    assert "the records do not answer" in said.err
    assert not [*tmp_path.glob("*.zip")]
    keepers = "SELECT account_id FROM caseloads"
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as raw:
        assert raw.execute(keepers).fetchall() == [("sam",)]
        assert raw.execute("SELECT count(*) FROM holds").fetchone() == (0,)
        assert raw.execute("SELECT count(*) FROM client_keys WHERE destroyed_at IS NOT NULL").fetchone() == (0,)


def test_a_verification_is_kept_with_what_it_found(episode: str, capsys: Out) -> None:
    assert run(["audit", "verify", "--quick", "--processes", "1"]) == 0
    (row,) = asyncio.run(rows(episode, what="verified"))
    assert (row.detail["good"], row.detail["quick"], row.detail["view"]) == (True, True, "audit verify")
    assert row.detail["said"][0] in capsys.readouterr().out
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as raw:
        raw.execute("DROP TRIGGER trail_no_update")
        raw.execute("UPDATE trail SET role = 'supervisor' WHERE sequence = 5")
    assert run(["audit", "verify", "ep-1"]) == 1
    of_one = asyncio.run(rows(episode, what="verified", episode_id="ep-1"))[0]
    assert "row 5" in of_one.detail["found"][0]["text"]
    assert of_one.client_ref == "client-1"


def test_records_that_take_nothing_are_verified_and_the_row_waits(episode: str, capsys: Out) -> None:
    takes_nothing(episode)
    assert run(["audit", "verify", "--processes", "1"]) == 0
    assert "all good" in capsys.readouterr().out
    settings = load()
    spool = Spool(settings.var / FOLDER, Keyring((key.id, key.secret) for key in settings.record_keys))
    assert len(spool.waiting()) == 1


def takes_nothing(url: str) -> None:
    """The access trail as it is on a full disk."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as raw:
        raw.execute("CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END")
