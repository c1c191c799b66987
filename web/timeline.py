"""The timeline of an episode: its trail in readable lines, the event itself one click away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from protocol.chronicle import event_of
from protocol.commands import COMMAND, SYSTEM_ROLE
from protocol.events import EVENT, AddendumAdded, RiskLowered, RiskRaised
from protocol.trail import TrailRow
from protocol.words import Line, plain
from web.face import Look
from web.parts import Parts

LATEST = 120
"""Rows on the episode's page, and on each page of the whole timeline."""
LATE = timedelta(minutes=1)
QUIET = frozenset({"PageReported"})
"""Kinds that say nothing to a clinician."""
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("EmergencyDeclared", "DeadlineMissed"), "sos"),
    **dict.fromkeys(("CommandRefused", "ContactAttempted", "NoticeRaised"), "warn"),
    **dict.fromkeys(("StageEntered", "EpisodeOpened", "EpisodeClosed", "ContactMade", "DecisionRecorded"), "key"),
}


async def rows_of(parts: Parts, episode_id: str, revision: int) -> tuple[TrailRow, ...]:
    """The latest rows that the records have."""
    return await parts.queries.trail_rows(episode_id, after=max(0, revision - LATEST), limit=2 * LATEST)


async def rows_on(parts: Parts, episode_id: str, revision: int, number: int) -> tuple[TrailRow, ...]:
    """The rows of a page of the whole timeline; page 1 has the latest."""
    end = revision - (number - 1) * LATEST
    rows = await parts.queries.trail_rows(episode_id, after=max(0, end - LATEST), limit=LATEST)
    return tuple(row for row in rows if row.sequence <= end)


def entries(look: Look, rows: Iterable[TrailRow]) -> list[dict[str, Any]]:
    """The rows as lines, the latest first."""
    told: list[dict[str, Any]] = []
    deed = ""
    for row in rows:
        if row.payload is None:
            continue
        said = row.payload.get("command")
        deed = _deed(look, said) if said is not None else ""
        if row.kind not in QUIET:
            told.append(_entry(look, row, deed))
    return told[::-1]


def _deed(look: Look, said: Any) -> str:
    command = COMMAND.validate_json(json.dumps(said))
    return "" if command.role == SYSTEM_ROLE else look.seen.words.deed(command)


def _entry(look: Look, row: TrailRow, deed: str) -> dict[str, Any]:
    event = event_of(row)
    line = look.seen.words.line(event, row.recorded_at) or Line("", "" if deed else spaced(row.kind))
    by_system = row.role == SYSTEM_ROLE
    who = "Holdfast" if by_system else f"{look.names(row.actor)}, {look.seen.words.role(row.role)}"
    late = row.recorded_at - row.occurred_at
    text = f"{deed}. {line.text}" if deed and line.text else deed or line.text
    return {
        "sequence": row.sequence,
        "at": look.at(row.occurred_at),
        "iso": row.occurred_at.isoformat(),
        "who": who,
        "label": line.label,
        "text": text,
        "kind": _kind(event.kind, event),
        "late": str(late).split(".")[0] if late > LATE and not by_system else "",
        "raw": json.dumps(EVENT.dump_python(event, mode="json"), indent=1, ensure_ascii=False),
        "addendum_to": event.refers_to if isinstance(event, AddendumAdded) else None,
        "rule": "",
    }


def _kind(name: str, event: object) -> str:
    if isinstance(event, RiskRaised):
        return "sos" if event.level == "imminent" else "warn"
    return KINDS.get(name, "")


def risk_history(look: Look, rows: Iterable[TrailRow]) -> list[dict[str, str]]:
    """How the level came to be what it is, the latest first."""
    found: list[dict[str, str]] = []
    for row in rows:
        if row.kind not in ("RiskRaised", "RiskLowered") or row.payload is None:
            continue
        event = event_of(row)
        if isinstance(event, RiskRaised | RiskLowered):
            because = event.because if isinstance(event, RiskRaised) else event.reason
            by = "the protocol's rule" if isinstance(event, RiskRaised) else look.names(row.actor)
            found.append({"level": event.level, "at": look.at(event.at), "because": because, "by": by})
    return found[::-1]


def spaced(kind: str) -> str:
    """`StepCompleted` → `step completed`."""
    return plain("".join(f"_{one.lower()}" if one.isupper() else one for one in kind).lstrip("_"))
