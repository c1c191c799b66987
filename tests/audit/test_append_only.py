"""What is recorded cannot be changed by the application, not even by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from audit.access import Access, record
from audit.checkpoints import Checkpointer
from audit.database import Database, connect, connect_sync
from audit.holds import hold
from audit.keys import destroy
from audit.ledger import enter_all
from audit.migrate import upgrade
from audit.publications import Publications
from audit.queries import Queries
from audit.releases import Release, note_in
from audit.signatures import SigningKeys
from audit.store import Store
from protocol.publishing import Publication
from tests.audit.records import RING, START, fill, rows, summary
from tests.protocol.specs import compact

SIGNING = SigningKeys([("s1", b"s" * 32)])
SUBMITTED = Publication("submitted", START, "compact", "1.0.0", compact().content_hash, "finn", "peer")
DOCUMENT = "{}"
DOCUMENT_HASH = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

CHANGES = [
    "UPDATE trail SET actor = 'somebody else'",
    "UPDATE trail SET sealed = sealed WHERE sequence = 1",
    "DELETE FROM trail",
    "DELETE FROM trail WHERE sequence = 2",
    "UPDATE protocols SET document = '{ }'",
    "DELETE FROM protocols",
    "UPDATE publications SET act = 'retired'",
    "DELETE FROM publications",
    "UPDATE checkpoints SET rows = 0",
    "DELETE FROM checkpoints",
    "DELETE FROM client_keys",
    "UPDATE accesses SET who = 'somebody else'",
    "DELETE FROM accesses",
    "UPDATE holds SET act = 'lifted'",
    "DELETE FROM holds",
    "UPDATE releases SET version = '9'",
    "DELETE FROM releases",
    "UPDATE ledger SET content = ''",
    "DELETE FROM ledger",
]
GROWING = ["trail", "protocols", "publications", "checkpoints", "client_keys", "accesses", "holds", "releases"]
GROWING += ["ledger"]
REPLACING = [f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in GROWING]
TRUNCATING = [
    "TRUNCATE trail CASCADE",
    "TRUNCATE protocols CASCADE",
    "TRUNCATE checkpoints",
    "TRUNCATE client_keys CASCADE",
]
TRUNCATING += ["TRUNCATE publications", "TRUNCATE accesses", "TRUNCATE holds", "TRUNCATE releases", "TRUNCATE ledger"]


@pytest.mark.parametrize("change", [*CHANGES, *REPLACING, *TRUNCATING])
async def test_the_database_refuses_changes(store: Store, records: Database, queries: Queries, change: str):
    only_on = "sqlite" if change in REPLACING else "postgresql" if change in TRUNCATING else records.engine.dialect.name
    if records.engine.dialect.name != only_on:
        pytest.skip(f"{only_on} alone has this statement")
    made = await fill(store, 2)
    await store.save_protocol(DOCUMENT_HASH, "p", "1", DOCUMENT)
    await Checkpointer(records, SIGNING, lambda: START).make()
    await Publications(records, SIGNING).add(compact(), lambda _: SUBMITTED)
    await record(records, Access(START, "lee", "auditor", "read", client_ref="client-1"))
    await hold(records, "client-1", "lee", "subpoena", START)
    await records.write(lambda connection: note_in(connection, Release("1", "ab" * 32), START))
    await enter_all(records)
    with pytest.raises(DBAPIError, match=r"append-only|never deleted"):
        await records.write(lambda connection: connection.execute(text(change)))
    assert await queries.trail_rows("ep-1") == tuple(made)
    assert await queries.get_protocol(DOCUMENT_HASH) is not None


@pytest.fixture
def application_url(server: str) -> Iterator[str]:
    """PostgreSQL as the application sees it: through a role of its own, without the owner's rights."""
    name, role = f"records_{uuid4().hex}", f"app_{uuid4().hex}"
    admin = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    owner = admin.url.set(database=name)
    for _ in range(2):
        upgrade(owner.render_as_string(hide_password=False), role)
    yield owner.set(username=role).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        connection.execute(text(f"DROP ROLE {role}"))
    admin.dispose()


@pytest.mark.full
async def test_the_application_can_do_its_work(application_url: str):
    records = connect(application_url)
    store = Store(records, RING)
    made = await fill(store, 3)
    await store.append(rows(2, head=made[-1].head), summary(5, obligations=()))
    await store.save_protocol(DOCUMENT_HASH, "p", "1", DOCUMENT)
    assert len(await Queries(records, RING).trail_rows("ep-1")) == 5
    assert await Checkpointer(records, SIGNING, lambda: START).make() == 1
    assert await Publications(records, SIGNING).add(compact(), lambda _: SUBMITTED) == SUBMITTED
    await record(records, Access(START, "lee", "auditor", "read", client_ref="client-1"))
    await hold(records, "client-1", "lee", "subpoena", START)
    await records.write(lambda connection: note_in(connection, Release("1", "ab" * 32), START))
    await records.dispose()


@pytest.mark.full
@pytest.mark.parametrize(
    "act",
    [
        *CHANGES,
        "TRUNCATE trail",
        "TRUNCATE protocols",
        "DROP TABLE trail",
        "ALTER TABLE trail DISABLE TRIGGER ALL",
        "ALTER TABLE trail ADD COLUMN more TEXT",
        "DROP TRIGGER trail_append_only ON trail",
        "SET session_replication_role = replica",
        "UPDATE client_keys SET kek_id = kek_id",
        "CREATE TABLE more (id INTEGER)",
        "UPDATE alembic_version SET version_num = '0'",
    ],
)
async def test_the_application_has_no_other_rights(application_url: str, act: str):
    engine = connect_sync(application_url)
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"), engine.begin() as connection:
        connection.execute(text(act))
    engine.dispose()


@pytest.mark.full
async def test_the_application_cannot_destroy_a_key(application_url: str):
    records = connect(application_url)
    await fill(Store(records, RING), 1)
    with pytest.raises(DBAPIError, match="permission denied"):
        await destroy(records, "client-1", START)
    await records.dispose()


@pytest.mark.full
def test_the_owner_is_not_the_application(server: str):
    with pytest.raises(ValueError, match="needs a role of its own"):
        upgrade(server, "postgres")
