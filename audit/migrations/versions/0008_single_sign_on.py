"""Single sign-on: who is who at the provider, sign-ins under way; and what a session knows of how it began."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables and columns. There is no way back: a downgrade would drop them."""
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id"), nullable=False),
        sa.Column("linked_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.UniqueConstraint("account_id", name="uq_identities_account_id"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("state_hash", sa.Text, nullable=False),
        sa.Column("browser_hash", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_sign_ins"),
    )
    op.add_column("sessions", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("wait_until", Moment))
    op.add_column("sessions", sa.Column("issuer", sa.Text))
    op.add_column("sessions", sa.Column("id_token", sa.LargeBinary))
