"""A scenario's entries as commands at their times: deterministic, so that every player sends the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from protocol.answers import read_answers
from protocol.commands import LONGEST_EPISODE_ID, HumanCommand, OpenEpisode
from protocol.episode import Episode
from protocol.findings import Finding, Path, dotted
from protocol.local_time import to_utc
from protocol.readers import waits_for_signature
from protocol.spec import ProtocolSpec
from rehearsal.scenario import COMMANDS, Entry, Opening, Scenario

LONGEST = timedelta(days=1100)
"""Of a scenario: three years, and every deadline in them is kept."""
NO_OBLIGATION = "none-open"
"""Stands for an obligation of a kind of which none is open; the core refuses it."""
NO_ROLE = "nobody"
"""The role of an actor whom the scenario does not list; the core refuses it."""


class ScenarioError(Exception):
    """A scenario can't be played; `finding` says where, why and what to write instead."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{dotted(finding.path)}: {finding.message}; {finding.remedy}")
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Cue:
    """An entry with its place and its time (aware UTC)."""

    path: Path
    entry: Opening | Entry
    at: datetime
    number: int


def timeline(spec: ProtocolSpec, scenario: Scenario) -> tuple[Cue, ...]:
    """Every entry with its time. Raises ScenarioError for a time that is none, goes back or lies too far ahead."""
    zone = ZoneInfo(spec.time_zone)
    now = _time(("starts",), scenario.starts, zone, None)
    cues = [Cue(("open",), scenario.open, now, 0)]
    for place, entry in enumerate(scenario.steps):
        at = _time(("steps", place, "at"), entry.at, zone, now)
        if at < now:
            message = f"{entry.at} lies before the entry above"
            raise ScenarioError(Finding(("steps", place, "at"), message, "write the day too, such as 2026-12-01 14:05"))
        if at - cues[0].at > LONGEST:
            message = f"{entry.at} lies more than {LONGEST.days} days after the beginning"
            raise ScenarioError(
                Finding(("steps", place, "at"), message, "let less time pass; check the day and the year")
            )
        cues.append(Cue(("steps", place), entry, at, place + 1))
        now = at
    return tuple(cues)


def _time(path: Path, written: str, zone: ZoneInfo, reference: datetime | None) -> datetime:
    try:
        return to_utc(written, zone, reference)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ScenarioError(Finding(path, message, remedy)) from None


def command_of(spec: ProtocolSpec, scenario: Scenario, cue: Cue, episode: Episode | None) -> HumanCommand | None:
    """The command of an entry in this state of the episode; None when it only waits."""
    if isinstance(cue.entry, Opening):
        return _opening(spec, scenario, cue)
    entry = cue.entry
    if entry.do is None or entry.by is None:
        return None
    own = entry.given()
    if "facts" in own:
        own["facts"] = read_answers(spec, own["facts"], ZoneInfo(spec.time_zone), cue.at)
    if "obligation" in own:
        own["obligation_id"] = _earliest(episode, own.pop("obligation"))
    if entry.do == "co_sign":
        own["entry"] = _waiting(episode, own["subject"])
    return COMMANDS[entry.do](**own, **_common(spec, scenario, cue, entry.by), expected_revision=entry.revision)


def episode_id_of(scenario: Scenario) -> str:
    """The id of the episode that a scenario plays; a long name is cut so that it fits, and stays its own."""
    whole = f"scenario-{scenario.scenario}"
    if len(whole) <= LONGEST_EPISODE_ID:
        return whole
    return f"{whole[: LONGEST_EPISODE_ID - 9]}-{sha256(whole.encode()).hexdigest()[:8]}"


def _opening(spec: ProtocolSpec, scenario: Scenario, cue: Cue) -> OpenEpisode:
    opening = scenario.open
    return OpenEpisode(
        episode_id=episode_id_of(scenario),
        client_ref=f"client-{scenario.scenario}",
        owner=opening.owner or opening.by,
        crisis_types=opening.crisis_types,
        facts=read_answers(spec, opening.facts, ZoneInfo(spec.time_zone), cue.at),
        drill=opening.drill == "yes",
        **_common(spec, scenario, cue, opening.by),
    )


def _common(spec: ProtocolSpec, scenario: Scenario, cue: Cue, by: str) -> dict[str, Any]:
    occurred = cue.entry.occurred if isinstance(cue.entry, Entry) else None
    return {
        "command_id": str(uuid5(NAMESPACE_URL, f"{scenario.scenario}/{cue.number}")),
        "actor": by,
        "role": scenario.people.get(by, NO_ROLE),
        "occurred_at": cue.at
        if occurred is None
        else _time((*cue.path, "occurred"), occurred, ZoneInfo(spec.time_zone), cue.at),
    }


def _waiting(episode: Episode | None, subject: str) -> int:
    """The entry that waits for a signature; of a subject that waits for none the latest entry of all."""
    if episode is None:
        return 1
    waiting = waits_for_signature(episode).get(subject)
    return episode.revision if waiting is None else waiting.sequence


def _earliest(episode: Episode | None, kind: str) -> str:
    owed = [] if episode is None else [owed for owed in episode.obligations.values() if owed.obligation == kind]
    return min(owed, key=lambda owed: owed.due_at).obligation_id if owed else NO_OBLIGATION
