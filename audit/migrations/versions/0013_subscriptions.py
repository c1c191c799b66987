"""Other systems that are told what happens, how far each episode was told, and the outbox."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the tables. There is no way back: a downgrade would drop them."""
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("ended_at", Moment),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_subscriptions"),
    )
    op.create_table(
        "subscription_heads",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", name="pk_subscription_heads"),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("subscription_id", sa.Text, sa.ForeignKey("subscriptions.subscription_id"), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Moment),
        sa.Column("delivered_at", Moment),
        sa.Column("answer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_deliveries"),
    )
    for column in ("subscription_id", "next_at"):
        op.create_index(f"ix_deliveries_{column}", "deliveries", [column])
