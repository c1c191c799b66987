"""Payloads open for whoever has the keys, in their own row, and for nobody else."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from audit.database import Database, connect
from audit.keys import destroy, rewrap
from audit.migrate import upgrade
from audit.queries import Queries
from audit.sealing import ClientKey, Keyring, Place, SealingError, UnknownKeyError
from audit.store import Store
from audit.tables import client_keys
from audit.verify import Verifier
from tests.audit.records import RING, START, fill, rows, sqlite_url, summary, tampering

SALT = "ab" * 32
PLACE = Place("ep-1", 1, "cd" * 32, "key-1", "2026-11-01T09:00:00.000000Z")
KEY = ClientKey("key-1", b"k" * 32)


def test_a_payload_opens_in_its_row():
    payload = {"event": {"note": "Zoë"}}
    assert KEY.open(KEY.seal(payload, SALT, PLACE), PLACE) == (payload, SALT)


NO_PAYLOADS = [b"", b"x", b"[]", b"7", b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 5000, b'{"a":"\xff"}']


@pytest.mark.parametrize("plain", NO_PAYLOADS)
def test_whatever_else_a_key_has_sealed_is_refused(plain: bytes):
    """By somebody who has the key and not our code: verification names the row instead of stumbling."""
    nonce = b"n" * 12
    sealed = b"\x01" + nonce + AESGCM(b"k" * 32).encrypt(nonce, bytes(32) + plain, PLACE.bound())
    with pytest.raises(SealingError, match="no payload"):
        KEY.open(sealed, PLACE)


def test_the_same_payload_is_never_sealed_the_same():
    assert KEY.seal({}, SALT, PLACE) != KEY.seal({}, SALT, PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        PLACE._replace(episode_id="ep-2"),
        PLACE._replace(sequence=2),
        PLACE._replace(hash="ce" * 32),
        PLACE._replace(key_id="key-2"),
        PLACE._replace(written_at="2026-11-01T09:00:00.000001Z"),
    ],
)
def test_a_payload_does_not_open_in_another_row(elsewhere: Place):
    with pytest.raises(SealingError, match="does not fit the row"):
        KEY.open(KEY.seal({}, SALT, PLACE), elsewhere)


@given(st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject):
    sealed = bytearray(KEY.seal({"note": "x"}, SALT, PLACE))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealingError):
        KEY.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01short", b"\x02" + b"x" * 60])
def test_what_is_no_seal_is_refused(sealed: bytes):
    with pytest.raises(SealingError):
        KEY.open(sealed, PLACE)


def test_a_wrapped_key_opens_only_as_what_it_is():
    wrapped = RING.wrap(b"d" * 32, "key-1", "client-1")
    assert RING.unwrap(wrapped, "first", "key-1", "client-1") == b"d" * 32
    for key_id, client_ref in (("key-2", "client-1"), ("key-1", "client-2")):
        with pytest.raises(SealingError, match="was changed"):
            RING.unwrap(wrapped, "first", key_id, client_ref)
    with pytest.raises(UnknownKeyError, match=r"wrapped with 'first'.*it has other.*HOLDFAST_RECORD_KEYS"):
        Keyring([("other", b"2" * 32)]).unwrap(wrapped, "first", "key-1", "client-1")
    with pytest.raises(ValueError, match="at least one key"):
        Keyring([])
    assert "1111" not in repr(RING)


async def test_nothing_of_a_payload_is_readable_in_the_file(tmp_path: Path):
    address = sqlite_url(tmp_path)
    upgrade(address)
    records = connect(address)
    await Store(records, RING).append(rows(2, note="canary-7431"), summary(2))
    await records.dispose()
    content = (tmp_path / "records.db").read_bytes()
    assert b"ep-1" in content
    assert b"canary-7431" not in content
    assert b"ideation" not in content


async def test_keys_rotate_without_touching_the_trail(store: Store, records: Database):
    made = await fill(store, 3)
    both = Keyring([("second", b"2" * 32), ("first", b"1" * 32)])
    assert await Queries(records, both).trail_rows("ep-1") == tuple(made)
    await fill(Store(records, both), 2, "ep-2", client_ref="client-2")
    assert await rewrap(records, both) == 1
    assert await rewrap(records, both) == 0
    only_new = Keyring([("second", b"2" * 32)])
    assert await Queries(records, only_new).trail_rows("ep-1") == tuple(made)
    more = rows(2, head=made[-1].head)
    await Store(records, only_new).append(more, summary(5))
    assert (await Verifier(records, only_new).episode("ep-1", more[-1].head)).fault is None


async def test_a_missing_key_says_which_and_what_to_do(store: Store, records: Database):
    made = await fill(store, 1)
    lacking = Keyring([("second", b"2" * 32)])
    message = "wrapped with 'first'.*HOLDFAST_RECORD_KEYS"
    with pytest.raises(UnknownKeyError, match=message):
        await Queries(records, lacking).trail_rows("ep-1")
    with pytest.raises(UnknownKeyError, match=message):
        await Verifier(records, lacking).episode("ep-1")
    with pytest.raises(UnknownKeyError, match=message):
        await Store(records, lacking).append(rows(1, head=made[0].head), summary(2))


async def test_a_destroyed_key_leaves_a_chain_that_verifies(store: Store, records: Database, queries: Queries):
    made = await fill(store, 3)
    others = await fill(store, 2, "ep-2", client_ref="client-2")
    assert await destroy(records, "client-1", START) == 1
    assert await destroy(records, "client-1", START) == 0
    unreadable = tuple(replace(row, payload=None, salt=None) for row in made)
    assert await queries.trail_rows("ep-1") == unreadable
    assert await queries.trail_rows("ep-2") == tuple(others)
    verdict = await Verifier(records, RING).episode("ep-1", made[-1].head)
    assert (verdict.rows, verdict.unreadable, verdict.fault) == (3, 3, None)


async def test_a_client_who_comes_back_gets_a_new_key(store: Store, records: Database, queries: Queries):
    made = await fill(store, 2)
    await destroy(records, "client-1", START)
    later = rows(2, head=made[-1].head)
    await store.append(later, summary(4))
    assert (await queries.trail_rows("ep-1"))[2:] == tuple(later)
    verdict = await Verifier(records, RING).episode("ep-1", later[-1].head)
    assert (verdict.rows, verdict.unreadable, verdict.fault) == (4, 2, None)


async def test_no_trace_of_a_destroyed_key_stays_in_the_file(tmp_path: Path):
    address = sqlite_url(tmp_path)
    upgrade(address)
    records = connect(address)
    await fill(Store(records, RING), 1)
    wrapped = await records.read(lambda connection: connection.scalar(select(client_keys.c.wrapped_key)))
    assert wrapped
    assert wrapped in (tmp_path / "records.db").read_bytes()
    await destroy(records, "client-1", START)
    await records.dispose()
    assert wrapped not in (tmp_path / "records.db").read_bytes()
    assert sqlite3.connect(tmp_path / "records.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_errors_show_no_parameters(store: Store, records: Database, url: str):
    await fill(store, 1)
    with tampering(url) as connection:
        connection.execute(text("DROP TABLE pages"))
        connection.execute(text("DROP TABLE obligations"))
    with pytest.raises(DBAPIError) as failed:
        await store.append(rows(2), summary(2))
    assert "client-1" not in str(failed.value)
