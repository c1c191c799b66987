"""How a person stands to an episode or a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.rota import Rota, present_for, resolve
from protocol.summary import EpisodeSummary
from web.access import NOWHERE, Actor, Relation, Target
from web.parts import Parts
from workflows.client import EpisodeError


async def relation_to(parts: Parts, actor: Actor, place: Mapping[str, Any]) -> Target:
    """The target that the address of a request means."""
    if "episode_id" in place:
        return await to_episode(parts, actor, str(place["episode_id"]))
    if "client_ref" in place:
        return Target(await to_client(parts, actor, str(place["client_ref"])))
    return NOWHERE


async def to_episode(parts: Parts, actor: Actor, episode_id: str) -> Target:
    """How an actor stands to an episode, by the records; by the engine for one that they do not have yet."""
    summary = await parts.queries.get_episode(episode_id)
    if summary is None:
        mine = parts.fresh.opened_by(episode_id, actor.account_id) or await _leads(parts, actor, episode_id)
        return Target("own" if mine else "none")
    near = standing(actor, summary, await parts.rota.current(), parts)
    if near == "none":
        near = await to_client(parts, actor, summary.client_ref)
    if near in ("none", "broke_glass") and await _was_paged(parts, actor, summary):
        near = "asked"
    return Target(near)


async def _leads(parts: Parts, actor: Actor, episode_id: str) -> bool:
    """The episode is this person's by the engine: another web process opened it, and the records lag a moment."""
    try:
        episode = (await parts.engine.view(episode_id)).episode
    except EpisodeError:
        return False
    return episode is not None and episode.owner == actor.account_id


async def to_client(parts: Parts, actor: Actor, client_ref: str) -> Relation:
    """How an actor stands to a client: on their caseload, on that of somebody they cover, or opened in an emergency."""
    keepers, broke = await parts.reach.keepers(client_ref, parts.clock())
    if actor.account_id in keepers:
        return "own"
    rota = await parts.rota.current()
    if any(covers(actor, keeper, rota, parts) for keeper in keepers):
        return "covered"
    return "broke_glass" if actor.account_id in broke else "none"


def covers(actor: Actor, person_id: str, rota: Rota, parts: Parts) -> bool:
    """Whether the actor stands in for that person now."""
    person = rota.by_id.get(person_id)
    present = present_for(rota, person, parts.clock()) if person is not None else None
    return present is not None and present.id == actor.account_id != person_id


def standing(actor: Actor, summary: EpisodeSummary, rota: Rota, parts: Parts) -> Relation:
    """How an actor stands to an episode by what the lists say."""
    if summary.owner == actor.account_id:
        return "own"
    if covers(actor, summary.owner, rota, parts):
        return "covered"
    now = parts.clock()
    roles = {owed.owner_role for owed in summary.obligations} - {"owner"}
    asked = {person.id for role in roles for person in resolve(rota, role, now, summary.owner)}
    return "asked" if actor.account_id in asked else "none"


async def _was_paged(parts: Parts, actor: Actor, summary: EpisodeSummary) -> bool:
    """A page about something that is still owed reached this person, or asks them to take the episode over."""
    owed = {one.obligation_id for one in summary.obligations}
    pages = [page for page in await parts.queries.pages(summary.episode_id) if page.obligation_id in owed]
    if any(actor.account_id in page.recipients for page in pages):
        return True
    offered = any(page.role == "addressee" for page in pages)
    return offered and await _was_offered(parts, actor, summary.episode_id)


async def _was_offered(parts: Parts, actor: Actor, episode_id: str) -> bool:
    """The episode waits for this person to take it over, whether or not a page reached them."""
    try:
        episode = (await parts.engine.view(episode_id)).episode
    except EpisodeError:
        return False
    return episode is not None and episode.handover is not None and episode.handover.to == actor.account_id
