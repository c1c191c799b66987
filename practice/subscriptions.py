"""Other systems that are told what happens: who wants to know what, and the outbox of what was not delivered yet.

A message names an episode and what kind of thing happened. It never says anything about a client.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from audit.database import Database
from audit.tables import episodes, trail
from practice.sealing import Seal
from practice.tables import deliveries, subscription_heads, subscriptions

EVENTS: Mapping[str, str] = {
    "EpisodeOpened": "episode.opened",
    "StageEntered": "episode.stage_entered",
    "RiskRaised": "episode.risk_raised",
    "RiskLowered": "episode.risk_lowered",
    "EmergencyDeclared": "episode.emergency_declared",
    "DeadlineMissed": "episode.duty_missed",
    "PageRequested": "episode.page_requested",
    "HandoverAccepted": "episode.handed_over",
    "EpisodeClosed": "episode.closed",
}
"""Kinds of the trail that are told, and what they are called outside."""
NAMES = tuple(EVENTS.values())
PING = "ping"
WAITS = tuple(timedelta(seconds=one) for one in (5, 30, 120, 600, 3_600, 10_800, 21_600, 43_200, 86_400))
"""Before each further try; then it is given up, about two days after the first."""
OVERLAP = timedelta(days=1)
"""How long the former secret signs as well after a new one was made."""
CLAIMED = timedelta(minutes=1)
"""Somebody is sending it; if that process is gone, another one may try then."""
MOST_SUBSCRIPTIONS, MOST_LISTED, MOST_AT_ONCE = 20, 200, 200


class SubscriptionError(Exception):
    """A subscription can't be made like this; the message says why."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told what. Times are aware UTC."""

    subscription_id: str
    url: str
    events: tuple[str, ...]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way. Times are aware UTC."""

    delivery_id: str
    subscription_id: str
    event: str
    episode_id: str
    at: datetime
    attempts: int
    next_at: datetime | None
    """None when it was delivered or given up."""
    delivered_at: datetime | None
    answer: str
    """What came of the last try, in a few words."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent now."""

    delivery_id: str
    url: str
    secrets: tuple[str, ...]
    """The present one first; the former one for a day after it was replaced."""
    body: str
    attempts: int


class Subscriptions:
    """Subscriptions and their outbox."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def add(self, url: str, events: Iterable[str], by: str, now: datetime) -> tuple[str, str]:
        """A new subscription: its id, and its secret, which is shown once. Raises SubscriptionError."""
        wanted = sorted(set(events))
        if not wanted or not set(wanted) <= set(NAMES):
            raise SubscriptionError(f"choose some of {', '.join(NAMES)}")
        subscription_id, secret = secrets.token_hex(8), fresh_secret()
        row = {
            "subscription_id": subscription_id,
            "url": url,
            "events": wanted,
            "secrets": self._sealed(subscription_id, secret, None, now),
            "created_by": by,
            "created_at": now,
        }

        def work(connection: Connection) -> None:
            living = subscriptions.c.ended_at.is_(None)
            if (connection.scalar(select(func.count()).where(living)) or 0) >= MOST_SUBSCRIPTIONS:
                raise SubscriptionError(f"there are {MOST_SUBSCRIPTIONS} already; end one")
            connection.execute(insert(subscriptions), row)

        await self._database.write(work)
        return subscription_id, secret

    async def listed(self) -> tuple[Subscription, ...]:
        """Those that have not ended, the oldest first."""
        query = select(subscriptions).where(subscriptions.c.ended_at.is_(None)).order_by(subscriptions.c.created_at)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(
            Subscription(row.subscription_id, row.url, tuple(row.events), row.created_by, row.created_at)
            for row in rows
        )

    async def rotate(self, subscription_id: str, now: datetime) -> str:
        """A new secret; the former one signs as well for a day. Raises SubscriptionError."""
        secret = fresh_secret()

        def work(connection: Connection) -> None:
            mine = (subscriptions.c.subscription_id == subscription_id) & subscriptions.c.ended_at.is_(None)
            row = connection.execute(select(subscriptions).where(mine)).first()
            if row is None:
                raise SubscriptionError("there is no such subscription")
            former = self._seal.open(row.secrets, "subscription", subscription_id)["present"]
            sealed = self._sealed(subscription_id, secret, former, now)
            connection.execute(update(subscriptions).where(mine).values(secrets=sealed))

        await self._database.write(work)
        return secret

    async def end(self, subscription_id: str, now: datetime) -> None:
        """Tell it nothing more; what waits is dropped. Raises SubscriptionError."""

        def work(connection: Connection) -> None:
            mine = (subscriptions.c.subscription_id == subscription_id) & subscriptions.c.ended_at.is_(None)
            if connection.execute(update(subscriptions).where(mine).values(ended_at=now)).rowcount == 0:
                raise SubscriptionError("there is no such subscription")
            waiting = (deliveries.c.subscription_id == subscription_id) & deliveries.c.next_at.is_not(None)
            connection.execute(update(deliveries).where(waiting).values(next_at=None, answer="the subscription ended"))

        await self._database.write(work)

    async def ping(self, subscription_id: str, now: datetime) -> str:
        """Put a message for trying it into the outbox; its id. Raises SubscriptionError."""
        if subscription_id not in {one.subscription_id for one in await self.listed()}:
            raise SubscriptionError("there is no such subscription")
        row = _delivery(subscription_id, PING, "", 0, now, now, token=secrets.token_hex(8))
        await self._database.write(lambda connection: connection.execute(insert(deliveries), row))
        return row["delivery_id"]

    async def collect(self, now: datetime) -> int:
        """Put what happened since into the outbox, once each; how many messages."""
        return await self._database.write(lambda connection: _collect(connection, now))

    async def due(self, now: datetime, most: int = 20) -> tuple[Message, ...]:
        """Messages whose turn it is, claimed for a minute by whoever asks."""

        def work(connection: Connection) -> list[Any]:
            query = select(deliveries, subscriptions.c.url, subscriptions.c.secrets).join(subscriptions)
            query = query.where(deliveries.c.next_at <= now, subscriptions.c.ended_at.is_(None))
            taken: list[Any] = []
            for row in connection.execute(query.order_by(deliveries.c.next_at).limit(most)).all():
                mine = (deliveries.c.delivery_id == row.delivery_id) & (deliveries.c.next_at == row.next_at)
                claim = update(deliveries).where(mine).values(next_at=now + CLAIMED)
                if connection.execute(claim).rowcount == 1:
                    taken.append(row)
            return taken

        return tuple(self._message(row, now) for row in await self._database.write(work))

    async def tried(self, message: Message, answer: str, now: datetime, *, taken: bool, final: bool = False) -> None:
        """What came of a try: delivered, to be tried again later, or given up."""
        attempts = message.attempts + 1
        again = None if taken or final or attempts > len(WAITS) else now + WAITS[attempts - 1]
        values = {
            "attempts": attempts,
            "answer": answer[:200],
            "next_at": again,
            "delivered_at": now if taken else None,
        }
        mine = update(deliveries).where(deliveries.c.delivery_id == message.delivery_id).values(**values)
        await self._database.write(lambda connection: connection.execute(mine))

    async def again(self, delivery_id: str, now: datetime) -> None:
        """Try one anew that was given up. Raises SubscriptionError."""
        living = select(subscriptions.c.subscription_id).where(subscriptions.c.ended_at.is_(None))
        mine = (deliveries.c.delivery_id == delivery_id) & deliveries.c.delivered_at.is_(None)
        change = update(deliveries).where(mine, deliveries.c.subscription_id.in_(living))
        change = change.values(next_at=now, attempts=0)
        if await self._database.write(lambda connection: connection.execute(change).rowcount) != 1:
            raise SubscriptionError("there is no such message, or it was delivered")

    async def deliveries(self, subscription_id: str) -> tuple[Delivery, ...]:
        """The latest messages of a subscription."""
        query = select(deliveries).where(deliveries.c.subscription_id == subscription_id)
        query = query.order_by(deliveries.c.at.desc(), deliveries.c.delivery_id).limit(MOST_LISTED)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        names = Delivery.__dataclass_fields__
        return tuple(Delivery(**{name: row[name] for name in names}) for row in rows)

    async def forget(self, before: datetime) -> None:
        """Drop messages that were delivered or given up before a moment."""
        gone = delete(deliveries).where(deliveries.c.at < before, deliveries.c.next_at.is_(None))
        await self._database.write(lambda connection: connection.execute(gone))

    def _sealed(self, subscription_id: str, present: str, former: str | None, now: datetime) -> bytes:
        told = {"present": present, "former": former or "", "until": (now + OVERLAP).isoformat()}
        return self._seal.close(told, "subscription", subscription_id)

    def _message(self, row: Any, now: datetime) -> Message:
        kept = self._seal.open(row.secrets, "subscription", row.subscription_id)
        former = kept["former"] if datetime.fromisoformat(kept["until"]) > now else ""
        signing = (kept["present"], former) if former else (kept["present"],)
        return Message(row.delivery_id, row.url, signing, row.body, row.attempts)


def fresh_secret() -> str:
    """A signing secret as Standard Webhooks write it."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def _collect(connection: Connection, now: datetime) -> int:
    wanting = connection.execute(select(subscriptions).where(subscriptions.c.ended_at.is_(None))).all()
    if not wanting:
        return 0
    since = min(one.created_at for one in wanting)
    head = func.coalesce(subscription_heads.c.sequence, 0)
    query = select(episodes.c.episode_id, episodes.c.revision, episodes.c.drill, head.label("head"))
    query = query.outerjoin(subscription_heads, subscription_heads.c.episode_id == episodes.c.episode_id)
    query = query.where(episodes.c.revision > head).limit(MOST_AT_ONCE)
    rows: list[dict[str, Any]] = []
    for episode in connection.execute(query).all():
        after = trail.c.sequence > episode.head
        new = select(trail.c.sequence, trail.c.kind, trail.c.recorded_at, trail.c.occurred_at)
        new = new.where(trail.c.episode_id == episode.episode_id, after, trail.c.recorded_at >= since)
        for row in connection.execute(new.order_by(trail.c.sequence)):
            name = EVENTS.get(row.kind)
            rows += [
                _delivery(
                    *(one.subscription_id, name, episode.episode_id, row.sequence, row.occurred_at, now),
                    drill=episode.drill,
                )
                for one in wanting
                if name in one.events and name is not None and row.recorded_at >= one.created_at
            ]
        mine = subscription_heads.c.episode_id == episode.episode_id
        moved = update(subscription_heads).where(mine).values(sequence=episode.revision)
        if connection.execute(moved).rowcount == 0:
            connection.execute(
                insert(subscription_heads), {"episode_id": episode.episode_id, "sequence": episode.revision}
            )
    if rows:
        connection.execute(insert(deliveries), rows)
    return len(rows)


def _delivery(
    subscription_id: str,
    event: str,
    episode_id: str,
    sequence: int,
    at: datetime,
    now: datetime,
    *,
    drill: bool = False,
    token: str = "",
) -> dict[str, Any]:
    named = f"{subscription_id}\n{event}\n{episode_id}\n{sequence}\n{token}"
    data = {"episode_id": episode_id, "sequence": sequence, "drill": drill} if episode_id else {}
    return {
        "delivery_id": f"msg_{hashlib.sha256(named.encode()).hexdigest()[:32]}",
        "subscription_id": subscription_id,
        "event": event,
        "episode_id": episode_id,
        "at": at,
        "body": json.dumps({"type": event, "timestamp": at.isoformat(), "data": data}),
        "attempts": 0,
        "next_at": now,
        "delivered_at": None,
        "answer": "",
    }
