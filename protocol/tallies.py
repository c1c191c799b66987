"""What of an episode is counted, without anybody in it; and who led it when its risk rose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protocol.spec import RANK
from protocol.trail import TrailRow

SEVERE = tuple(level for level, rank in RANK.items() if rank >= RANK["high"])


@dataclass(frozen=True, slots=True)
class Rise:
    """The risk rose to high or imminent, or somebody took such an episode over. `at` is aware UTC."""

    episode_id: str
    sequence: int
    at: datetime
    level: str
    owner: str
    """Who led the episode then, and so carries it."""


def rises(rows: Iterable[TrailRow], owner: str = "", risk: str = "none") -> Iterator[Rise]:
    """Who led a severe episode from when on; `owner` and `risk` are those before the first of these rows."""
    for row in rows:
        event = event_in(row)
        match event.get("kind"):
            case "EpisodeOpened":
                owner, risk = event.get("owner", ""), event.get("risk", "none")
            case "RiskRaised" | "RiskConfirmed" | "RiskLowered":
                risk = event.get("level", risk)
            case "HandoverAccepted":
                owner = event.get("owner", owner)
            case _:
                continue
        if event["kind"] in ("RiskRaised", "EpisodeOpened", "HandoverAccepted") and risk in SEVERE:
            yield Rise(row.episode_id, row.sequence, row.occurred_at, risk, owner)


def counted(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an event adds to the counts: a kind and a name from the protocol, never what somebody wrote."""
    match event.get("kind"):
        case "CrisisTypeRecorded":
            yield "crisis", event.get("crisis_type", "")
        case "DeadlineMissed":
            yield "missed", event.get("obligation", "")
        case "ObligationMet":
            yield "met", "late" if event.get("late") else "in time"
        case "ObligationWaived":
            yield "waived", event.get("obligation", "")
        case "DecisionRecorded":
            decision, option = event.get("decision", ""), event.get("option", "")
            yield "decided", f"{decision}/{option}"
            if event.get("advised") not in (None, option):
                yield "overruled", f"{decision}/{event['advised']}/{option}"
        case "CommandRefused":
            yield "refused", event.get("code", "")
        case "EpisodeClosed":
            yield "closed", event.get("outcome", "")
        case _:
            return


def event_in(row: TrailRow) -> Mapping[str, Any]:
    """The event of a row as it was written; empty for a destroyed payload."""
    return {} if row.payload is None else row.payload["event"]
