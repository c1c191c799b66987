"""What lists show of an episode: a snapshot that travels with each batch of trail rows.

Times are aware UTC. Nothing here describes a client: `client_ref` is an opaque reference, titles come from
the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from protocol.episode import Episode, OpenObligation, next_deadline
from protocol.spec import ProtocolSpec


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


def summarise(spec: ProtocolSpec, episode: Episode) -> EpisodeSummary:
    """The snapshot of an episode as it is now."""
    return EpisodeSummary(
        episode_id=episode.episode_id,
        client_ref=episode.client_ref,
        protocol=episode.protocol,
        protocol_version=episode.protocol_version,
        protocol_hash=episode.protocol_hash,
        revision=episode.revision,
        stage=episode.stage,
        risk=episode.risk,
        peak_risk=episode.peak_risk,
        owner=episode.owner,
        opened_at=episode.opened_at,
        closed_at=episode.closed_at,
        next_deadline=next_deadline(episode),
        obligations=tuple(_owed(spec, episode, owed) for owed in episode.obligations.values()),
        drill=episode.drill,
    )


def _owed(spec: ProtocolSpec, episode: Episode, owed: OpenObligation) -> ObligationSummary:
    return ObligationSummary(
        obligation_id=owed.obligation_id,
        kind=owed.obligation,
        title=spec.obligations[owed.obligation].title,
        status="overdue" if owed.missed else "open",
        owner_role=owed.owner,
        owner=episode.owner if owed.owner == "owner" else "",
        opened_at=owed.opened_at,
        due_at=owed.due_at,
        missed=owed.missed,
        rung=owed.rung,
        next_page_at=owed.next_page_at,
        lease_until=owed.lease_until,
    )
