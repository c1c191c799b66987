"""The practice's own mutable data: accounts, sessions, tokens, clients, caseloads, drafts, emergency access."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables. There is no way back: a downgrade would drop them."""
    _accounts()
    _sessions()
    _api_tokens()
    _clients()
    _caseloads()
    _drafts()
    _emergency_access()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("second_factor", sa.LargeBinary),
        sa.Column("second_factor_step", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", Moment),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("disabled_at", Moment),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("form_token", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("second_factor_due", sa.Boolean, nullable=False),
        sa.Column("locked_at", Moment),
        sa.Column("revoked_at", Moment),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_sessions_account_id"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])


def _api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("revoked_at", Moment),
        sa.PrimaryKeyConstraint("token_hash", name="pk_api_tokens"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_api_tokens_account_id"),
        sa.UniqueConstraint("token_id", name="uq_api_tokens_token_id"),
    )
    op.create_index("ix_api_tokens_account_id", "api_tokens", ["account_id"])


def _clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("client_ref", name="pk_clients"),
    )


def _caseloads() -> None:
    op.create_table(
        "caseloads",
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.PrimaryKeyConstraint("client_ref", "account_id", name="pk_caseloads"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_caseloads_account_id"),
        sa.ForeignKeyConstraint(["client_ref"], ["clients.client_ref"], name="fk_caseloads_client_ref"),
    )
    op.create_index("ix_caseloads_account_id", "caseloads", ["account_id"])


def _drafts() -> None:
    op.create_table(
        "drafts",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "place", name="pk_drafts"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_drafts_account_id"),
    )


def _emergency_access() -> None:
    op.create_table(
        "emergency_access",
        sa.Column("access_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("reason", sa.LargeBinary, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("until", Moment, nullable=False),
        sa.Column("reviewed_by", sa.Text),
        sa.Column("reviewed_at", Moment),
        sa.PrimaryKeyConstraint("access_id", name="pk_emergency_access"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_emergency_access_account_id"),
    )
    op.create_index("ix_emergency_access_client_ref", "emergency_access", ["client_ref"])
    op.create_index("ix_emergency_access_account_id", "emergency_access", ["account_id"])
