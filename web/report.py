"""Report a crisis: who and what, one button; the rest can follow. An open episode is offered, not doubled."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol.words import Words
from web import drafting
from web.access import authorize
from web.acting import Malformed, happened_at
from web.attempt import first
from web.effective import effective, usual
from web.errors import Away
from web.forms import FACT, answers_of, fact_field, fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.leading import lead_of
from web.looks import NOTHING, REPORT, shows
from web.pages import fresh_key, page
from web.people import names_of
from web.reporting import Report, goes_on_seeing, opening_facts, reported
from workflows.client import EpisodeError

router = APIRouter(include_in_schema=False)
Reporter = Annotated[Visit, Depends(May("episode.open", REPORT))]
Goer = Annotated[Visit, Depends(May("episode.open", NOTHING))]

REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
LONGEST_TEXT = 4_000
MOST_SUGGESTED = 300
ME = "me"
"""The reporter leads the episode, whosever client it is."""


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


@router.post("/report/lead")
async def lead(request: Request, visit: Reporter) -> Response:
    """The part of the form that says who leads it, for the client that was typed."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    client = await client_of(visit, first(form, "client").strip())
    spec = await usual(visit.parts, first(form, "protocol"))
    if REFERENCE.fullmatch(client):
        await shows(visit, [("", client)])
    told = await leads(visit, spec, client)
    return await page(request, "report_lead.html", **told, typed={"owner": first(form, "owner")})


@router.post("/report")
async def report(request: Request, visit: Reporter) -> Response:
    """Open an episode; or offer the one that is open already."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    typed = {name: values[0].strip() for name, values in form.items()}
    typed["client"] = await client_of(visit, typed.get("client", ""))
    spec = await usual(visit.parts, typed.get("protocol", ""))
    errors = problems(spec, typed)
    if errors:
        return await shown(request, visit, typed, errors=errors, status=422)
    meant, errors = await read(visit, spec, typed, form)
    if errors or meant is None:
        return await shown(request, visit, typed, errors=errors, status=422)
    try:
        became = await reported(visit, spec, meant)
    except EpisodeError:
        unsure = [{"field": "", "text": f"{Away.title}. {Away.remedy}"}]
        return await shown(request, visit, typed, errors=unsure, status=503, key=typed.get("key", ""))
    if became.receipt is None:
        return await shown(request, visit, typed, there=list(became.there), status=409)
    if became.receipt.refusal is not None:
        refusal = became.receipt.refusal
        refused = [{"field": "", "text": Words(spec).refusal(refusal)}]
        return await shown(request, visit, typed, errors=refused, status=422)
    await drafting.sent(visit, "report")
    return RedirectResponse(await onward_to(visit, became.episode_id, meant.owner), 303)


async def client_of(visit: Visit, written: str) -> str:
    """The reference of the one client whom a name means; else what was written."""
    if REFERENCE.fullmatch(written):
        return written
    everybody = authorize(visit.actor, "client.read")
    known = await visit.parts.clients.named(None if everybody else visit.actor.account_id)
    meant = [one.client_ref for one in known if one.name.casefold() == written.casefold()]
    return meant[0] if len(meant) == 1 else written


async def onward_to(visit: Visit, episode_id: str, owner: str) -> str:
    """The episode's page; for a reporter who is no further concerned, their own, which says who is."""
    if owner == visit.actor.account_id or await goes_on_seeing(visit, episode_id):
        return f"/episodes/{episode_id}"
    if visit.session is not None:
        names = await names_of(visit.parts)
        visit.parts.fresh.say(visit.session.token_hash, ["The crisis is reported", f"{names(owner)} leads it"])
    return "/"


async def read(
    visit: Visit, spec: ProtocolSpec, typed: dict[str, str], form: dict[str, list[str]]
) -> tuple[Report | None, list[dict[str, str]]]:
    """The report that a form means; or what is wrong with it."""
    parts, made, now = visit.parts, program(spec), visit.parts.clock()
    lead = await lead_of(parts, visit.actor, spec, typed["client"])
    if typed.get("owner") != ME and typed.get("lead") not in (None, "", lead.account_id):
        names = await names_of(parts)
        return None, [
            {"field": "owner", "text": f"Meanwhile it would be led by {names(lead.account_id)}. Send it again"}
        ]
    try:
        received = happened_at(typed.get("received", ""), made, now)
    except Malformed as error:
        return None, [{"field": "received", "text": error.problems[0][1].capitalize()}]
    asked = {FACT + name: form[FACT + name] for name in opening_facts(spec) if FACT + name in form}
    return Report(
        key=typed["key"],
        client_ref=typed["client"],
        owner=visit.actor.account_id if typed.get("owner") == ME else lead.account_id,
        received_at=received,
        crisis_types=(typed["crisis"],) if typed.get("crisis") else (),
        facts=answers_of(made, asked, now),
        said=typed.get("said", ""),
        drill=typed.get("drill") == "yes",
        another=typed.get("another") == "yes",
    ), []


async def leads(visit: Visit, spec: ProtocolSpec, client: str) -> dict[str, Any]:
    """What the form says of who would lead it; nobody while no client is named."""
    if not REFERENCE.fullmatch(client):
        return {"lead": None}
    names, found = await names_of(visit.parts), await lead_of(visit.parts, visit.actor, spec, client)
    mine = found.account_id == visit.actor.account_id
    return {"lead": {"id": found.account_id, "mine": mine, "name": names(found.account_id),
                     "stands_for": names(found.stands_for) if found.stands_for else ""}}  # fmt: skip


def problems(spec: ProtocolSpec, typed: dict[str, str]) -> list[dict[str, str]]:
    """What must be mended before anything can be opened; as little as possible."""
    found: list[dict[str, str]] = []
    if not REFERENCE.fullmatch(typed.get("client", "")):
        text = "Choose the client from the list, or write the reference, such as client-1001"
        found.append({"field": "client", "text": text})
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
        {"value": name, "label": one.title, "help": " · ".join(one.signals)} for name, one in spec.crisis_types.items()
    ]
    made, fields = program(spec), {name: [value] for name, value in typed.items()}
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
        usual=visit.parts.settings.usual_protocol,
        **await leads(visit, spec, meant),
        asked=[fact_field(made, None, name, fields) for name in opening_facts(spec)],
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
