"""Whoever changes the trail behind our back is found, at the first row that was touched."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Row, delete, insert, select, text, update

from audit import verify as verify_module
from audit.database import Database, connect
from audit.keys import destroy
from audit.migrate import upgrade
from audit.sealing import ClientKey, Place
from audit.store import Store
from audit.tables import client_keys, trail
from audit.verify import Verdict, Verifier
from protocol.canonical import rfc3339
from protocol.trail import Wrong, row_hash
from tests.audit.records import RING, START, fill, rows, sqlite_url, tampering

ROWS = 6
Tamper = Callable[[Connection, random.Random], int]
"""Changes something; the sequence of the first row that is bad then."""


def column(name: str) -> Any:
    return trail.columns[name]


def at(sequence: int, episode_id: str = "ep-1") -> Any:
    return (trail.c.episode_id == episode_id) & (trail.c.sequence == sequence)


def edit(name: str, changed: Callable[[Any], Any]) -> Tamper:
    def tamper(connection: Connection, chance: random.Random) -> int:
        sequence = chance.randint(1, ROWS)
        value = connection.scalar(select(column(name)).where(at(sequence)))
        connection.execute(update(trail).where(at(sequence)).values({name: changed(value)}))
        return sequence

    return tamper


def delete_a_row(connection: Connection, chance: random.Random) -> int:
    sequence = chance.randint(1, ROWS)
    connection.execute(delete(trail).where(at(sequence)))
    return sequence


def cut_the_end(connection: Connection, chance: random.Random) -> int:
    sequence = chance.randint(1, ROWS)
    connection.execute(delete(trail).where(trail.c.episode_id == "ep-1", trail.c.sequence >= sequence))
    return sequence


def swap_two_rows(connection: Connection, chance: random.Random) -> int:
    first, second = sorted(chance.sample(range(1, ROWS + 1), 2))
    for here, there in ((first, 99), (second, first), (99, second)):
        connection.execute(update(trail).where(at(here)).values(sequence=there))
    return first


def take_the_row_of_another_episode(connection: Connection, chance: random.Random) -> int:
    sequence = chance.randint(1, ROWS)
    connection.execute(delete(trail).where(at(sequence)))
    connection.execute(update(trail).where(at(sequence, "ep-2")).values(episode_id="ep-1"))
    return sequence


def take_the_payload_of_another_row(connection: Connection, chance: random.Random) -> int:
    here, there = chance.sample(range(1, ROWS + 1), 2)
    other = connection.execute(select(trail.c.sealed, trail.c.commitment).where(at(there))).one()
    values = (
        {"sealed": other.sealed} if chance.random() < 0.5 else {"sealed": other.sealed, "commitment": other.commitment}
    )
    connection.execute(update(trail).where(at(here)).values(values))
    return here


def insert_a_row_at_the_end(connection: Connection, _chance: random.Random) -> int:
    row = connection.execute(select(trail).where(at(ROWS))).one()
    forged = rows(ROWS + 1, head=None)[-1]
    values = {**row._mapping, "sequence": ROWS + 1, "previous_hash": row.hash, "hash": forged.hash}
    connection.execute(insert(trail), values)
    return ROWS + 1


def make_the_hash_of_an_edited_row_anew(connection: Connection, chance: random.Random) -> int:
    sequence = chance.randint(1, ROWS)
    row = connection.execute(select(trail).where(at(sequence))).one()
    connection.execute(update(trail).where(at(sequence)).values(actor="somebody", hash=_hash(row, actor="somebody")))
    return sequence


def rewrite_all_hashes_after_an_edit(connection: Connection, chance: random.Random) -> int:
    first = chance.randint(1, ROWS)
    previous = None
    for sequence in range(first, ROWS + 1):
        row = connection.execute(select(trail).where(at(sequence))).one()
        changes = {"actor": "somebody"} if sequence == first else {"previous_hash": previous}
        previous = _hash(row, **changes)
        connection.execute(update(trail).where(at(sequence)).values(**changes, hash=previous))
    return first


def point_to_no_key(connection: Connection, chance: random.Random) -> int:
    sequence = chance.randint(1, ROWS)
    connection.execute(update(trail).where(at(sequence)).values(key_id="none"))
    return sequence


def change_a_wrapped_key(connection: Connection, _chance: random.Random) -> int:
    connection.execute(update(client_keys).where(client_keys.c.client_ref == "client-1").values(wrapped_key=b"x" * 60))
    return 1


def pretend_a_destroyed_key(connection: Connection, chance: random.Random) -> int:
    values = {"key_id": "gone", "client_ref": "client-1", "created_at": START, "destroyed_at": START}
    connection.execute(insert(client_keys), values)
    sequence = chance.randint(2, ROWS)
    connection.execute(update(trail).where(at(sequence)).values(key_id="gone"))
    return sequence


def _hash(row: Row[Any], **changes: Any) -> str:
    values = {**row._mapping, **changes}
    values |= {name: rfc3339(values[name]) for name in ("occurred_at", "recorded_at")}
    names = ("previous_hash", "episode_id", "sequence", "occurred_at", "recorded_at", "actor", "role", "command_id")
    return row_hash(*(values[name] for name in (*names, "kind", "commitment")))


def longer(value: str) -> str:
    return value + "x"


def other_hex(value: str) -> str:
    return ("0" if value[0] != "0" else "1") + value[1:]


def flipped(value: bytes) -> bytes:
    return value[:20] + bytes([value[20] ^ 1]) + value[21:]


EDITS: dict[str, Callable[[Any], Any]] = {
    "episode_id": longer,
    "sequence": lambda value: value + 100,
    **dict.fromkeys(("occurred_at", "recorded_at", "written_at"), lambda value: value.replace(microsecond=7)),
    **dict.fromkeys(("actor", "role", "command_id", "kind"), longer),
    **dict.fromkeys(("commitment", "previous_hash", "hash"), other_hex),
    "sealed": flipped,
}
TAMPERING: dict[str, Tamper] = {
    **{f"edit {name}": edit(name, changed) for name, changed in EDITS.items()},
    **{
        act.__name__.replace("_", " "): act
        for act in (
            delete_a_row,
            cut_the_end,
            swap_two_rows,
            take_the_row_of_another_episode,
            take_the_payload_of_another_row,
            insert_a_row_at_the_end,
            make_the_hash_of_an_edited_row_anew,
            rewrite_all_hashes_after_an_edit,
            point_to_no_key,
            change_a_wrapped_key,
            pretend_a_destroyed_key,
        )
    },
}


def test_every_column_is_tampered_with():
    assert {*EDITS, "key_id"} == set(trail.columns.keys())


@pytest.mark.parametrize("how", TAMPERING)
async def test_tampering_is_found_at_the_first_bad_row(store: Store, records: Database, url: str, how: str):
    made = await fill(store, ROWS)
    await fill(store, ROWS, "ep-2", client_ref="client-2")
    with tampering(url) as connection:
        first_bad = TAMPERING[how](connection, random.Random(how))
    for contents in (True, False):
        verdict = await Verifier(records, RING, contents).episode("ep-1", made[-1].head)
        assert verdict.fault is not None
        assert verdict.fault.sequence == first_bad
        assert (verdict.rows, verdict.episode_id) == (first_bad - 1, "ep-1")


async def test_many_random_changes_are_all_found(store: Store, records: Database, url: str):
    made = await fill(store, ROWS)
    await fill(store, ROWS, "ep-2", client_ref="client-2")
    chance = random.Random(7)
    originals = await _everything(records)
    for _ in range(25):
        how = chance.choice(sorted(TAMPERING))
        with tampering(url) as connection:
            first_bad = TAMPERING[how](connection, chance)
        verdict = await Verifier(records, RING).episode("ep-1", made[-1].head)
        assert verdict.fault is not None, how
        assert verdict.fault.sequence == first_bad, how
        with tampering(url) as connection:
            connection.execute(delete(trail))
            connection.execute(delete(client_keys))
            connection.execute(insert(client_keys), originals[0])
            connection.execute(insert(trail), originals[1])
    assert (await Verifier(records, RING).episode("ep-1", made[-1].head)).fault is None


async def _everything(records: Database) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        keys, there = (connection.execute(select(table)).mappings() for table in (client_keys, trail))
        return [dict(row) for row in keys], [dict(row) for row in there]

    return await records.read(work)


async def test_a_payload_resealed_with_the_right_key_is_found_by_its_contents(
    store: Store, records: Database, url: str
):
    await fill(store, 3)
    with tampering(url) as connection:
        row = connection.execute(select(trail).where(at(2))).one()
        wrapped = connection.execute(select(client_keys)).one()
        key = ClientKey(row.key_id, RING.unwrap(wrapped.wrapped_key, "first", row.key_id, "client-1"))
        place = Place("ep-1", 2, row.hash, row.key_id, rfc3339(row.written_at))
        sealed = key.seal({"event": {"note": "never said"}}, "00" * 32, place)
        connection.execute(update(trail).where(at(2)).values(sealed=sealed))
    assert (await Verifier(records, RING, contents=False).episode("ep-1")).fault is None
    fault = (await Verifier(records, RING).episode("ep-1")).fault
    assert fault is not None
    assert (fault.wrong, fault.sequence) == (Wrong.CONTENT, 2)


async def test_a_key_of_another_client_is_found(store: Store, records: Database, url: str):
    await fill(store, 3)
    await fill(store, 3, "ep-2", client_ref="client-2")
    await destroy(records, "client-1", START)
    await destroy(records, "client-2", START)
    with tampering(url) as connection:
        foreign = connection.scalar(select(trail.c.key_id).where(at(1, "ep-2")))
        connection.execute(update(trail).where(at(2)).values(key_id=foreign))
    fault = (await Verifier(records, RING).episode("ep-1")).fault
    assert fault is not None
    assert (fault.wrong, fault.sequence) == (Wrong.SEAL, 2)


async def test_all_episodes_are_judged_across_chunks(
    store: Store, records: Database, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(verify_module, "CHUNK", 4)
    for number, count in enumerate((3, 4, 1, 9)):
        await fill(store, count, f"ep-{number}")

    async def judge() -> list[Verdict]:
        return [verdict async for verdict in Verifier(records, RING).all()]

    assert [(verdict.rows, verdict.fault) for verdict in await judge()] == [(3, None), (4, None), (1, None), (9, None)]
    with tampering(url) as connection:
        connection.execute(update(trail).where(at(6, "ep-3")).values(role="supervisor"))
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-1"))
    found = [(verdict.episode_id, verdict.fault) for verdict in await judge()]
    assert [episode_id for episode_id, _ in found] == ["ep-1", "ep-0", "ep-2", "ep-3"]
    assert [fault and (fault.wrong, fault.sequence) for _, fault in found] == [
        (Wrong.TRUNCATED, 1),
        None,
        None,
        (Wrong.EDITED, 6),
    ]
    assert str(found[-1][1]) == "episode ep-3, row 6: edited: the columns do not make the row's hash"


async def test_an_episode_without_a_trail(records: Database, store: Store):
    verdict = await Verifier(records, RING).episode("nowhere")
    assert (verdict.rows, verdict.fault) == (0, None)
    made = await fill(store, 1)
    fault = (await Verifier(records, RING).episode("nowhere", made[0].head)).fault
    assert fault is not None
    assert fault.wrong is Wrong.TRUNCATED


async def test_bytes_that_are_no_text_are_found_like_any_edit(tmp_path: Path):
    """SQLite keeps them, its driver refuses to read them; PostgreSQL refuses them in the first place."""
    url = sqlite_url(tmp_path)
    upgrade(url)
    records = connect(url)
    names = [name for name in EDITS if name not in ("sequence", "sealed")] + ["key_id"]
    for name in [*names, "whole"]:
        await fill(Store(records, RING), 4, f"ep-{name}")
    with tampering(url) as connection:
        for name in names:
            changed = f"UPDATE trail SET {name} = CAST(X'ff' || CAST({name} AS BLOB) AS TEXT)"
            connection.execute(text(f"{changed} WHERE episode_id = 'ep-{name}' AND sequence = 3"))
    found = {verdict.episode_id: verdict.fault async for verdict in Verifier(records, RING).all()}
    assert found.pop("ep-whole") is None
    stray = found.pop("\\xffep-episode_id")
    assert str(stray) == r"episode \xffep-episode_id, row 1: edited: the episode's id is no text"
    assert {name: fault and fault.sequence for name, fault in found.items()} == {f"ep-{name}": 3 for name in names}
    assert all(str(fault).isprintable() for fault in found.values())
    await records.dispose()


async def test_a_key_or_a_list_that_is_no_text_is_found(tmp_path: Path):
    url = sqlite_url(tmp_path)
    upgrade(url)
    records = connect(url)
    await fill(Store(records, RING), 2)
    for column in ("client_ref", "kek_id"):
        with tampering(url) as connection:
            connection.execute(text(f"UPDATE client_keys SET {column} = CAST(X'fe' AS TEXT)"))
        fault = (await Verifier(records, RING).episode("ep-1")).fault
        assert fault is not None
        assert (fault.wrong, fault.sequence) == (Wrong.SEAL, 1)
    with tampering(url) as connection:
        connection.execute(text("UPDATE episodes SET episode_id = CAST(X'fe' AS TEXT)"))
    ids = [verdict.episode_id async for verdict in Verifier(records, RING).all()]
    assert ids == [r"\xfe", "ep-1"]
    await records.dispose()
