"""An index over the missed deadlines, which auditors ask for among all rows of the trail."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the index."""
    missed = sa.text("kind = 'DeadlineMissed'")
    op.create_index("ix_trail_missed", "trail", ["episode_id"], sqlite_where=missed, postgresql_where=missed)
