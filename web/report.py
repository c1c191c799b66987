"""Report a crisis: who and what, one button; the rest can follow. An open episode is offered, not doubled."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.commands import AddAddendum, OpenEpisode
from protocol.engine import Receipt
from protocol.spec import ProtocolSpec
from web import drafting
from web.access import Actor, authorize
from web.acting import command_id_of, role_of
from web.attempt import first
from web.effective import effective, usual
from web.errors import Away
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.looks import NOTHING, REPORT, shows
from web.pages import fresh_key, page
from workflows.client import EpisodeError

router = APIRouter(include_in_schema=False)
Reporter = Annotated[Visit, Depends(May("episode.open", REPORT))]
Goer = Annotated[Visit, Depends(May("episode.open", NOTHING))]

REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
LONGEST_TEXT = 4_000
MOST_SUGGESTED = 300


@router.get("/report")
async def report_page(request: Request, visit: Reporter, client: str = "") -> Response:
    """The form, with what was typed into it before and not sent."""
    fields, told = await drafting.found(visit, "report")
    typed = {name: values[0] for name, values in fields.items() if values}
    if client and typed.get("client") not in (None, "", client):
        typed, told = {}, ""
    return await shown(request, visit, {**typed, "client": client or typed.get("client", "")}, saved=told)


@router.post("/report/onward/{episode_id}")
async def onward(request: Request, visit: Goer, episode_id: str) -> Response:
    """To the open episode, with the words that were typed: they wait there as an addendum."""
    fields = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    said, who, drafts = first(fields, "said")[:LONGEST_TEXT], visit.actor.account_id, visit.parts.drafts
    place = f"{episode_id[:64]}/add-addendum"
    if said:
        before = await drafts.at(who, place)
        texts = [*(before.fields.get("text", []) if before is not None else []), said]
        text = "\n".join(dict.fromkeys(one for one in texts if one))
        await drafts.save(who, place, {"refers_to": ["1"], "text": [text]}, visit.parts.clock())
        await drafting.sent(visit, "report")
    return RedirectResponse(f"/episodes/{episode_id[:64]}{'?add=1#act-add-addendum' if said else ''}", 303)


@router.post("/report")
async def report(request: Request, visit: Reporter) -> Response:
    """Open an episode; or offer the one that is open already."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    typed = {name: values[0].strip() for name, values in form.items()}
    spec = await usual(visit.parts, typed.get("protocol", ""))
    errors = problems(spec, typed)
    if errors:
        return await shown(request, visit, typed, errors=errors, status=422)
    mine = episode_id_of(visit.actor, typed.get("key", ""))
    there = [one for one in await visit.parts.owing.open_of_client(typed["client"]) if one != mine]
    if there and typed.get("another") != "yes" and typed.get("drill") != "yes":
        return await shown(request, visit, typed, there=there, status=409)
    try:
        receipt = await opened(visit, spec, typed, mine)
    except EpisodeError:
        unsure = [{"field": "", "text": f"{Away.title}. {Away.remedy}"}]
        return await shown(request, visit, typed, errors=unsure, status=503, key=typed.get("key", ""))
    if receipt.refusal is not None:
        refused = [{"field": "", "text": f"{receipt.refusal.message} {receipt.refusal.remedy}"}]
        return await shown(request, visit, typed, errors=refused, status=422)
    visit.parts.fresh.note_opened(mine, visit.actor.account_id)
    await drafting.sent(visit, "report")
    return RedirectResponse(f"/episodes/{mine}", 303)


async def opened(visit: Visit, spec: ProtocolSpec, typed: dict[str, str], episode_id: str) -> Receipt:
    """Send the opening, and what was said as an addendum to it."""
    actor, parts = visit.actor, visit.parts
    role = role_of(actor, await parts.rota.current(), spec)
    common: dict[str, Any] = {"actor": actor.account_id, "role": role, "occurred_at": parts.clock()}
    opening = OpenEpisode(
        command_id=command_id_of(actor, episode_id, "open"),
        episode_id=episode_id,
        client_ref=typed["client"],
        owner=actor.account_id,
        crisis_types=(typed["crisis"],) if typed.get("crisis") else (),
        drill=typed.get("drill") == "yes",
        **common,
    )
    engine = await parts.engine.commands()
    receipt = await engine.open(spec, opening)
    if receipt.refusal is None and typed.get("said"):
        words = AddAddendum(
            command_id=command_id_of(actor, episode_id, "said"), refers_to=1, text=typed["said"], **common
        )
        await engine.submit(episode_id, words)
    return receipt


def episode_id_of(actor: Actor, key: str) -> str:
    """The id of the episode that this form opens: sent twice, it opens one."""
    return hashlib.sha256(f"{actor.account_id}\nopen\n{key}".encode()).hexdigest()[:24]


def problems(spec: ProtocolSpec, typed: dict[str, str]) -> list[dict[str, str]]:
    """What must be mended before anything can be opened; as little as possible."""
    found: list[dict[str, str]] = []
    if not REFERENCE.fullmatch(typed.get("client", "")):
        found.append({"field": "client", "text": "Write the client's reference, such as client-1001, without spaces"})
    if typed.get("crisis") and typed["crisis"] not in spec.crisis_types:
        found.append({"field": "crisis", "text": "Choose one of the crisis types, or say it in words"})
    if not typed.get("crisis") and not typed.get("said"):
        found.append({"field": "crisis", "text": "Choose what happened, or say it in a few words"})
    if len(typed.get("said", "")) > LONGEST_TEXT:
        found.append({"field": "said", "text": "Shorten what was said: 4000 characters at most"})
    if not typed.get("key"):
        found.append({"field": "", "text": "The form was not complete. Send it again."})
    return found


async def shown(
    request: Request,
    visit: Visit,
    typed: dict[str, str],
    *,
    errors: list[dict[str, str]] | None = None,
    there: list[str] | None = None,
    status: int = 200,
    key: str = "",
    saved: str = "",
) -> Response:
    """The form with what was typed, its problems, and the episodes that are open already."""
    spec = await usual(visit.parts, typed.get("protocol", ""))
    crises = [
        {"value": name, "label": one.title, "help": ", ".join(one.signals)} for name, one in spec.crisis_types.items()
    ]
    everybody = authorize(visit.actor, "client.read")
    known = await visit.parts.clients.named(None if everybody else visit.actor.account_id)
    meant = typed.get("client", "")
    named = {one.client_ref: one.name for one in known}
    shown = {one.client_ref for one in known[:MOST_SUGGESTED]} | ({meant} & named.keys())
    await shows(visit, [*(("", one) for one in sorted(shown)), *((one, meant) for one in there or ())])
    return await page(
        request,
        "report.html",
        status=status,
        clients=[{"value": one.client_ref, "label": one.name} for one in known[:MOST_SUGGESTED]],
        named=named.get(meant, ""),
        typed=typed,
        saved=saved,
        errors=errors or [],
        there=there or [],
        crises=crises,
        protocols=[{"value": name, "label": one.title} for name, one in (await effective(visit.parts)).items()],
        protocol=spec.protocol,
        key=key or (typed.get("key", "") if there else "") or fresh_key(),
    )
