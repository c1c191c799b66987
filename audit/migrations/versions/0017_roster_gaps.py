"""Hours in which a page would reach nobody: what the watchdog found, and what the supervisors were told of."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0017"
down_revision = "0014"


def upgrade() -> None:
    """Make the table. There is no way back: a downgrade would drop what people were told."""
    op.create_table(
        "roster_gaps",
        sa.Column("gap_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("begins", Moment, nullable=False),
        sa.Column("ends", Moment, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("remedy", sa.Text, nullable=False),
        sa.Column("rungs", sa.JSON, nullable=False),
        sa.Column("searched_until", Moment, nullable=False),
        sa.Column("found_at", Moment, nullable=False),
        sa.Column("told_at", Moment),
        sa.PrimaryKeyConstraint("gap_id", name="pk_roster_gaps"),
    )
    op.create_index("ix_roster_gaps_ends", "roster_gaps", ["ends"])
