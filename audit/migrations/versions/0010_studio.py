"""Drafts of protocols with what was saved, their scenarios, runs by hand, and what proofs and tests found."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables. There is no way back: a downgrade would drop what people wrote."""
    op.create_table(
        "protocol_drafts",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("draft_id", "protocol", "title", "text")),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("based_on", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("saved_by", sa.Text, nullable=False),
        sa.Column("saved_at", Moment, nullable=False),
        sa.Column("put_away_at", Moment),
        sa.PrimaryKeyConstraint("draft_id", name="pk_protocol_drafts"),
    )
    for column in ("protocol", "content_hash"):
        op.create_index(f"ix_protocol_drafts_{column}", "protocol_drafts", [column])
    _of_a_draft(
        "protocol_draft_saves",
        ("draft_id", "revision"),
        sa.Column("revision", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("text", "what", "by")),
        *(sa.Column(name, Moment, nullable=False) for name in ("began_at", "at")),
    )
    _of_a_draft(
        "protocol_draft_scenarios",
        ("draft_id", "name"),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "text", "by")),
        sa.Column("at", Moment, nullable=False),
    )
    _of_a_draft(
        "protocol_simulations",
        ("draft_id", "account_id"),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
    )
    op.create_table(
        "protocol_results",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "key", "protocol_hash", "rules", "result")),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_protocol_results"),
    )
    op.create_index("ix_protocol_results_protocol_hash", "protocol_results", ["protocol_hash"])


def _of_a_draft(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("draft_id", sa.Text, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["draft_id"], ["protocol_drafts.draft_id"], name=f"fk_{name}_draft_id"),
    )
