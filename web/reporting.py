"""A report of a crisis, from a form or a call: where it goes, who leads the episode, and the opening itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from protocol.commands import AddAddendum, FactValue, OpenEpisode
from protocol.conditions import tests_in
from protocol.engine import Receipt
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from web.access import Actor, Target, authorize
from web.acting import command_id_of, role_of
from web.guard import Visit
from web.relations import standing, to_client
from web.seen import see


@dataclass(frozen=True)
class Report:
    """What somebody reports. `received_at` is aware UTC."""

    key: str
    """Made once for a form or call: sent again, it is the same report."""
    client_ref: str
    owner: str
    received_at: datetime
    crisis_types: tuple[str, ...] = ()
    facts: Mapping[str, FactValue] = field(default_factory=dict[str, FactValue])
    said: str = ""
    drill: bool = False
    another: bool = False
    """Open one although the client has an open episode."""


@dataclass(frozen=True)
class Reported:
    """What became of it: a receipt, or the client's open episodes."""

    episode_id: str
    receipt: Receipt | None = None
    there: tuple[str, ...] = ()


def opening_facts(spec: ProtocolSpec) -> tuple[str, ...]:
    """The facts on which it depends what is owed from the opening on, such as how the crisis reached us."""
    guards = [
        trigger.when
        for duty in spec.obligations.values()
        for trigger in duty.opens
        if trigger.event == "episode_opened" and trigger.when is not None
    ]
    read = dict.fromkeys(test.name for guard in guards for test in tests_in(guard.condition))
    return tuple(name for name in read if name in spec.facts)


async def reported(visit: Visit, spec: ProtocolSpec, report: Report) -> Reported:
    """Open an episode, unless the client has an open one: two who report at once open one. Raises EpisodeError."""
    parts, mine = visit.parts, episode_id_of(visit.actor, report.key)
    goes = mine
    if not report.drill and not report.another:
        place = await parts.reports.place(report.client_ref, mine, parts.clock())
        if place.there:
            return Reported(mine, there=place.there)
        goes = place.episode_id
    receipt = await _opened(visit, spec, report, goes)
    if receipt.refusal is not None and receipt.refusal.code == "already_open":
        return Reported(mine, there=(goes,))
    if receipt.refusal is None:
        parts.fresh.note_opened(goes, visit.actor.account_id)
    return Reported(goes, receipt)


async def _opened(visit: Visit, spec: ProtocolSpec, report: Report, episode_id: str) -> Receipt:
    """Send the opening, and what was said as an addendum to it."""
    actor, parts = visit.actor, visit.parts
    role = role_of(actor, await parts.rota.current(), spec)
    common: dict[str, Any] = {"actor": actor.account_id, "role": role, "occurred_at": report.received_at}
    opening = OpenEpisode(
        command_id=command_id_of(actor, episode_id, f"open/{report.key}"),
        episode_id=episode_id,
        client_ref=report.client_ref,
        owner=report.owner,
        crisis_types=report.crisis_types,
        facts=report.facts,
        drill=report.drill,
        **common,
    )
    engine = await parts.engine.commands()
    receipt = await engine.open(spec, opening)
    if receipt.refusal is None and report.said:
        said = command_id_of(actor, episode_id, f"said/{report.key}")
        await engine.submit(episode_id, AddAddendum(command_id=said, refers_to=1, text=report.said, **common))
    return receipt


async def goes_on_seeing(visit: Visit, episode_id: str) -> bool:
    """Whether the reporter may see the episode once the records have it, also where somebody else leads it."""
    parts, actor = visit.parts, visit.actor
    if authorize(actor, "episode.read"):
        return True
    seen = await see(parts, episode_id)
    near = standing(actor, summarise(seen.program.spec, seen.episode), await parts.rota.current(), parts)
    return authorize(
        actor,
        "episode.read",
        Target(near if near != "none" else await to_client(parts, actor, seen.episode.client_ref)),
    )


def episode_id_of(actor: Actor, key: str) -> str:
    """The id of the episode that this form or call would open: sent twice, it opens one."""
    return hashlib.sha256(f"{actor.account_id}\nopen\n{key}".encode()).hexdigest()[:24]
