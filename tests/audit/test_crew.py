"""Many processes find what one finds, in the same order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, text, update

from audit import verification as verification_module
from audit.checkpoints import Checkpointer, vouched
from audit.crew import Crew
from audit.database import Database
from audit.sealing import Keyring, UnknownKeyError
from audit.signatures import SigningKeys
from audit.store import Store
from audit.tables import trail
from audit.verification import compare_lists, judge
from audit.verify import Known, Piece, Verdict, pieces
from protocol.trail import Head, Wrong
from tests.audit.records import RING, START, fill, tampering

KEYS = [("first", b"1" * 32)]
SIGNING = SigningKeys([("s1", b"s" * 32)])
NAMES = [f"ep-{number}" for number in range(1, 8)]


@given(st.dictionaries(st.text(), st.integers(1, 50)), st.integers(1, 60))
def test_pieces_leave_nothing_out_and_nothing_twice(sizes: dict[str, int], rows: int) -> None:
    found = pieces(sizes, rows)
    assert [one for _, ids in found for one in ids] == [*sizes]
    assert [piece for piece, _ in found] == [
        Piece(found[number - 1][1][-1] if number else None, ids[-1] if number < len(found) - 1 else None)
        for number, (_, ids) in enumerate(found)
    ]
    assert all(sum(sizes[one] for one in ids[:-1]) < rows for _, ids in found)


@pytest.fixture
async def known(records: Database, store: Store, url: str) -> Known:
    """Records in which much was changed, and what is known of them."""
    for name in NAMES:
        await fill(store, 5, name)
    await Checkpointer(records, SIGNING, lambda: START).make()
    with tampering(url) as connection:
        connection.execute(update(trail).where(trail.c.episode_id == "ep-2", trail.c.sequence == 3).values(actor="x"))
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-4"))
        connection.execute(delete(trail).where(trail.c.episode_id == "ep-6", trail.c.sequence > 2))
        connection.execute(text("UPDATE episodes SET owner = 'ada' WHERE episode_id = 'ep-3'"))
    return Known((await vouched(records, SIGNING)).marks, {"ep-7": Head(6, "ab" * 32)})


async def test_a_crew_finds_what_one_process_finds(
    records: Database, known: Known, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(crew: Crew | None) -> tuple[list[Verdict], list[Any]]:
        verdicts = await judge(records, RING, known, True, crew)
        return verdicts, await compare_lists(records, RING, verdicts, crew)

    alone = await found(None)
    faults = {one.episode_id: (one.fault.sequence, one.fault.wrong) for one in alone[0] if one.fault}
    assert faults == {
        "ep-2": (3, Wrong.EDITED),
        "ep-4": (1, Wrong.TRUNCATED),
        "ep-6": (3, Wrong.TRUNCATED),
        "ep-7": (6, Wrong.TRUNCATED),
    }
    monkeypatch.setattr(verification_module, "SHARE", 8)
    with Crew(url, KEYS, 2) as crew:
        assert await found(crew) == alone


async def test_a_key_that_the_crew_lacks_is_said(
    records: Database, known: Known, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_module, "SHARE", 8)
    other = [("second", b"2" * 32)]
    with Crew(url, other, 2) as crew, pytest.raises(UnknownKeyError, match="first"):
        await judge(records, Keyring(other), known, True, crew)


def test_a_crew_tells_nobody_its_keys() -> None:
    said = repr(Crew("postgresql://user:secret@host/db", KEYS, 2))
    assert said == "Crew(count=2)"
