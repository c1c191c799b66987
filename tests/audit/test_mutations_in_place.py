"""Ten thousand random changes in real databases, by somebody who owns them: the real verifier finds all of them.

Each is made in a transaction that is rolled back, past every trigger. What is known from outside is what an auditor
has: checkpoints, and the end that each workflow remembers. Changes that a database does not take at all, such as a
time that is none on PostgreSQL, are drawn anew.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, event, insert, text
from sqlalchemy.exc import DBAPIError

from audit.checkpoints import Checkpointer, Signed, vouched
from audit.database import Database, connect_sync, for_writing
from audit.heads import End, ask_all, hold
from audit.sealing import UnknownKeyError
from audit.signatures import VerifyKeys
from audit.store import Store
from audit.tables import client_keys, metadata
from audit.verification import Findings, Wanted, verification
from audit.verify import Verdict, Verifier
from protocol.trail import Fault, Head
from tests.audit import test_mutations as memory
from tests.audit.bundles import KEYS, some_episodes
from tests.audit.records import RING, START

OF_THE_TRAIL = {"sqlite": 6_600, "postgresql": 2_600}
BESIDE = 400
"""Changes of what lies beside the trail, on each of the two databases: ten thousand in all."""
COLUMNS = memory.Stored._fields
PUBLIC = VerifyKeys((name, bytes.fromhex(key)) for name, key in KEYS.public().items())
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
TIMES = ("occurred_at", "recorded_at", "written_at")


class Within:
    """The records as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        return work(self._connection)

    read_moment = read


class Remembered:
    """Workflows that remember these ends."""

    def __init__(self, ends: dict[str, Head]) -> None:
        self._ends = ends

    async def known(self) -> AsyncIterator[str]:
        for episode_id in self._ends:
            yield episode_id

    async def end(self, episode_id: str) -> End | None:
        head = self._ends.get(episode_id)
        return None if head is None else End(head, 0)


@contextmanager
def owner(url: str) -> Iterator[Engine]:
    """The database as somebody holds it who may do anything."""
    engine = connect_sync(url)

    def free(connection: Any, _record: object) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("PRAGMA ignore_check_constraints=ON")
            connection.execute("PRAGMA synchronous=OFF")
        else:
            connection.execute("SET session_replication_role = replica")
            connection.commit()

    event.listen(engine, "connect", free)
    with for_writing(engine).begin() as connection:
        if engine.dialect.name == "sqlite":
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("ALTER TABLE trail DROP CONSTRAINT ck_trail_sequence")
    yield engine
    engine.dispose()


def put(connection: Connection, trail: memory.Trail) -> None:
    """This trail in place of what is there."""
    rows = [row for one in trail.values() for row in one]
    values = ", ".join(
        f"CAST(:{name} AS timestamptz)" if name in TIMES and connection.dialect.name == "postgresql" else f":{name}"
        for name in COLUMNS
    )
    connection.exec_driver_sql("DELETE FROM trail")
    if rows:
        statement = text(f"INSERT INTO trail ({', '.join(COLUMNS)}) VALUES ({values})")
        connection.execute(statement, [row._asdict() for row in rows])


def content(connection: Connection) -> list[Any]:
    return sorted(map(repr, connection.exec_driver_sql(f"SELECT {', '.join(COLUMNS)} FROM trail").all()))


async def first_fault(connection: Connection) -> Fault | None:
    """The first bad row of the first bad episode of those that there were."""
    records = cast(Database, Within(connection))
    verifier = Verifier(records, RING, marks=memory.MARKS, remembered=memory.ENDS)
    verdicts: list[Verdict] = [one async for one in verifier.all()]
    workflows = Remembered(memory.ENDS)
    held = await hold(workflows, await ask_all(workflows), verdicts)
    faults = sorted((one.fault for one in held if one.fault is not None), key=lambda fault: fault.episode_id)
    return next((fault for fault in faults if fault.episode_id in memory.EPISODES), faults[0] if faults else None)


@pytest.fixture
def trail_in(url: str) -> Iterator[Engine]:
    """The trail of the changes in memory, in a real database."""
    with owner(url) as engine:
        with for_writing(engine).begin() as connection:
            for number, (key_id, (client, _)) in enumerate(memory.KEYS.items(), 1):
                wrapped = RING.wrap(str(number).encode() * 32, key_id, client)
                told = {"key_id": key_id, "client_ref": client, "kek_id": RING.active, "wrapped_key": wrapped}
                connection.execute(insert(client_keys), {**told, "created_at": START})
            put(connection, memory.ORIGINAL)
        yield engine


async def found(engine: Engine, mutate: memory.Mutation, seed: int, original: list[Any]) -> bool:
    """Whether the database took the change; then it was found, at its row."""
    trail, chance = memory.copy(), random.Random(seed)
    expected = mutate(trail, chance)
    with for_writing(engine).connect() as connection, connection.begin() as transaction:
        try:
            put(connection, trail)
        except DBAPIError:
            return False
        if content(connection) == original:
            return False  # another way to write the same moment
        fault = await first_fault(connection)
        transaction.rollback()
    assert fault is not None, f"{mutate.__name__} {seed} was not found"
    assert (fault.episode_id, fault.sequence) == expected, f"{mutate.__name__} {seed}: {fault}"
    return True


@pytest.mark.full
async def test_changes_of_the_trail_are_found_at_their_row(trail_in: Engine):
    with trail_in.connect() as connection:
        original = content(connection)
        assert await first_fault(connection) is None
    chance, kinds, seed = random.Random(23), Counter[str](), 0
    wanted = OF_THE_TRAIL[trail_in.dialect.name]
    while kinds.total() < wanted:
        mutate, seed = chance.choice(memory.MUTATORS), seed + 1
        kinds[mutate.__name__] += await found(trail_in, mutate, seed, original)
    assert len(kinds) == len(memory.MUTATORS)
    assert min(kinds.values()) > wanted // 100
    with trail_in.connect() as connection:
        assert content(connection) == original, "every one was rolled back"


Tables = dict[str, tuple[str, ...]]
LISTS: Tables = {
    "episodes": tuple(column.name for column in metadata.tables["episodes"].columns),
    "obligations": tuple(column.name for column in metadata.tables["obligations"].columns),
}
OTHERS: Tables = {
    "client_keys": ("key_id", "client_ref", "kek_id", "wrapped_key"),
    "protocols": ("hash", "name", "version", "document"),
    "checkpoints": ("number", "at", "previous", "rows", "marks", "root", "key_id", "signature"),
}
NAMED = {
    "episodes": "list episodes|the list of episodes knows row|has no trail",
    "obligations": "list obligations",
    "client_keys": "seal: |data key",
    "protocols": "protocol",
    "checkpoints": "checkpoint",
}
"""What the finding says, whatever was changed in a table."""


def other(value: Any, chance: random.Random) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + chance.choice((1, 1_000))
        case bytes() | memoryview():
            changed = bytearray(value)
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case datetime():
            return value + timedelta(microseconds=chance.choice((1, 86_400_000_000)))
        case str() if RFC_3339.fullmatch(value):
            return value[:3] + str((int(value[3]) + 1) % 10) + value[4:]
        case str():
            place = chance.randrange(len(value)) if value else 0
            return value[:place] + chance.choice("xyz") + value[place:]
        case _:
            return "2031-01-01T00:00:00.000000Z"


def change_beside(connection: Connection, chance: random.Random) -> str:
    """Change one value, or take a line away, in a table beside the trail; the table."""
    table = chance.choice([*LISTS, *OTHERS])
    lines = connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all()
    line = chance.choice(lines)
    key = metadata.tables[table].primary_key.columns.keys()
    here = " AND ".join(f"{name} = :key_{name}" for name in key)
    where = {f"key_{name}": line[name] for name in key}
    if table != "client_keys" and chance.random() < 0.15:
        connection.execute(text(f"DELETE FROM {table} WHERE {here}"), where)
        return table
    column = chance.choice((LISTS | OTHERS)[table])
    value = other(line[column], chance)
    connection.execute(text(f"UPDATE {table} SET {column} = :value WHERE {here}"), {**where, "value": value})
    return table


async def verified(connection: Connection, kept: Signed) -> list[str]:
    records, workflows = cast(Database, Within(connection)), Remembered({})
    try:
        found: Findings = await verification(records, RING, PUBLIC, workflows, Wanted(pinned=(kept,)))
    except UnknownKeyError as error:
        return [str(error)]
    return found.bad


@pytest.mark.full
async def test_changes_beside_the_trail_are_found_and_named(store: Store, records: Database, url: str):
    await some_episodes(store, records)
    await Checkpointer(records, KEYS, lambda: START).make()
    kept = (await vouched(records, KEYS)).last
    assert kept is not None
    chance, kinds = random.Random(29), Counter[str]()
    with owner(url) as engine:
        while kinds.total() < BESIDE:
            with for_writing(engine).connect() as connection, connection.begin() as transaction:
                try:
                    table = change_beside(connection, chance)
                except DBAPIError:
                    continue  # not taken: two lines of one key
                bad = await verified(connection, kept)
                transaction.rollback()
            assert any(re.search(NAMED[table], line) for line in bad), (table, kinds.total(), bad)
            kinds[table] += 1
        with engine.connect() as connection:
            assert await verified(connection, kept) == []
    assert len(kinds) == len(NAMED)
