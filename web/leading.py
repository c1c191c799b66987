"""Who leads an episode that is being reported: the client's own therapist, or whoever reports it."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.rota import able_to_own, present_for
from protocol.spec import ProtocolSpec
from web.access import Actor
from web.parts import Parts


@dataclass(frozen=True, slots=True)
class Lead:
    """Who would lead it, and for whom they stand in; an empty `stands_for` is nobody."""

    account_id: str
    stands_for: str = ""


async def lead_of(parts: Parts, actor: Actor, spec: ProtocolSpec, client_ref: str) -> Lead:
    """Whoever has the client on their caseload, or their cover, as far as a page finds them; else the reporter."""
    now = parts.clock()
    keepers, _ = await parts.reach.keepers(client_ref, now)
    if not keepers or actor.account_id in keepers:
        return Lead(actor.account_id)
    rota = await parts.rota.current()
    able = {one.id for one in able_to_own(rota, spec.owning_roles)}
    for keeper in sorted(keepers):
        person = rota.by_id.get(keeper)
        there = present_for(rota, person, now) if person is not None else None
        if there is not None and there.id in able:
            return Lead(there.id, "" if there.id == keeper else keeper)
    return Lead(actor.account_id)
