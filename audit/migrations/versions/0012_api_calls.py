"""Calls of other systems that were made before, so that one that is sent again changes nothing."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table. There is no way back: a downgrade would drop it."""
    op.create_table(
        "api_calls",
        sa.Column("call_hash", sa.Text, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("begun_at", Moment, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("call_hash", name="pk_api_calls"),
    )
    op.create_index("ix_api_calls_begun_at", "api_calls", ["begun_at"])
