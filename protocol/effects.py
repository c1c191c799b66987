"""What the outside world must be told. Effects follow from events and carry no client information."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from protocol import events as e
from protocol.commands import STRICT
from protocol.episode import Episode
from protocol.spec import RANK
from protocol.values import value


@value
class Page:
    """Page a role: somebody must look at the episode. Times in UTC."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    page_id: str
    episode_id: str
    obligation_id: str
    obligation: str
    role: str
    person: str
    """For the roles `owner` and `addressee`: the person meant; else empty."""
    channels: tuple[str, ...]
    due_at: datetime
    requested_at: datetime
    urgency: int
    """0 (none) to 4 (imminent): the risk rank, for ordering alone."""
    drill: bool
    kind: Literal["Page"] = "Page"


@value
class RequestReferral:
    """Ask a service for a place."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    referral_id: str
    episode_id: str
    decision: str
    option: str
    service: str
    requested_at: datetime
    drill: bool
    kind: Literal["RequestReferral"] = "RequestReferral"


Effect = Page | RequestReferral

EFFECT: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="kind")])
"""Reads and writes any effect."""


def effects_of(episode: Episode, events: Iterable[e.Event], now: datetime) -> tuple[Effect, ...]:
    """The effects of a macro step, in the order of its events."""
    return tuple([EFFECTS[type(event)](episode, event, now) for event in events if type(event) in EFFECTS])


def _referral(episode: Episode, event: e.ReferralRequested, now: datetime) -> RequestReferral:
    return RequestReferral(
        event.referral_id, episode.episode_id, event.decision, event.option, event.service, now, episode.drill
    )


def _person(episode: Episode, role: str) -> str:
    if role == "owner":
        return episode.owner
    return episode.handover.to if role == "addressee" and episode.handover else ""


def _page(episode: Episode, event: e.PageRequested, now: datetime) -> Page:
    return Page(
        page_id=event.page_id,
        episode_id=episode.episode_id,
        obligation_id=event.obligation_id,
        obligation=event.obligation,
        role=event.role,
        person=_person(episode, event.role),
        channels=event.channels,
        due_at=event.due_at,
        requested_at=event.at,
        urgency=RANK[episode.risk],
        drill=episode.drill,
    )


EFFECTS: dict[type, Callable[[Episode, Any, datetime], Effect]] = {
    e.PageRequested: _page,
    e.ReferralRequested: _referral,
}
