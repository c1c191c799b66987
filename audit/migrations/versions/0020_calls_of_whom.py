"""Of whom an answered call is, so that forgetting a client drops theirs alone."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column; of the calls that are there it is not known. There is no way back: that would forget it."""
    op.add_column("api_calls", sa.Column("of_whom", sa.Text))
