"""Checkpoints that are kept outside the database, and what the file knows when the records were changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from audit.checkpoints import Checkpointer, check_pinned, vouched
from audit.database import Database
from audit.outside import KeptFile, NotKeptError, read_kept
from audit.signatures import CheckpointError
from audit.store import Store
from audit.tables import checkpoints, trail
from audit.verification import compare
from tests.audit.bundles import KEYS
from tests.audit.records import START, fill, rows, summary, tampering


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept.ndjson"


async def three_checkpoints(store: Store, records: Database) -> Checkpointer:
    signer, head = Checkpointer(records, KEYS, lambda: START), None
    for count in (2, 4, 6):
        made = rows(2, head=head)
        await store.append(made, summary(count))
        await signer.make()
        head = made[-1].head
    return signer


async def test_each_checkpoint_is_kept_once(store: Store, records: Database, path: Path):
    await three_checkpoints(store, records)
    assert await KeptFile(records, KEYS, path).bring_up() == 3
    kept = KeptFile(records, KEYS, path)
    assert await kept.bring_up() == 0, "another process goes on where the file ends"
    await fill(store, 1, "ep-2", client_ref="client-2")
    await Checkpointer(records, KEYS, lambda: START).make()
    assert await kept.bring_up() == 1
    numbers = [one.statement.number for one in read_kept(path)]
    assert numbers == [1, 2, 3, 4]
    found = await vouched(records, KEYS)
    for one in read_kept(path):
        check_pinned(one, KEYS, found)
    assert "all 4 kept outside are among them" in (await compare(records, KEYS, tuple(read_kept(path)))).said


async def test_an_old_backup_is_found_by_the_file_and_never_kept_over(
    store: Store, records: Database, url: str, path: Path
):
    await three_checkpoints(store, records)
    kept = KeptFile(records, KEYS, path)
    await kept.bring_up()
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.sequence > 2))
        connection.execute(delete(checkpoints).where(checkpoints.c.number > 1))
    problem = (await compare(records, KEYS, tuple(read_kept(path)))).problem
    assert problem is not None
    assert "checkpoint 2 was kept outside, the records end at 1" in problem
    before = path.read_bytes()
    for one in (kept, KeptFile(records, KEYS, path)):
        with pytest.raises(CheckpointError, match="checkpoint 3 was in the records and is not any more"):
            await one.bring_up()
    assert path.read_bytes() == before


async def test_a_line_torn_off_is_written_anew_and_passed_over(store: Store, records: Database, path: Path):
    await three_checkpoints(store, records)
    await KeptFile(records, KEYS, path).bring_up()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:70])
    assert [one.statement.number for one in read_kept(path)] == [1, 2]
    assert await KeptFile(records, KEYS, path).bring_up() == 1
    assert [one.statement.number for one in read_kept(path)] == [1, 2, 3]
    path.write_bytes(lines[0] + b"{}\n" + lines[1])
    with pytest.raises(NotKeptError, match="line 2: this is no checkpoint"):
        await KeptFile(records, KEYS, path).bring_up()
    path.write_bytes(b"{}")
    with pytest.raises(NotKeptError, match="line 1"):
        list(read_kept(path))
