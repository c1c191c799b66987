"""How open obligations change: what is opened and ended, how a ladder climbs, who said that they are on it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from protocol import events as e
from protocol.episode import Episode, OpenObligation, Settled, Tally

K = TypeVar("K")
V = TypeVar("V")
Changes = dict[str, Any]
NO_TALLY = Tally(0)
MOST_PAGES_OPEN = 100
"""Pages whose delivery is still to be reported. A report that never comes is not waited for for ever."""
SOON = timedelta(minutes=5)
"""A page that reached nobody is followed by another within this time of its report."""
OWED = tuple(name for name in OpenObligation.__annotations__ if not name.startswith("__"))


def without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    """A copy without this."""
    return {name: value for name, value in mapping.items() if name != key}


def _obligation_opened(episode: Episode, event: e.ObligationOpened, revision: int) -> Changes:
    owed = OpenObligation(
        event.obligation_id,
        event.obligation,
        event.owner,
        event.at,
        revision,
        event.due_at,
        event.ladder,
        rung=-1,
        next_page_at=event.first_page_at,
    )
    tally = episode.tallies.get(event.obligation, NO_TALLY)
    return {
        "obligations": {**episode.obligations, event.obligation_id: owed},
        "tallies": {**episode.tallies, event.obligation: Tally(tally.opened + 1, tally.last)},
    }


def _ended(episode: Episode, obligation_id: str, obligation: str, last: Settled) -> Changes:
    tally = episode.tallies.get(obligation, NO_TALLY)
    return {
        "obligations": without(episode.obligations, obligation_id),
        "tallies": {**episode.tallies, obligation: Tally(tally.opened, last)},
    }


def _obligation_met(episode: Episode, event: e.ObligationMet, revision: int) -> Changes:
    return _ended(episode, event.obligation_id, event.obligation, "met_late" if event.late else "met")


def _obligation_waived(episode: Episode, event: e.ObligationWaived, revision: int) -> Changes:
    return _ended(episode, event.obligation_id, event.obligation, "waived")


def _obligation_superseded(episode: Episode, event: e.ObligationSuperseded, revision: int) -> Changes:
    return _ended(episode, event.obligation_id, event.obligation, "superseded")


def _owed_changed(episode: Episode, obligation_id: str, **changes: Any) -> Changes:
    owed = episode.obligations.get(obligation_id)
    if owed is None:
        return {}
    return {"obligations": {**episode.obligations, obligation_id: changed(owed, **changes)}}


def changed(owed: OpenObligation, **changes: Any) -> OpenObligation:
    """A copy of an open obligation with some fields changed."""
    fields = {name: getattr(owed, name) for name in OWED}
    return OpenObligation(**{**fields, **changes})


def _obligation_rescheduled(episode: Episode, event: e.ObligationRescheduled, revision: int) -> Changes:
    return _owed_changed(episode, event.obligation_id, due_at=event.due_at, next_page_at=event.next_page_at)


def _deadline_missed(episode: Episode, event: e.DeadlineMissed, revision: int) -> Changes:
    owed = episode.obligations.get(event.obligation_id)
    if owed is None or not owed.unheard:
        return _owed_changed(episode, event.obligation_id, missed=True)
    return _owed_changed(episode, event.obligation_id, missed=True, next_page_at=min(owed.next_page_at, event.at))


def _page_requested(episode: Episode, event: e.PageRequested, revision: int) -> Changes:
    changes: Changes = {"pages": episode.pages + 1}
    owed = episode.obligations.get(event.obligation_id)
    if owed is not None:
        stands_in = owed.unheard and event.rung > owed.rung
        changes |= _owed_changed(
            episode,
            event.obligation_id,
            rung=event.rung,
            next_page_at=event.next_page_at,
            page_id=event.page_id,
            lease_until=None,
            unheard=False,
            behind=owed.behind + 1 if stands_in else 0,
        )
    waiting = list(episode.pages_open.items())[1 - MOST_PAGES_OPEN :]
    changes["pages_open"] = {**dict(waiting), event.page_id: event.obligation_id}
    return changes


def _page_reported(episode: Episode, event: e.PageReported, revision: int) -> Changes:
    changes = _unheard(episode, event.page_id, event.at) if not event.delivered else {}
    changes["pages_open"] = without(episode.pages_open, event.page_id)
    return changes


def _unheard(episode: Episode, page_id: str, at: datetime) -> Changes:
    """Nobody could be paged: the next rung is due at once, and after the last one the next page soon.

    The plan alone would fall silent: an outage burns a whole ladder within a minute or two, and what comes after its
    last rung, hours later, is meant for people who were told.
    """
    owed = episode.obligations.get(episode.pages_open.get(page_id, ""))
    if owed is None or owed.page_id != page_id or owed.lease_until is not None:
        return {}
    if owed.rung >= len(owed.ladder.rungs) - 1:
        at += min(SOON, timedelta(seconds=owed.ladder.rungs[owed.place].wait))
    return _owed_changed(episode, owed.obligation_id, unheard=True, next_page_at=min(at, owed.next_page_at))


def _acknowledged(episode: Episode, event: e.Acknowledged, revision: int) -> Changes:
    """The ladder is silent for the lease. Whoever says "I am on it" is not paged sooner for having said so."""
    owed = episode.obligations.get(event.obligation_id)
    planned = event.lease_until if owed is None else owed.next_page_at
    return _owed_changed(
        episode,
        event.obligation_id,
        next_page_at=max(planned, event.lease_until),
        lease_until=event.lease_until,
        unheard=False,
        acknowledged_by=event.by,
        acknowledged_role=event.role,
    )


CHANGES: dict[type, Callable[[Episode, Any, int], Changes]] = {
    e.ObligationOpened: _obligation_opened,
    e.ObligationMet: _obligation_met,
    e.ObligationWaived: _obligation_waived,
    e.ObligationSuperseded: _obligation_superseded,
    e.ObligationRescheduled: _obligation_rescheduled,
    e.DeadlineMissed: _deadline_missed,
    e.PageRequested: _page_requested,
    e.PageReported: _page_reported,
    e.Acknowledged: _acknowledged,
}
