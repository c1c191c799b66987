"""The practice's own mutable data: who may sign in, their sessions, clients, drafts. The migrations make the tables.

What describes a client is sealed; what is looked up (references, ids, times) is not. Secrets are kept as hashes.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, Table, Text

from audit.tables import Moment, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("second_factor", LargeBinary),
    Column("second_factor_step", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("form_token", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("second_factor_due", Boolean, nullable=False),
    Column("locked_at", Moment),
    Column("revoked_at", Moment),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("wait_until", Moment),
    Column("issuer", Text),
    Column("id_token", LargeBinary),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False, unique=True),
    Column("linked_at", Moment, nullable=False),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state_hash", Text, primary_key=True),
    Column("browser_hash", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

api_calls = Table(
    "api_calls",
    metadata,
    Column("call_hash", Text, primary_key=True),
    Column("asked", Text, nullable=False),
    Column("begun_at", Moment, nullable=False, index=True),
    Column("sealed", LargeBinary),
    Column("of_whom", Text),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("secrets", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

subscription_heads = Table(
    "subscription_heads",
    metadata,
    Column("episode_id", Text, primary_key=True),
    Column("sequence", Integer, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("subscription_id", Text, ForeignKey("subscriptions.subscription_id"), nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("episode_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, index=True),
    Column("delivered_at", Moment),
    Column("answer", Text, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("token_id", Text, nullable=False, unique=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

clients = Table(
    "clients",
    metadata,
    Column("client_ref", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

caseloads = Table(
    "caseloads",
    metadata,
    Column("client_ref", Text, ForeignKey("clients.client_ref"), primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), primary_key=True, index=True),
    Column("since", Moment, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.account_id"), primary_key=True),
    Column("place", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("saved_at", Moment, nullable=False),
)

emergency_access = Table(
    "emergency_access",
    metadata,
    Column("access_id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("client_ref", Text, nullable=False, index=True),
    Column("reason", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("reviewed_by", Text),
    Column("reviewed_at", Moment),
)

facilities = Table(
    "facilities",
    metadata,
    Column("facility_id", Text, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", Text, nullable=False),
)

number_changes = Table(
    "number_changes",
    metadata,
    Column("change_id", Text, primary_key=True),
    Column("resource", Text, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("answered_by", Text),
    Column("answered_at", Moment),
    Column("approved", Boolean),
    CheckConstraint("answered_by <> proposed_by", name="two_people"),
)

protocol_drafts = Table(
    "protocol_drafts",
    metadata,
    Column("draft_id", Text, primary_key=True),
    Column("protocol", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("content_hash", Text, nullable=False, index=True),
    Column("based_on", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("saved_by", Text, nullable=False),
    Column("saved_at", Moment, nullable=False),
    Column("put_away_at", Moment),
)

protocol_draft_saves = Table(
    "protocol_draft_saves",
    metadata,
    Column("draft_id", Text, ForeignKey("protocol_drafts.draft_id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("at", Moment, nullable=False),
)

protocol_draft_scenarios = Table(
    "protocol_draft_scenarios",
    metadata,
    Column("draft_id", Text, ForeignKey("protocol_drafts.draft_id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

protocol_simulations = Table(
    "protocol_simulations",
    metadata,
    Column("draft_id", Text, ForeignKey("protocol_drafts.draft_id"), primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

protocol_results = Table(
    "protocol_results",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("protocol_hash", Text, nullable=False, index=True),
    Column("rules", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

roster_gaps = Table(
    "roster_gaps",
    metadata,
    Column("gap_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("begins", Moment, nullable=False),
    Column("ends", Moment, nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("rungs", JSON, nullable=False),
    Column("searched_until", Moment, nullable=False),
    Column("found_at", Moment, nullable=False),
    Column("told_at", Moment),
)

rota_changes = Table(
    "rota_changes",
    metadata,
    Column("change_id", Text, primary_key=True),
    Column("act", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("entry", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("undone_at", Moment),
    Column("undone_by", Text),
)

reports = Table(
    "reports",
    metadata,
    Column("client_ref", Text, primary_key=True),
    Column("episode_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
)
