"""Whoever owns the database and knows the format changes who looked, holds, publications or releases: all is found.

What is known from outside is what signed checkpoints say. Every attack is made on a real database and undone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy import delete as removal

from audit.access import record
from audit.checkpoints import vouched
from audit.database import Database
from audit.ledger import BOOKS, NOTHING_BEFORE, check_ledger
from audit.ledger import _contents as contents_of  # pyright: ignore[reportPrivateUsage]
from audit.ledger import _hash as hash_of  # pyright: ignore[reportPrivateUsage]
from audit.tables import accesses, holds, ledger, ledger_waiting
from tests.audit.records import START, tampering
from tests.audit.test_ledger import ENTRIES, KEYS, MARKED, looks, problem_of, written

MUTATIONS = 300
TABLES: tuple[Table, ...] = (*(key.table for key in BOOKS.values()), ledger, ledger_waiting)
Snapshot = Mapping[str, Sequence[Mapping[str, Any]]]
Place = tuple[str, str]

Mutation = Callable[[Connection, random.Random], int]
"""Changes the books or the ledger; the number of the entry that must be named, 0 where a row must be."""


def place_of(raw: Connection, number: int) -> Place:
    row = raw.execute(select(ledger.c.book, ledger.c.entry).where(ledger.c.number == number)).one()
    return row.book, row.entry


def mine(book: str, entry: str) -> Any:
    key = BOOKS[book]
    return key == (int(entry) if book == "publications" else entry)


def any_number(chance: random.Random) -> int:
    return chance.randint(1, ENTRIES)


def edit_a_row(raw: Connection, chance: random.Random) -> int:
    """Any column, the key as well: then nothing stands any more under the old one."""
    number = any_number(chance)
    book, entry = place_of(raw, number)
    column = chance.choice([*BOOKS[book].table.columns])
    (value,) = raw.execute(select(column).where(mine(book, entry))).one()
    changed = raw.execute(update(column.table).where(mine(book, entry)).values({column.name: another(value)}))
    assert changed.rowcount == 1
    return number


def another(value: Any) -> Any:
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, int):
        return value + 50
    return {"placed": "lifted", "lifted": "placed"}.get(value, f"{value}x")


def delete_a_row(raw: Connection, chance: random.Random) -> int:
    number = any_number(chance)
    book, entry = place_of(raw, number)
    raw.execute(removal(BOOKS[book].table).where(mine(book, entry)))
    return number


def swap_two_rows(raw: Connection, chance: random.Random) -> int:
    """Two looks take each other's key."""
    numbers = numbers_of(raw, "accesses")
    first, second = sorted(chance.sample(numbers, 2))
    here, there = (place_of(raw, one)[1] for one in (first, second))
    for old, new in ((here, "aside"), (there, here), ("aside", there)):
        raw.execute(update(accesses).where(accesses.c.access_id == old).values(access_id=new))
    return first


def move_a_row_to_another_table(raw: Connection, chance: random.Random) -> int:
    """A hold becomes a look under the same key, and its entry says so, hashed anew up to the end or not at all."""
    number = chance.choice(numbers_of(raw, "holds"))
    _, entry = place_of(raw, number)
    hold = raw.execute(select(holds).where(holds.c.hold_id == entry)).one()
    raw.execute(removal(holds).where(holds.c.hold_id == entry))
    look = {"access_id": entry, "at": hold.at, "who": hold.who, "role": "auditor", "what": "held"}
    more = {"episode_id": "", "client_ref": hold.client_ref, "purpose": hold.reason, "detail": "{}"}
    raw.execute(insert(accesses), {**look, **more})
    forget_the_notes(raw)
    raw.execute(update(ledger).where(ledger.c.number == number).values(book="accesses"))
    if chance.random() < 0.5:
        return number
    forge(raw, number, ENTRIES)
    return next_mark(number)


def edit_an_entry(raw: Connection, chance: random.Random) -> int:
    number = any_number(chance)
    column = chance.choice(["book", "entry", "content", "previous_hash", "hash"])
    raw.execute(update(ledger).where(ledger.c.number == number).values({column: f"{chance.random()}"}))
    return number


def delete_an_entry(raw: Connection, chance: random.Random) -> int:
    number = any_number(chance)
    raw.execute(removal(ledger).where(ledger.c.number == number))
    return number


def cut_the_end(raw: Connection, chance: random.Random) -> int:
    """Entries with their rows: nothing else tells of them. So lies an old backup of these tables."""
    number = any_number(chance)
    for one in range(number, ENTRIES + 1):
        book, entry = place_of(raw, one)
        raw.execute(removal(BOOKS[book].table).where(mine(book, entry)))
    raw.execute(removal(ledger).where(ledger.c.number >= number))
    return number


def restore_one_table(raw: Connection, chance: random.Random) -> int:
    """As it was before the first checkpoint, with the ledger as it is."""
    kept = numbers_of(raw, "accesses")[: chance.randint(0, 3)]
    known = {place_of(raw, one)[1] for one in kept}
    raw.execute(removal(accesses).where(accesses.c.access_id.not_in(known)))
    return next(one for one in numbers_of(raw, "accesses") if one not in kept)


def swap_two_entries(raw: Connection, chance: random.Random) -> int:
    first, second = sorted(chance.sample(range(1, ENTRIES + 1), 2))
    for here, there in ((first, 99), (second, first), (99, second)):
        raw.execute(update(ledger).where(ledger.c.number == here).values(number=there))
    return first


def hash_an_edit_anew(raw: Connection, chance: random.Random) -> int:
    """The entry after it, or the mark on the last one, knows better."""
    number = any_number(chance)
    edit_its_row(raw, number)
    forge(raw, number, number)
    return number


def rewrite_to_the_end(raw: Connection, chance: random.Random) -> int:
    """All that follows is made to fit: the first mark of a checkpoint from there on knows better."""
    number = any_number(chance)
    edit_its_row(raw, number)
    forge(raw, number, ENTRIES)
    return next_mark(number)


def take_one_out_and_close_up(raw: Connection, chance: random.Random) -> int:
    """A look never was; every entry behind it moves up."""
    number = any_number(chance)
    book, entry = place_of(raw, number)
    raw.execute(removal(BOOKS[book].table).where(mine(book, entry)))
    raw.execute(removal(ledger).where(ledger.c.number == number))
    for one in range(number + 1, ENTRIES + 1):
        raw.execute(update(ledger).where(ledger.c.number == one).values(number=one - 1))
    forge(raw, number, ENTRIES - 1)
    return next_mark(number)


def put_a_row_in(raw: Connection, chance: random.Random) -> int:
    """Past the guards: it stands in no ledger and waits for none."""
    forge_a_look(raw, f"forged-{chance.random()}")
    forget_the_notes(raw)
    return 0


def enter_a_forged_row_before_the_first(raw: Connection, chance: random.Random) -> int:
    """Under a number that no reader asks for who begins with 1."""
    forge_a_look(raw, name := f"forged-{chance.random()}")
    forget_the_notes(raw)
    allow_any_number(raw)
    number = -chance.randint(0, 5)
    enter(raw, number, name, NOTHING_BEFORE)
    return number


def forge_a_look(raw: Connection, name: str) -> None:
    values = {"access_id": name, "at": START, "who": "eve", "role": "auditor", "what": "read", "detail": "{}"}
    raw.execute(insert(accesses), {**values, "episode_id": "", "client_ref": "client-1", "purpose": ""})


def forget_the_notes(raw: Connection) -> None:
    raw.execute(removal(ledger_waiting))


def allow_any_number(raw: Connection) -> None:
    if raw.dialect.name == "sqlite":
        raw.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    else:
        raw.execute(text("ALTER TABLE ledger DROP CONSTRAINT IF EXISTS ck_ledger_number"))


def enter(raw: Connection, number: int, name: str, before: str) -> None:
    place = ("accesses", name)
    content = contents_of(raw, [place])[place]
    values = {"number": number, "book": "accesses", "entry": name, "content": content, "previous_hash": before}
    raw.execute(insert(ledger), {**values, "hash": hash_of(before, number, *place, content)})


def edit_its_row(raw: Connection, number: int) -> None:
    book, entry = place_of(raw, number)
    name = {"publications": "said", "releases": "version"}.get(book, "who")
    raw.execute(update(BOOKS[book].table).where(mine(book, entry)).values({name: "eve"}))


def forge(raw: Connection, first: int, last: int) -> None:
    """Make entries fit what their rows say now, as somebody does who knows the format."""
    before = NOTHING_BEFORE
    if first > 1:
        before = str(raw.scalar(select(ledger.c.hash).where(ledger.c.number == first - 1)))
    for number in range(first, last + 1):
        place = place_of(raw, number)
        content = contents_of(raw, [place])[place]
        hashed = hash_of(before, number, *place, content)
        values = {"content": content, "previous_hash": before, "hash": hashed}
        raw.execute(update(ledger).where(ledger.c.number == number).values(values))
        before = str(hashed)


def numbers_of(raw: Connection, book: str) -> list[int]:
    query = select(ledger.c.number).where(ledger.c.book == book).order_by(ledger.c.number)
    return [*raw.scalars(query)]


def next_mark(number: int) -> int:
    return min(one for one in MARKED if one >= number)


MUTATORS: Sequence[Mutation] = (
    *(edit_a_row, delete_a_row, swap_two_rows, move_a_row_to_another_table, edit_an_entry, delete_an_entry),
    *(cut_the_end, restore_one_table, swap_two_entries, hash_an_edit_anew, rewrite_to_the_end),
    *(take_one_out_and_close_up, put_a_row_in, enter_a_forged_row_before_the_first),
)


@pytest.fixture
async def whole(records: Database) -> Snapshot:
    """Every row of untouched records."""
    await written(records)
    return await records.read(
        lambda raw: {one.name: [dict(row) for row in raw.execute(select(one)).mappings()] for one in TABLES}
    )


def put_back(raw: Connection, whole: Snapshot) -> None:
    for one in TABLES:
        raw.execute(removal(one))
        if whole[one.name]:
            raw.execute(insert(one), [*whole[one.name]])


async def named(records: Database, url: str, whole: Snapshot, mutate: Mutation, seed: int) -> None:
    with tampering(url) as raw:
        expected = mutate(raw, random.Random(seed))
    problem = await problem_of(records)
    assert problem is not None, f"{mutate.__name__} {seed} was not found"
    wanted = f"ledger entry {expected} "
    if mutate is put_a_row_in:
        wanted = "was never entered"
    assert wanted in problem, f"{mutate.__name__} {seed}, expected {expected}: {problem}"
    with tampering(url) as raw:
        put_back(raw, whole)


@pytest.mark.parametrize("mutate", MUTATORS, ids=lambda one: one.__name__)
async def test_every_kind_of_change_is_found_at_its_entry(
    records: Database, url: str, whole: Snapshot, mutate: Mutation
) -> None:
    for seed in range(5):
        await named(records, url, whole, mutate, seed)
    assert await problem_of(records) is None


@pytest.mark.full
async def test_many_random_changes_are_all_found_at_their_entry(records: Database, url: str, whole: Snapshot) -> None:
    chance, kinds = random.Random(7), Counter[str]()
    for seed in range(MUTATIONS):
        mutate = chance.choice(MUTATORS)
        await named(records, url, whole, mutate, seed)
        kinds[mutate.__name__] += 1
    assert len(kinds) == len(MUTATORS)


async def test_a_table_without_its_key_hides_no_second_row(records: Database, url: str, whole: Snapshot) -> None:
    """Two rows under one key, or two entries under one number: whichever a reader sees, it is found."""
    double(url, "accesses")
    number, entry = await records.read(lambda raw: next((n, place_of(raw, n)[1]) for n in numbers_of(raw, "accesses")))
    for name in ("last", "first"):
        with tampering(url) as raw:
            there = dict(raw.execute(select(accesses).where(mine("accesses", entry))).mappings().one())
            forge_a_look(raw, entry)
            if name == "first":
                raw.execute(removal(accesses).where(mine("accesses", entry), accesses.c.who != "eve"))
                raw.execute(insert(accesses), there)
        assert f"ledger entry {number} " in (await problem_of(records) or ""), f"the forged one lies {name}"
        with tampering(url) as raw:
            raw.execute(removal(accesses).where(accesses.c.who == "eve"))


@pytest.mark.parametrize("number", [1, 7, ENTRIES])
async def test_an_entry_beside_another_is_found(
    records: Database, url: str, whole: Snapshot, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever reading pauses: between the two as well."""
    double(url, "ledger")
    with tampering(url) as raw:
        forge_a_look(raw, "forged")
        forget_the_notes(raw)
        enter(raw, number, "forged", "0" * 64)
    for at_once in (1, number, 500):
        monkeypatch.setattr("audit.ledger.AT_ONCE", at_once)
        assert await problem_of(records) is not None


def double(url: str, name: str) -> None:
    """The table without anything that keeps rows apart, as its owner can make it."""
    with tampering(url) as raw:
        raw.execute(text(f"CREATE TABLE copy AS SELECT * FROM {name}"))
        raw.execute(text(f"DROP TABLE {name}"))
        raw.execute(text(f"ALTER TABLE copy RENAME TO {name}"))


async def test_what_is_not_seen_is_what_no_checkpoint_has(records: Database, url: str, whole: Snapshot) -> None:
    """The window that the documents state: a row that waits can be changed, or go together with its note."""
    await record(records, *looks(2, after=70))
    with tampering(url) as raw:
        raw.execute(update(accesses).where(accesses.c.who == "p-71").values(who="eve"))
        raw.execute(removal(accesses).where(accesses.c.who == "p-72"))
        waits = select(accesses.c.access_id)
        raw.execute(removal(ledger_waiting).where(ledger_waiting.c.entry.not_in(waits)))
    found = await check_ledger(records, (await vouched(records, KEYS)).ledger)
    assert (found.entries, found.waiting, found.problem) == (ENTRIES, 1, None)
    looked = await records.read(lambda raw: raw.scalar(select(func.count()).select_from(accesses)))
    assert looked == len(whole["accesses"]) + 1
