"""Who led an episode when its risk rose, and counts that name nobody."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables. There is no way back: a downgrade would drop what was counted."""
    op.create_table(
        "rises",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "sequence", name="pk_rises"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.episode_id"], name="fk_rises_episode_id"),
    )
    op.create_index("ix_rises_at", "rises", ["at"])
    op.create_table(
        "tallies",
        sa.Column("tally_id", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("protocol", sa.Text, nullable=False),
        sa.Column("protocol_version", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("minutes", sa.Integer),
        sa.PrimaryKeyConstraint("tally_id", name="pk_tallies"),
    )
    op.create_index("ix_tallies_month", "tallies", ["month", "kind"])
