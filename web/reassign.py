"""Hand over the episodes of somebody who is away: each is offered to one person; it counts when they accept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.board import MOST_ROWS, Board, Load, Watch
from practice.wellbeing import rests_until
from protocol.commands import OfferHandover
from protocol.rota import able_to_own, present_for
from web.access import authorize
from web.acting import Malformed, check_addressee, command_id_of, command_of, role_of
from web.board import stage_titles
from web.effective import effective
from web.episodes import form_of
from web.errors import WebError
from web.guard import May
from web.looks import SHOWN, Visit, shows
from web.pages import fresh_key, page
from web.people import names_of
from web.relations import to_episode
from web.seen import see
from workflows.client import EpisodeError

router = APIRouter(include_in_schema=False)
Supervisor = Annotated[Visit, Depends(May("board.read", SHOWN))]

TO = "to."
"""Before the id of an episode in the name of its field."""
MOST_SAID = 12


@router.get("/reassign")
async def reassign(request: Request, visit: Supervisor, owner: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The episodes of one person and whom each may be offered to."""
    return await shown(request, visit, owner, {})


@router.post("/reassign")
async def offer(request: Request, visit: Supervisor) -> Response:
    """Offer each to whom was chosen. What can't be offered is said, and nothing else is held up by it."""
    form = {name: values[0].strip() for name, values in (await form_of(request)).items()}
    owner, reason = form.get("owner", "")[:64], form.get("reason", "")
    wanted = {name.removeprefix(TO): to for name, to in form.items() if name.startswith(TO) and to}
    if not reason or not wanted:
        problem = "Write why" if wanted else "Choose somebody for at least one episode"
        return await shown(request, visit, owner, form, problem)
    names, said = await names_of(visit.parts), list[str]()
    for episode_id, to in list(wanted.items())[:MOST_ROWS]:
        refusal = await offered(visit, episode_id, to, reason, form.get("key", ""))
        said.append(f"{episode_id[:8]}: {refusal}" if refusal else f"{episode_id[:8]} offered to {names(to)}")
    if visit.session is not None:
        more = len(said) - MOST_SAID
        visit.parts.fresh.say(
            visit.session.token_hash, [*said[:MOST_SAID], *([f"and {more} more"] if more > 0 else [])]
        )
    return RedirectResponse("/board", 303)


async def offered(visit: Visit, episode_id: str, to: str, reason: str, key: str) -> str:
    """Offer one episode; why not, where it was not taken."""
    parts = visit.parts
    if not authorize(visit.actor, "episode.act", await to_episode(parts, visit.actor, episode_id)):
        return "you may not act there"
    try:
        seen, rota = await see(parts, episode_id), await parts.rota.current()
        check_addressee(rota, seen.program.spec, OfferHandover.__name__, {"to": to})
        common: dict[str, Any] = {
            "command_id": command_id_of(visit.actor, episode_id, f"{key}/reassign"),
            "actor": visit.actor.account_id,
            "role": role_of(visit.actor, rota, seen.program.spec, OfferHandover.__name__),
            "occurred_at": parts.clock(),
        }
        command = command_of(OfferHandover.__name__, common, {"to": to, "reason": reason})
        receipt = await parts.engine.submit(episode_id, command)
    except Malformed as error:
        return "; ".join(words for _, words in error.problems)
    except (WebError, EpisodeError) as error:
        return str(error) or "it can't be read now"
    return "" if receipt.refusal is None else f"{receipt.refusal.message} {receipt.refusal.remedy}"


async def shown(request: Request, visit: Visit, owner: str, typed: dict[str, str], problem: str = "") -> Response:
    """The page with what was chosen so far."""
    parts, now = visit.parts, visit.parts.clock()
    records, names, rota = Board(parts.database), await names_of(parts), await parts.rota.current()
    loads = {one.owner: one for one in await records.loads(now)}
    rows, total = await records.page(Watch(owner), now, 1, MOST_ROWS) if owner else ((), 0)
    await shows(visit, ((one.episode_id, one.client_ref) for one in rows))
    roles = {role for spec in (await effective(parts)).values() for role in spec.owning_roles}
    people = [one for one in able_to_own(rota, roles) if one.id != owner and present_for(rota, one, now) == one]
    return await page(
        request,
        "reassign.html",
        status=422 if problem else 200,
        owner=owner,
        owners=[{"value": one, "label": names(one)} for one in sorted(loads, key=names) if loads[one].episodes],
        rows=rows,
        total=total,
        stages=await stage_titles(parts, rows),
        known=await parts.clients.names(one.client_ref for one in rows),
        names=names,
        colleagues=[
            {"value": one.id, "label": f"{one.name}{burden(loads.get(one.id, Load(one.id)), now)}"} for one in people
        ],
        typed=typed,
        problem=problem,
        key=typed.get("key", "") or fresh_key(),
    )


def burden(load: Load, now: Any) -> str:
    """What somebody carries already, and whether they should rest."""
    rest = ", after an imminent episode" if rests_until(load, now) is not None else ""
    return f": {load.episodes} open, {load.severe} severe{rest}"
