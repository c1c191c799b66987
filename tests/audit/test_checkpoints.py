"""With one checkpoint kept outside, nobody can rewrite, cut or restore the trail unseen, whatever keys they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, event, update
from sqlalchemy.exc import OperationalError

from audit import checkpoints as module
from audit.checkpoints import Checkpointer, Reach, Signed, Vouched, Witness, check_pinned, vouched
from audit.database import Database
from audit.signatures import CheckpointError, SigningKeys, VerifyKeys, checking
from audit.store import Store
from audit.tables import checkpoints, trail
from audit.verify import Verdict, Verifier
from protocol.checkpoint import Mark, Statement, root_of
from protocol.trail import Wrong
from tests.audit.records import RING, START, fill, rows, summary, tampering

KEYS = SigningKeys([("s1", b"s" * 32)])
OTHER = SigningKeys([("s1", b"o" * 32)])


def checkpointer(records: Database) -> Checkpointer:
    return Checkpointer(records, KEYS, lambda: START)


async def judged(records: Database, found: Vouched) -> dict[str, tuple[Wrong, int]]:
    verdicts: list[Verdict] = [one async for one in Verifier(records, RING, marks=found.marks).all()]
    return {one.episode_id: (one.fault.wrong, one.fault.sequence) for one in verdicts if one.fault is not None}


async def covered(store: Store, records: Database) -> Vouched:
    """Two episodes with a checkpoint at row 3, one with another at row 6 and two rows more that none covers."""
    made = await fill(store, 3)
    await fill(store, 3, "ep-2", client_ref="client-2")
    signer = checkpointer(records)
    assert await signer.make() == 1
    assert await signer.make() == 0
    more = rows(3, head=made[-1].head)
    await store.append(more, summary(6))
    assert await signer.waiting() == 3
    assert await signer.make() == 1
    await store.append(rows(2, head=more[-1].head), summary(8))
    return await vouched(records, KEYS)


async def test_checkpoints_say_how_far_each_chain_reached(store: Store, records: Database):
    found = await covered(store, records)
    assert {name: set(marks) for name, marks in found.marks.items()} == {"ep-1": {3, 6}, "ep-2": {3}}
    assert found.rows == 9
    assert found.last is not None
    assert (found.last.statement.number, found.last.statement.size) == (2, 1)
    assert await judged(records, found) == {}
    check_pinned(found.last, KEYS, found)


async def test_a_trail_rewritten_by_somebody_with_every_other_key_is_found(store: Store, records: Database, url: str):
    found = await covered(store, records)
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-1"))
    forged = rows(4)
    await store.append(forged, summary(9))
    await store.append(rows(4, head=forged[-1].head, facts={"ideation": "no"}), summary(10))
    assert [one.fault async for one in Verifier(records, RING).all()] == [None, None], (
        "without checkpoints it looks good"
    )
    assert await judged(records, found) == {"ep-1": (Wrong.REWRITTEN, 6)}


async def test_a_tail_and_an_episode_that_are_gone_are_found(store: Store, records: Database, url: str):
    found = await covered(store, records)
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-1", trail.c.sequence > 4))
        for table in ("obligations", "episodes", "trail"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE episode_id = 'ep-2'")
    assert await judged(records, found) == {"ep-1": (Wrong.TRUNCATED, 5), "ep-2": (Wrong.TRUNCATED, 1)}


async def test_an_old_backup_is_found_by_the_checkpoint_kept_outside(store: Store, records: Database, url: str):
    pinned = (await covered(store, records)).last
    assert pinned is not None
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.sequence > 3))
        connection.execute(delete(checkpoints).where(checkpoints.c.number > 1))
    found = await vouched(records, KEYS)
    assert await judged(records, found) == {}, "in itself the old state is whole"
    with pytest.raises(CheckpointError, match="checkpoint 2 was kept outside, the records end at 1"):
        check_pinned(pinned, KEYS, found)


async def test_a_restored_backup_is_not_signed_over(store: Store, records: Database, url: str):
    await fill(store, 2)
    signer = checkpointer(records)
    await signer.make()
    with tampering(url) as connection:
        connection.execute(delete(checkpoints))
    with pytest.raises(CheckpointError, match="an old backup was restored"):
        await signer.make()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 99}, "checkpoint 1: the signature"),
        ({"at": START + timedelta(days=1)}, "checkpoint 1: the signature"),
        ({"signature": "00" * 64}, "checkpoint 1: the signature"),
        ({"signature": "?"}, "checkpoint 1: the signature"),
        ({"previous": "ab" * 32}, "checkpoint 1: the signature"),
        ({"root": "ab" * 32}, "checkpoint 1: the signature"),
        ({"key_id": "s2"}, "checkpoint 1 is signed with 's2'"),
        ({"marks": '[["@ledger",1,"ef"],["ep-1",3,"ab"],["ep-2",3,"cd"]]'}, "checkpoint 1: its marks were changed"),
        ({"marks": "[[]]"}, "checkpoint 1: its marks can't be read"),
        ({"number": 7}, "checkpoint 1 is missing"),
    ],
)
async def test_a_changed_checkpoint_is_named(
    store: Store, records: Database, url: str, change: dict[str, object], said: str
):
    await covered(store, records)
    with tampering(url) as connection:
        connection.execute(update(checkpoints).where(checkpoints.c.number == 1).values(**change))
    with pytest.raises(CheckpointError, match=said):
        await vouched(records, KEYS)
    with pytest.raises(CheckpointError, match=said):
        await checkpointer(records).make()


async def test_whoever_checks_needs_the_public_half_alone(store: Store, records: Database):
    found = await covered(store, records)
    public = VerifyKeys((name, bytes.fromhex(key)) for name, key in KEYS.public().items())
    assert (await vouched(records, public)).marks == found.marks
    assert not hasattr(public, "sign")
    assert not hasattr(public, "_private")
    other = VerifyKeys([("s1", bytes.fromhex(OTHER.public()["s1"]))])
    with pytest.raises(CheckpointError, match="checkpoint 1: the signature does not fit"):
        await vouched(records, other)
    with pytest.raises(ValueError, match="s1 is one key in HOLDFAST_VERIFY_KEYS and another"):
        checking([("s1", bytes.fromhex(OTHER.public()["s1"]))], [("s1", b"s" * 32)])
    assert checking([], []) is None


async def test_a_witness_reads_each_checkpoint_once(
    store: Store, records: Database, url: str, monkeypatch: pytest.MonkeyPatch
):
    await covered(store, records)
    witness, read = Witness(records, KEYS), list[int]()
    take = Reach.take

    def counted(self: Reach, signed: Signed, marks: Sequence[Mark]) -> None:
        read.append(signed.statement.number)
        take(self, signed, marks)

    monkeypatch.setattr(Reach, "take", counted)
    for _ in range(3):
        covers = await witness.covered("ep-1")
        assert covers is not None
        assert (covers.sequence, covers.number) == (6, 2)
    assert await witness.covered("ep-9") is None
    assert read == [1, 2]
    with tampering(url) as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.number == 2))
    with pytest.raises(CheckpointError, match="an old backup was restored"):
        await witness.covered("ep-1")


async def test_the_trail_is_looked_through_once_and_never_under_the_lock(store: Store, records: Database):
    made = await fill(store, 3)
    signer, scans, locked = checkpointer(records), list[str](), list[str]()

    def seen(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "max(trail.sequence)" in statement:
            scans.append(statement)
        if "FROM trail" in statement and connection.get_execution_options().get("holdfast_writes"):
            locked.append(statement)

    event.listen(records.engine, "before_cursor_execute", seen)
    assert await signer.make() == 1
    assert len(scans) == 1
    await store.append(rows(2, head=made[-1].head), summary(5))
    scans.clear()
    locked.clear()
    assert await signer.make() == 1
    event.remove(records.engine, "before_cursor_execute", seen)
    assert (scans, locked) == ([], [])
    assert (await vouched(records, KEYS)).rows == 5


async def test_another_key_or_another_history_is_no_checkpoint_of_ours(store: Store, records: Database):
    found = await covered(store, records)
    assert found.last is not None
    statement = replace(found.last.statement, root="ab" * 32)
    with pytest.raises(CheckpointError, match="the signature does not fit"):
        check_pinned(Signed(found.last.statement, OTHER.sign(found.last.statement)), KEYS, found)
    with pytest.raises(CheckpointError, match="is another than the one kept outside"):
        check_pinned(Signed(statement, KEYS.sign(statement)), KEYS, found)


async def test_many_chains_make_several_checkpoints(store: Store, records: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_MARKS", 2)
    monkeypatch.setattr(module, "_CHUNK", 2)
    for number in range(5):
        await fill(store, 1, f"ep-{number}")
    assert await checkpointer(records).make() == 3
    assert (await vouched(records, KEYS)).rows == 5


async def test_what_could_not_be_written_is_not_taken_for_signed(
    store: Store, records: Database, monkeypatch: pytest.MonkeyPatch
):
    await fill(store, 2)
    signer = checkpointer(records)

    def fails(*_: object) -> None:
        raise OperationalError("no room", None, Exception())

    with monkeypatch.context() as broken:
        broken.setattr(Reach, "take", fails)
        with pytest.raises(OperationalError):
            await signer.make()
    assert await signer.make() == 1
    assert (await vouched(records, KEYS)).statements.keys() == {1}


def test_the_root_is_that_of_rfc_6962():
    """Computed by hand for three leaves: the left tree takes the largest power of two."""
    from hashlib import sha256

    marks = [Mark(f"ep-{number}", number, "ab") for number in (1, 2, 3)]
    one, two, three = (sha256(b"\x00" + f'["ep-{number}",{number},"ab"]'.encode()).digest() for number in (1, 2, 3))
    left = sha256(b"\x01" + one + two).digest()
    assert root_of(marks) == sha256(b"\x01" + left + three).hexdigest()
    assert root_of([]) == sha256(b"").hexdigest()
    roots = {root_of(marks[:size]) for size in range(4)} | {root_of(marks[::-1])}
    assert len(roots) == 5


def test_every_part_of_a_statement_is_signed():
    statement = Statement(1, START, "00", 3, 1, "ff", "s1")
    changed = [
        replace(statement, **{name: value})
        for name, value in {
            "number": 2, "at": START + timedelta(microseconds=1), "previous": "01", "rows": 4, "size": 2, "root": "fe",
            "key_id": "s2",
        }.items()
    ]  # fmt: skip
    assert len({one.signed() for one in [statement, *changed]}) == 8
