"""What an episode asks of the world: names, inputs and results of its activities.

Imported by workflow code and by the activities; knows neither SQL nor any provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

DELIVER_PAGE = "deliver_page"
REQUEST_REFERRAL = "request_referral"
APPEND_ROWS = "append_rows"

PAGE_ATTEMPTS = 5
PAGE_FIRST_RETRY = timedelta(seconds=1)
PAGE_LONGEST_RETRY = timedelta(seconds=15)
PAGE_ATTEMPT_LIMIT = timedelta(seconds=25)
"""One attempt: the providers' own time limits and a little."""
PAGE_LIMIT = timedelta(seconds=90)
"""From the request to the last word about its delivery; then the ladder climbs."""


@dataclass(frozen=True)
class PageOrder:
    """A page to deliver. It names the episode and the duty, never the client."""

    episode_id: str
    page_id: str
    obligation: str
    """Title of the obligation, from the protocol."""
    due_at: datetime
    role: str
    owner: str
    """The person who owns the episode, for the role `owner`."""
    channels: tuple[str, ...]
    at: datetime
    """When the page was requested: the rota is asked for this moment."""
    drill: bool = False


@dataclass(frozen=True)
class PageReport:
    """What the providers said. It closes nothing: only a person's acknowledgement does."""

    delivered: bool
    recipients: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class ReferralOrder:
    """A request for a place, by reference only; what the service may know is told by a person."""

    episode_id: str
    referral_id: str
    service: str
    at: datetime
    drill: bool = False
