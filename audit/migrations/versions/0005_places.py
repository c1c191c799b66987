"""Where the practice finds help: facilities it asks for places, and changes to emergency numbers that wait for two."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables. There is no way back: a downgrade would drop them."""
    op.create_table(
        "facilities",
        sa.Column("facility_id", sa.Text, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("facility_id", name="pk_facilities"),
    )
    op.create_table(
        "number_changes",
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("proposed_at", Moment, nullable=False),
        sa.Column("answered_by", sa.Text),
        sa.Column("answered_at", Moment),
        sa.Column("approved", sa.Boolean),
        sa.PrimaryKeyConstraint("change_id", name="pk_number_changes"),
        sa.CheckConstraint("answered_by <> proposed_by", name="ck_number_changes_two_people"),
    )
