"""Which episode a report of a client opens while the records do not show it yet."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table. There is no way back: a downgrade would forget what is being opened."""
    op.create_table(
        "reports",
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("client_ref", name="pk_reports"),
    )
