"""How a person stands to an episode or a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.rota import Rota, present_for, resolve
from protocol.summary import EpisodeSummary
from web.access import NOWHERE, Actor, Relation, Target
from web.parts import Parts


async def relation_to(parts: Parts, actor: Actor, place: Mapping[str, Any]) -> Target:
    """The target that the address of a request means."""
    if "episode_id" in place:
        return Target(await to_episode(parts, actor, str(place["episode_id"])))
    return NOWHERE


async def to_episode(parts: Parts, actor: Actor, episode_id: str) -> Relation:
    """How an actor stands to an episode that the records know."""
    summary = await parts.queries.get_episode(episode_id)
    if summary is None:
        return "none"
    return standing(actor, summary, await parts.rota.current(), parts)


def standing(actor: Actor, summary: EpisodeSummary, rota: Rota, parts: Parts) -> Relation:
    """How an actor stands to an episode by what the lists say."""
    if summary.owner == actor.account_id:
        return "own"
    now = parts.clock()
    owner = rota.by_id.get(summary.owner)
    if owner is not None and (cover := present_for(rota, owner, now)) is not None and cover.id == actor.account_id:
        return "covered"
    asked = {owed.owner for owed in summary.obligations} | {
        person.id for owed in summary.obligations for person in resolve(rota, owed.owner_role, now, summary.owner)
    }
    return "asked" if actor.account_id in asked else "none"
