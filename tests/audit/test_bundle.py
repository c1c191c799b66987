"""An export verifies without Holdfast, and one flipped bit anywhere makes it fail."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from audit.bundle import BundleError
from audit.checkpoints import Witness
from audit.database import Database, connect
from audit.from_bundle import check_bundle, episodes_in, history_in
from audit.history import HistoryError, history
from audit.keys import destroy
from audit.migrate import upgrade
from audit.offline_verifier import canonical, root
from audit.redaction import NOTICE
from audit.signatures import SigningKeys
from audit.store import Store
from audit.tables import episodes, trail
from protocol.checkpoint import Mark, proof_of, root_of
from protocol.summary import summarise
from protocol.trail import TrailRow, genesis
from tests.audit.bundles import KEY, KEYS, checked, entry, exported, forged, some_episodes
from tests.audit.records import RING, START, rows, sqlite_url, summary, tampering
from tests.audit.test_history import forged as forged_row
from tests.protocol.specs import compact
from tests.protocol.story import Story

Out = pytest.CaptureFixture[str]
FLIPS = 300


@pytest.fixture
async def bundle(store: Store, records: Database, tmp_path: Path) -> Path:
    await some_episodes(store, records)
    made = await exported(records, path := tmp_path / "bundle.zip", "ep-1", "ep-2")
    assert (made.episodes, made.withheld) == (2, 0)
    return path


def test_a_bundle_verifies_in_words(bundle: Path, capsys: Out):
    assert checked(bundle) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "made 2026-11-01T09:00:00.123456Z by ada, for the board: yearly review" in said
    assert re.search(r"GOOD 2 episodes, \d+ rows: each continues the one before", said)
    assert "Signed checkpoints vouch for" in said
    assert "rows are newer than the last checkpoint" in said
    assert NOTICE in said
    assert said.endswith("EVERYTHING HOLDS")


def test_one_flipped_bit_anywhere_makes_it_fail(bundle: Path, tmp_path: Path, capsys: Out):
    content = bundle.read_bytes()
    chance = random.Random(5)
    positions = [*chance.sample(range(len(content)), FLIPS), *range(64), *range(len(content) - 200, len(content))]
    for position in positions:
        flipped = bytearray(content)
        flipped[position] ^= 1 << chance.randrange(8)
        (tmp_path / "flipped.zip").write_bytes(flipped)
        assert checked(tmp_path / "flipped.zip") == 1, position
        assert "GOOD" not in capsys.readouterr().out
    for cut in (1, 128, 200, len(content)):
        (tmp_path / "flipped.zip").write_bytes(content[:-cut])
        assert checked(tmp_path / "flipped.zip") == 1
    (tmp_path / "flipped.zip").write_bytes(content + b"0")
    assert checked(tmp_path / "flipped.zip") == 1


def changing(name: str, edit: Callable[[list[dict[str, Any]]], Any]) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        lines = [json.loads(line) for line in entries[name].decode().splitlines()]
        edit(lines)
        entries[name] = "".join(json.dumps(line) + "\n" for line in lines).encode()

    return change


def a_row_less(entries: dict[str, bytes]) -> None:
    rows = entries["rows.ndjson"].splitlines(keepends=True)
    entries["rows.ndjson"] = b"".join(rows[:-1])


def a_row_more(entries: dict[str, bytes]) -> None:
    entries["rows.ndjson"] += entries["rows.ndjson"].splitlines(keepends=True)[-1]


def another_protocol(entries: dict[str, bytes]) -> None:
    name = next(name for name in entries if name.startswith("protocols/"))
    entries[name] = entries[name].replace(b"Compact", b"Changed")


def no_protocol(entries: dict[str, bytes]) -> None:
    del entries[next(name for name in entries if name.startswith("protocols/"))]


def fewer_in_the_manifest(entries: dict[str, bytes]) -> None:
    manifest = json.loads(entries["manifest.json"])
    entries["manifest.json"] = json.dumps({**manifest, "rows": manifest["rows"] - 1}).encode()


def cut_off(entries: dict[str, bytes]) -> None:
    """The last three rows of the last episode, under its mark, with everything that counts them."""
    rows = entries["rows.ndjson"].splitlines(keepends=True)[:-3]
    entries["rows.ndjson"] = b"".join(rows)
    told = [json.loads(line) for line in entries["episodes.ndjson"].splitlines()]
    told[-1].update(rows=told[-1]["rows"] - 3, head=json.loads(rows[-1])["hash"])
    entries["episodes.ndjson"] = "".join(json.dumps(line) + "\n" for line in told).encode()
    manifest = json.loads(entries["manifest.json"])
    entries["manifest.json"] = json.dumps({**manifest, "rows": manifest["rows"] - 3}).encode()


ROWS, EPISODES = "rows.ndjson", "episodes.ndjson"
FORGERIES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "columns do not make": changing(ROWS, lambda rows: rows[3].update(actor="somebody")),
    "not what the row committed to": changing(ROWS, lambda rows: rows[3]["payload"]["event"].update(at="now")),
    "another row stands here": changing(ROWS, lambda rows: rows.insert(2, rows.pop(3))),
    "does not continue": changing(ROWS, lambda rows: rows.pop(4)),
    "rows are missing": a_row_less,
    "rows of no episode": a_row_more,
    "not the one that the bundle names": changing(EPISODES, lambda told: told[0].update(rows=told[0]["rows"] - 1)),
    "does not have this hash": another_protocol,
    "is not in the bundle": no_protocol,
    "counts other": fewer_in_the_manifest,
    "does not vouch": changing(EPISODES, lambda told: told[0]["checkpoint"].update(place=0)),
    "not signed with a key of yours; it names 's1'": changing(
        EPISODES, lambda told: told[0]["checkpoint"]["statement"].update(rows=1)
    ),
    "the end was cut off": cut_off,
    "a checkpoint vouches for row 0": changing(EPISODES, lambda told: told[0]["checkpoint"].update(sequence=0)),
    "can't be read": changing(EPISODES, lambda told: told[0].pop("head")),
}


@pytest.mark.parametrize("reason", FORGERIES)
def test_contents_that_do_not_hold_are_named_even_when_signed(bundle: Path, capsys: Out, reason: str):
    assert checked(forged(bundle, FORGERIES[reason])) == 1
    assert reason in capsys.readouterr().out


def test_another_key_or_none_is_refused(bundle: Path, tmp_path: Path, capsys: Out):
    other = SigningKeys([("s1", b"t" * 32)])
    assert checked(forged(bundle, lambda entries: None, other)) == 1
    assert checked(bundle, other.public()["s1"]) == 1
    capsys.readouterr()
    assert checked(bundle, "nothing") == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err
    assert checked(tmp_path / "nowhere.zip") == 2
    (tmp_path / "key.txt").write_text(f"s1  {KEY}\n")
    assert checked(bundle, str(tmp_path / "key.txt")) == 0


async def test_what_is_damaged_or_unknown_is_not_exported(store: Store, records: Database, url: str, tmp_path: Path):
    await some_episodes(store, records)
    path = tmp_path / "bundle.zip"
    with pytest.raises(BundleError, match="no episode ep-9"):
        await exported(records, path, "ep-9")
    with tampering(url) as connection:
        connection.execute(update(trail).where(trail.c.sequence == 4).values(actor="somebody"))
    with pytest.raises(BundleError, match="row 4: edited"):
        await exported(records, path, "ep-1")
    assert not path.exists()


async def test_a_bundle_is_decided_anew_without_the_records(store: Store, records: Database, tmp_path: Path):
    await some_episodes(store, records)
    await exported(records, path := tmp_path / "bundle.zip", "ep-1", "ep-2")
    assert check_bundle(path, [KEY])[0].startswith("Bundle ")
    assert episodes_in(path) == ("ep-1", "ep-2")
    for episode_id in episodes_in(path):
        here = await history(records, RING, episode_id, Witness(records, KEYS))
        there = history_in(path, episode_id)
        assert there.sound
        assert (there.entries, there.breaches, there.verdict) == (here.entries, here.breaches, here.verdict)
        assert there.witnessed == here.witnessed
    forgery = forged(path, FORGERIES["the end was cut off"])
    with pytest.raises(HistoryError, match="BAD: episode ep-2: a checkpoint vouches"):
        check_bundle(forgery, [KEY])


async def test_a_decision_that_differs_is_found_in_the_bundle_too(store: Store, records: Database, tmp_path: Path):
    story = Story.begun()
    story.answer(plan="yes")
    made, head = list[TrailRow](), genesis("ep-1")
    for row in story.engine.rows:
        payload = dict(row.payload or {})
        if row.kind == "RiskRaised":
            payload["event"] = {**payload["event"], "level": "low"}
        made.append(forged_row(head, row, payload))
        head = made[-1].head
    spec = compact()
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(made, summarise(spec, story.episode))
    await exported(records, path := tmp_path / "bundle.zip", "ep-1")
    assert checked(path) == 0, "the chain is whole"
    told = history_in(path, "ep-1")
    assert (told.sound, told.differences) == (False, 1)


async def test_what_is_withheld_is_named_and_the_rest_decided_anew(store: Store, records: Database, tmp_path: Path):
    await some_episodes(store, records)
    await exported(records, path := tmp_path / "bundle.zip", "ep-1", "ep-2", redact=True)
    check_bundle(path, [KEY])
    told = history_in(path, "ep-1")
    assert told.withheld
    withheld = [row["sequence"] for row in entry(path, ROWS) if row["episode_id"] == "ep-1" and hides(row)]
    assert list(told.withheld) == withheld
    assert [one.sequence for one in told.entries] == list(range(1, len(told.entries) + 1))
    assert len(told.entries) < withheld[0]
    assert told.differences == 0


def hides(row: dict[str, Any]) -> bool:
    return any("hash" in value for value in row["values"])


async def last_row(records: Database, episode_id: str) -> int:
    query = select(func.max(trail.c.sequence)).where(trail.c.episode_id == episode_id)
    return await records.read(lambda connection: connection.scalar(query)) or 0


async def test_an_end_cut_off_under_a_checkpoint_is_not_exported(
    store: Store, records: Database, url: str, tmp_path: Path
):
    await some_episodes(store, records)
    path, last = tmp_path / "bundle.zip", await last_row(records, "ep-2")
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-2", trail.c.sequence > last - 3))
        connection.execute(update(episodes).where(episodes.c.episode_id == "ep-2").values(revision=last - 3))
    with pytest.raises(BundleError, match=f"row {last - 2}: truncated: the chain should reach row {last}"):
        await exported(records, path, "ep-1", "ep-2")
    assert not path.exists()


async def test_a_chain_that_is_not_the_signed_one_is_not_exported(
    store: Store, records: Database, url: str, tmp_path: Path
):
    await some_episodes(store, records)
    path, last = tmp_path / "bundle.zip", await last_row(records, "ep-2")
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-2"))
    await store.append(rows(last + 1, "ep-2", protocol_hash=compact().content_hash), summary(last + 1, "ep-2"))
    with pytest.raises(BundleError, match=f"row {last}: rewritten"):
        await exported(records, path, "ep-2")


async def test_an_end_that_the_list_still_knows_is_not_exported(
    store: Store, records: Database, url: str, tmp_path: Path
):
    await some_episodes(store, records)
    last = await last_row(records, "ep-1")
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-1", trail.c.sequence == last))
    with pytest.raises(BundleError, match=f"the list of episodes knows row {last}"):
        await exported(records, tmp_path / "bundle.zip", "ep-1")


async def test_everything_is_not_exported_when_a_signed_episode_is_gone(
    store: Store, records: Database, url: str, tmp_path: Path
):
    await some_episodes(store, records)
    with tampering(url) as connection:
        for table in ("obligations", "episodes", "trail"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE episode_id = 'ep-2'")
    with pytest.raises(BundleError, match="vouches for episode ep-2, which is gone"):
        await exported(records, tmp_path / "bundle.zip", "ep-1", everything=True)
    await exported(records, tmp_path / "bundle.zip", "ep-1")


async def test_after_a_change_of_keys_old_checkpoints_are_checked_with_the_old_one(
    store: Store, records: Database, tmp_path: Path, capsys: Out
):
    await some_episodes(store, records)
    both = SigningKeys([("s2", b"t" * 32), ("s1", b"s" * 32)])
    made = await exported(records, path := tmp_path / "bundle.zip", "ep-1", "ep-2", keys=both)
    assert made.keys == {"s1", "s2"}
    new = both.public()["s2"]
    assert checked(path, new) == 1
    assert "checkpoint 1: not signed with a key of yours; it names 's1'" in capsys.readouterr().out
    assert checked(path, KEY) == 1, "the bundle itself is signed with the new one"
    assert checked(path, KEY, new) == 0


async def test_a_destroyed_client_is_exported_as_a_chain_alone(
    store: Store, records: Database, tmp_path: Path, capsys: Out
):
    await some_episodes(store, records)
    await destroy(records, "client-1", START)
    await exported(records, path := tmp_path / "bundle.zip", "ep-1", "ep-2")
    assert checked(path) == 0
    assert "can't be read: the client's key was destroyed. Their chain holds." in capsys.readouterr().out
    assert {"payload" in row for row in entry(path, ROWS) if row["episode_id"] == "ep-1"} == {False}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100])
def test_every_mark_of_a_checkpoint_has_a_proof(size: int):
    marks = [Mark(f"ep-{number:03}", number + 1, "ab" * 32) for number in range(size)]
    for place, mark in enumerate(marks):
        leaf = sha256(b"\x00" + canonical([mark.episode_id, mark.sequence, mark.hash]).encode()).digest()
        assert root(leaf, place, size, proof_of(marks, place)) == root_of(marks)
        if size > 1:
            assert root(leaf, (place + 1) % size, size, proof_of(marks, place)) != root_of(marks)


@pytest.mark.full
async def test_a_bundle_verifies_in_a_fresh_environment(tmp_path: Path):
    """With the program from the bundle, and no package but `cryptography` and what it needs."""
    upgrade(url := sqlite_url(tmp_path))
    records = connect(url)
    await some_episodes(Store(records, RING), records)
    await exported(records, bundle := tmp_path / "bundle.zip", "ep-1", "ep-2")
    await records.dispose()
    venv.create(fresh := tmp_path / "fresh", symlinks=True)
    ours = Path(sysconfig.get_paths()["platlib"])
    theirs = next(fresh.glob("lib/python*/site-packages"))
    for package in [*ours.glob("cryptography"), *ours.glob("*cffi*"), *ours.glob("pycparser")]:
        (theirs / package.name).symlink_to(package)
    with zipfile.ZipFile(bundle) as archive:
        archive.extract("offline_verifier.py", tmp_path)
    verifier = [fresh / "bin" / "python", "-I", tmp_path / "offline_verifier.py"]
    ran = subprocess.run([*verifier, bundle, "--key", KEY], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("EVERYTHING HOLDS\n")
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"x")
    assert subprocess.run([*verifier, bundle, "--key", KEY], capture_output=True).returncode == 1
    alone = subprocess.run([verifier[0], "-I", "-c", "import audit"], capture_output=True, text=True)
    assert "No module named 'audit'" in alone.stderr
    assert sys.version_info[:2] >= (3, 11)
