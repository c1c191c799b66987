"""Changes of the rota that were made in the application."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the table. There is no way back: a downgrade would drop who is on leave."""
    op.create_table(
        "rota_changes",
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("entry", sa.JSON, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("undone_at", Moment),
        sa.Column("undone_by", sa.Text),
        sa.PrimaryKeyConstraint("change_id", name="pk_rota_changes"),
    )
