"""The ledger: one chain over what belongs to no episode, and what waits to be entered in it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"

BOOKS = {"accesses": "access_id", "holds": "hold_id", "publications": "number", "releases": "release_id"}


def upgrade() -> None:
    """Make both tables and their guards. There is no way back: a downgrade would drop the chain."""
    op.create_table(
        "ledger",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("book", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ledger"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_ledger_number")),
        sqlite_strict=True,
    )
    op.create_index("ix_ledger_entry", "ledger", ["book", "entry"], unique=True)
    op.create_table(
        "ledger_waiting",
        sa.Column("book", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("book", "entry", name="pk_ledger_waiting"),
        sqlite_strict=True,
    )
    for book, key in BOOKS.items():  # what is there already waits as well
        entry = f"CAST({key} AS TEXT)"
        op.execute(f"INSERT INTO ledger_waiting (book, entry) SELECT '{book}', {entry} FROM {book}")  # noqa: S608
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _guard_sqlite() -> None:
    no = "BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER ledger_no_{act.lower()} BEFORE {act} ON ledger {no}")
    there = "EXISTS (SELECT 1 FROM ledger WHERE number = NEW.number OR (book = NEW.book AND entry = NEW.entry))"
    op.execute(f"CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger WHEN {there} {no}")
    for book, key in BOOKS.items():
        enter = f"INSERT INTO ledger_waiting (book, entry) VALUES ('{book}', CAST(NEW.{key} AS TEXT))"  # noqa: S608
        op.execute(f"CREATE TRIGGER {book}_waits AFTER INSERT ON {book} BEGIN {enter}; END")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger "
        "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
    )
    op.execute(
        "CREATE FUNCTION holdfast_await_ledger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO ledger_waiting (book, entry) VALUES (TG_TABLE_NAME, to_jsonb(NEW) ->> TG_ARGV[0]); "
        "RETURN NULL; END $$"
    )
    for book, key in BOOKS.items():
        op.execute(
            f"CREATE TRIGGER {book}_waits AFTER INSERT ON {book} "
            f"FOR EACH ROW EXECUTE FUNCTION holdfast_await_ledger('{key}')"
        )
