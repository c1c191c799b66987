"""A run by hand kept as a scenario: its entries, and what was true after each of them as expectations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from protocol import events as e
from protocol.episode import Episode
from rehearsal.play import Played
from rehearsal.scenario import Expectation, ExpectedObligation, ExpectedPage, Scenario
from rehearsal.simulation import Simulation, SimulationError, written_time

MOST_PAGES = 12
"""Pages that are expected after one entry; a ladder that nobody answers pages for ever."""


def as_scenario(simulation: Simulation, name: str, title: str) -> Scenario:
    """The run so far; it replays with the same events at the same times. Raises SimulationError for a bad name."""
    opening, *entries = simulation.played
    cast = simulation.cast
    steps = tuple(
        played.cue.entry.model_copy(update={"expect": _expected(played, simulation.zone)}) for played in entries
    )
    told = {
        "scenario": name,
        "title": title,
        "protocol": cast.protocol,
        "starts": cast.starts,
        "people": cast.people,
        "open": cast.open.model_copy(update={"expect": _expected(opening, simulation.zone)}),
        "steps": steps or cast.steps,
    }
    try:
        return Scenario.model_validate(told)
    except ValidationError:
        remedy = "name it in lower-case words joined by underscores, such as missed_call"
        raise SimulationError(f"{name[:60]!r} can't be the name of a scenario", remedy) from None


def _expected(played: Played, zone: ZoneInfo) -> Expectation:
    episode, refusal = played.episode, played.refusal
    assert episode is not None
    since = [happened.event for happened in (*played.before, *played.happened)]
    pages = [event for event in since if isinstance(event, e.PageRequested)]
    reports = {event.page_id: event for event in since if isinstance(event, e.PageReported)}
    told: dict[str, object] = {
        "stage": episode.stage,
        "risk": episode.risk,
        "owner": episode.owner,
        "refused": None if refusal is None else refusal.code,
        "open": _open(episode, zone),
        "pages": tuple(_page(page, reports, zone) for page in pages[:MOST_PAGES]),
        "no_pages": None if pages else "yes",
        "closed": "yes" if episode.closed_at else None,
        "notices": tuple(dict.fromkeys(event.notice for event in since if isinstance(event, e.NoticeRaised))),
    }
    return Expectation.model_validate({key: value for key, value in told.items() if value not in (None, (), {})})


def _open(episode: Episode, zone: ZoneInfo) -> dict[str, ExpectedObligation]:
    """Of several open ones of a kind the earliest, as expectations mean it."""
    first = sorted(episode.obligations.values(), key=lambda owed: owed.due_at, reverse=True)
    return {
        owed.obligation: ExpectedObligation(due=_due(owed.due_at, zone), overdue="yes" if owed.missed else "no")
        for owed in first
    }


def _due(moment: datetime, zone: ZoneInfo) -> str | None:
    """None for a moment between two seconds: a scenario can't write it."""
    return None if moment.microsecond else written_time(moment, zone)


def _page(page: e.PageRequested, reports: Mapping[str, e.PageReported], zone: ZoneInfo) -> ExpectedPage:
    report = reports.get(page.page_id)
    to = None if report is None else tuple(sorted(report.recipients))
    return ExpectedPage(obligation=page.obligation, role=page.role, rung=page.rung, at=_due(page.at, zone), to=to)
