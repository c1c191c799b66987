"""Pages: who answers for the role now, and a notice to each of them by each channel of the rung."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.notices import NotDeliveredError, Notice, Notifier
from protocol.rota import Person, Rota, resolve
from workflows.ports import DELIVER_PAGE, PAGE_ATTEMPTS, PageOrder, PageReport

log = structlog.get_logger()

ONE_BY_ONE = frozenset({"email"})
"""Channels that send to each person apart, so that one wrong address costs nobody else the message."""
MOST_PEOPLE = 50


class RotaSource(Protocol):
    """Where the rota is read from; asked anew for every page."""

    async def current(self) -> Rota:
        """The rota as it is now."""
        ...


@dataclass(frozen=True)
class _Send:
    key: str
    channel: str
    people: Sequence[Person]


class Paging:
    """The activity `deliver_page` with what it needs."""

    def __init__(self, rota: RotaSource, notifiers: Mapping[str, Notifier], base_url: str) -> None:
        self._rota = rota
        self._notifiers = notifiers
        self._base_url = base_url

    @activity.defn(name=DELIVER_PAGE)
    async def deliver_page(self, order: PageOrder) -> PageReport:
        """Page everybody who answers for the role; retried by Temporal for what did not leave yet.

        Says at once when there is nobody, so that the ladder climbs.
        """
        rota = await self._rota.current()
        people = resolve(rota, order.role, order.at, order.person)[:MOST_PEOPLE]
        if not people:
            return PageReport(delivered=False, recipients=(), detail=f"nobody answers for {order.role} now")
        sends = list(_sends(order, people, self._notifiers))
        if not sends:
            channels = ", ".join(order.channels)
            return PageReport(delivered=False, recipients=(), detail=f"no provider is set up for {channels}")
        notice = _notice(order, ZoneInfo(rota.time_zone), self._base_url)
        return await self._deliver(notice, sends)

    async def _deliver(self, notice: Notice, sends: list[_Send]) -> PageReport:
        left = set(_left_earlier())
        failures: list[NotDeliveredError] = []

        async def attempt(send: _Send) -> None:
            try:
                await self._notifiers[send.channel].deliver(notice, send.people)
            except NotDeliveredError as failure:
                failures.append(failure)
                log.warning("page not taken", channel=send.channel, reason_code=str(failure))
            else:
                left.add(send.key)
                activity.heartbeat(*sorted(left))

        await asyncio.gather(*(attempt(send) for send in sends if send.key not in left))
        if any(not failure.final for failure in failures) and activity.info().attempt < PAGE_ATTEMPTS:
            raise ApplicationError("a provider did not take the page", type="ProviderUnavailable")
        return _report(sends, left, failures)


def _sends(order: PageOrder, people: Sequence[Person], notifiers: Mapping[str, Notifier]) -> Sequence[_Send]:
    sends: list[_Send] = []
    for channel in order.channels:
        if channel not in notifiers:
            continue
        if channel in ONE_BY_ONE:
            sends += [_Send(f"{channel}:{person.id}", channel, (person,)) for person in people]
        else:
            sends.append(_Send(channel, channel, people))
    return sends


def _left_earlier() -> Sequence[str]:
    """What earlier attempts of this page have delivered."""
    return [str(key) for key in activity.info().heartbeat_details]


def _report(sends: Sequence[_Send], left: set[str], failures: Sequence[NotDeliveredError]) -> PageReport:
    reached = {person.id: None for send in sends if send.key in left for person in send.people}
    ways = sorted({send.channel for send in sends if send.key in left})
    told = [f"taken by {', '.join(ways)}"] if ways else []
    told += sorted({str(failure) for failure in failures})
    return PageReport(delivered=bool(reached), recipients=tuple(reached), detail="; ".join(told)[:300])


def _notice(order: PageOrder, zone: ZoneInfo, base_url: str) -> Notice:
    due = f"{order.due_at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
    link = f"{base_url}/episodes/{order.episode_id}"
    drill = "DRILL: " if order.drill else ""
    reference = order.episode_id[:8]
    return Notice(
        key=f"{order.episode_id}.{order.page_id}",
        type="page.requested",
        subject=f"{drill}{order.obligation}: due {due}",
        text=(
            f"{drill}{order.obligation}\n"
            f"Episode {reference}, due {due}.\n\n"
            f"{link}\n\n"
            "Acknowledge there. Until somebody does, the next person is paged.\n"
        ),
        data={
            "page_id": order.page_id,
            "episode_id": order.episode_id,
            "obligation": order.obligation,
            "role": order.role,
            "due_at": order.due_at.isoformat(),
            "link": link,
            "drill": order.drill,
        },
    )
