"""What lists show of an episode: a snapshot that travels with each batch of trail rows.

Times are aware UTC. Nothing here describes a client: `client_ref` is an opaque reference, titles come from
the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ObligationSummary:
    """An obligation that is open now."""

    obligation_id: str
    kind: str
    """The obligation's name in the protocol."""
    title: str
    status: str
    owner_role: str
    owner: str
    """The person who owes it; empty while the role has nobody named."""
    opened_at: datetime
    due_at: datetime
    missed: bool
    rung: int
    """The rung paged last; -1 before the first page."""
    next_page_at: datetime | None
    lease_until: datetime | None
    """Until when an acknowledgement silences the ladder."""


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """An episode as it was at `revision`, with the obligations that were open then."""

    episode_id: str
    client_ref: str
    protocol: str
    protocol_version: str
    protocol_hash: str
    revision: int
    """The sequence of the last trail row it includes."""
    stage: str
    risk: str
    peak_risk: str
    owner: str
    opened_at: datetime
    closed_at: datetime | None
    next_deadline: datetime | None
    """When the engine must look again; None when nothing is owed."""
    obligations: tuple[ObligationSummary, ...]
    drill: bool = False
    """An exercise: must be told apart from a real crisis wherever it is shown."""


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A page: its request and, once known, the provider's report. A report is no acknowledgement.

    The records make these from the rows of kind PageRequested and PageReported.
    """

    page_id: str
    episode_id: str
    obligation_id: str
    rung: int
    role: str
    channels: tuple[str, ...]
    requested_at: datetime
    reported_at: datetime | None
    delivered: bool | None
    """None until reported."""
    recipients: tuple[str, ...]
    detail: str
