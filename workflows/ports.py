"""What an episode asks of the world: names, inputs and results of its activities.

Imported by workflow code and by the activities; knows neither SQL nor any provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from protocol.summary import EpisodeSummary
from protocol.trail import TrailRow

DELIVER_PAGE = "deliver_page"
REQUEST_REFERRAL = "request_referral"
APPEND_ROWS = "append_rows"

EPISODE_WORKFLOW = "EpisodeWorkflow"
SUBMIT = "submit"
VIEW = "view"
WAITING = "waiting"
TOO_LARGE = "TooLarge"
RESERVED_ID = "ReservedId"
REUSED_ID = "ReusedId"
ENGINE_FAULT = "EngineFault"
NO_PROTOCOL = "NoProtocol"
HELD_UP = "HeldUp"
OPENING_REFUSED = "OpeningRefused"

PAGE_ATTEMPTS = 5
PAGE_FIRST_RETRY = timedelta(seconds=1)
PAGE_LONGEST_RETRY = timedelta(seconds=15)
PAGE_ATTEMPT_LIMIT = timedelta(seconds=25)
"""One attempt: the providers' own time limits and a little."""
PAGE_LIMIT = timedelta(seconds=90)
"""From the request to the last word about its delivery; then the ladder climbs."""

REFERRAL_ATTEMPT_LIMIT = timedelta(seconds=30)
REFERRAL_LIMIT = timedelta(days=1)
RECORD_ATTEMPT_LIMIT = timedelta(seconds=60)
LONGEST_RETRY = timedelta(seconds=30)
"""How long after an outage ends the waiting activities at most notice it."""
SHORTEST_LINGER, LONGEST_LINGER = timedelta(seconds=0.5), timedelta(seconds=3)
A_STEP_LONGER = timedelta(seconds=1)
"""A batch stays longer for each further step in it: nobody takes a step a second for long, a program may."""
EPISODE_URGENCY = 2
DRILL_URGENCY = 4
LATER = 5
"""Task-queue priorities, 1 first; `LATER` is for what nobody waits for."""

MOST_ROWS = 200
LARGEST_BATCH = 512 * 1024
"""Characters of payload in a batch; a single larger row travels alone."""


@dataclass(frozen=True)
class PageOrder:
    """A page to deliver. It names the episode and the duty, never the client."""

    episode_id: str
    page_id: str
    obligation: str
    """Title of the obligation, from the protocol."""
    due_at: datetime
    role: str
    person: str
    """The person meant by a personal role, such as `owner`; else empty."""
    channels: tuple[str, ...]
    at: datetime
    """When the page was requested: the rota is asked for this moment."""
    drill: bool = False
    urgency: int = 3
    """Task-queue priority, 1 first."""


@dataclass(frozen=True)
class PageReport:
    """What the providers said. It closes nothing: only a person's acknowledgement does."""

    delivered: bool
    recipients: tuple[str, ...]
    detail: str


NO_ANSWER = PageReport(delivered=False, recipients=(), detail="no worker delivered it in time")


@dataclass(frozen=True)
class ReferralOrder:
    """A request for a place, by reference only; what the service may know is told by a person."""

    episode_id: str
    referral_id: str
    service: str
    at: datetime
    drill: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows to append, in order and without a gap, with the episode as it stands after them.

    The answer is True when the records want the protocol's document: it is large, so it travels only when asked for,
    with the next rows or without any.
    """

    rows: tuple[TrailRow, ...]
    summary: EpisodeSummary
    linger: timedelta
    """How long to stay after writing, so that what comes meanwhile travels in one batch."""
    protocol: str | None = None
    """The protocol's canonical document, once the records have asked for it; after a migration first the one before."""


def linger_after(rows: Sequence[TrailRow], waiting: int) -> timedelta:
    """How long the batch of these rows, out of so many waiting, stays after writing: the busier, the longer.

    One step's rows hold up the next step's by half a second at most. A batch that leaves rows behind does not stay.
    """
    if len(rows) < waiting:
        return timedelta(0)
    steps = len({row.command_id for row in rows})
    return min(SHORTEST_LINGER + A_STEP_LONGER * max(steps - 1, 0), LONGEST_LINGER)


def batch_length(rows: Iterable[TrailRow]) -> int:
    """How many of the first rows fit into one batch; at least one."""
    length, size = 0, 0
    for row in islice(rows, MOST_ROWS):
        size += len(json.dumps(row.payload))
        if length and size > LARGEST_BATCH:
            break
        length += 1
    return length
