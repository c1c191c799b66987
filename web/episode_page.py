"""The episode's page: put together from its face, its timeline, and the form that somebody is in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil
from typing import Any, get_args
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from practice.drafts import Draft
from protocol.commands import ContactChannel, ContactOutcome
from protocol.episode import Episode
from protocol.local_time import show_clock
from protocol.rota import able_to_own
from protocol.spec import LEVELS
from protocol.words import plain
from web import face, rescue, timeline
from web.access import authorize
from web.attempt import Attempt, form_of
from web.face import Look
from web.forms import FACT, Fields, step_form
from web.guard import Visit
from web.pages import fresh_key, page
from web.people import names_of
from web.seen import Seen

OUTCOMES = {
    "reached": "Reached: we spoke",
    "wrong_person": "Somebody else answered",
    "declined_to_talk": "Did not want to talk",
}
"""What came of a contact, where the core's own word says too little."""


async def shown(
    request: Request,
    visit: Visit,
    seen: Seen,
    *,
    step: str = "",
    add_to: str = "",
    attempt: Attempt | None = None,
    status: int = 200,
) -> Response:
    """The page, with what was typed when a form came back."""
    parts, now = visit.parts, visit.parts.clock()
    names = await names_of(parts)
    look = Look(seen, await parts.numbers.current(parts.directory), names, now)
    episode = seen.episode
    client = await parts.clients.get(episode.client_ref)
    rows = await timeline.rows_of(parts, episode.episode_id, episode.revision)
    drafts = await parts.drafts.under(visit.actor.account_id, episode.episode_id)
    asked = (attempt.step if attempt else "") or step
    typed, wrong = _typed_steps(attempt, drafts), _wrong_answers(attempt)
    danger = rescue.danger(look, rows, declared=attempt is not None and attempt.act == "declare-emergency")
    led = danger.now or episode.stage == seen.program.spec.emergency.stage
    stations = rescue.stations(look, typed, rows, asked, wrong) if led else []
    form, saved = _current(look, asked, {one["step"] for one in stations}, attempt, drafts)
    return await page(
        request,
        "episode.html",
        status=status,
        episode=episode,
        spec=seen.program.spec,
        words=seen.words,
        look=look,
        names=names,
        client=client,
        **_may(visit, episode),
        drill=episode.drill,
        stale_since=seen.stale_since,
        stopped=seen.stopped,
        banner=[*face.banner(look), *face.consents(client, now.astimezone(seen.words.zone).date())],
        zone_said=face.zone_said(look, await _own_zone(visit)),
        stages=face.stepper(look),
        duties=face.duties(look),
        danger=danger,
        emergency=rescue.emergency(look),
        stations=stations,
        to_do=face.to_do(look),
        any_time=face.any_time(look),
        decisions=face.decisions(look),
        contacts=face.contacts(look),
        signatures=face.signatures(look),
        **_ways_on(look),
        risks=timeline.risk_history(look, rows),
        entries=timeline.entries(look, rows),
        recorded=max((row.sequence for row in rows), default=0),
        colleagues=await _colleagues(visit, seen),
        form=form,
        saved=saved,
        attempt=attempt,
        **_forms(attempt, drafts, add_to),
    )


def _may(visit: Visit, episode: Episode) -> dict[str, bool]:
    """What this person may do here: after the close, only add."""
    actor, target, running = visit.actor, visit.target, episode.closed_at is None
    return {
        "may_act": running and authorize(actor, "episode.act", target),
        "may_contact": running and authorize(actor, "episode.contact", target),
        "may_add": authorize(actor, "episode.act", target),
        "may_rescue": running and authorize(actor, "episode.emergency", target),
    }


def _ways_on(look: Look) -> dict[str, Any]:
    """Where the episode may go from here, and what is missing before it can."""
    program, episode = look.seen.program, look.seen.episode
    return {
        "nexts": face.stages_named(look, program.spec.stages[episode.stage].next),
        "behind": face.stages_named(look, tuple(episode.left)),
        "missing": program.missing_steps(episode),
    }


def _forms(attempt: Attempt | None, drafts: dict[str, Draft], add_to: str) -> dict[str, Any]:
    """What the forms of the page are made with: their keys, what stands in them, what is wrong, what can be chosen."""
    return {
        "form_of": form_of,
        "key_of": partial(_key_of, attempt),
        "typed": _typed(attempt, drafts, add_to),
        "add_to": add_to,
        "errors": _errors(attempt),
        "channels": choices_of(ContactChannel),
        "came_of_it": choices_of(ContactOutcome, OUTCOMES),
        "lower": [{"value": one, "label": plain(one).capitalize()} for one in reversed(LEVELS[:-1])],
    }


async def timeline_page(request: Request, visit: Visit, seen: Seen, number: int) -> Response:
    """A page of the whole timeline."""
    parts, episode = visit.parts, seen.episode
    pages = max(1, ceil(episode.revision / timeline.LATEST))
    number = min(number, pages)
    look = Look(seen, parts.directory, await names_of(parts), parts.clock())
    client = await parts.clients.get(episode.client_ref)
    rows = await timeline.rows_on(parts, episode.episode_id, episode.revision, number)
    return await page(
        request,
        "timeline.html",
        episode=episode,
        drill=episode.drill,
        client=client,
        number=number,
        pages=pages,
        entries=timeline.entries(look, rows),
        may_add=authorize(visit.actor, "episode.act", visit.target),
        may_rescue=authorize(visit.actor, "episode.emergency", visit.target) and episode.closed_at is None,
        zone_said=face.zone_said(look, await _own_zone(visit)),
    )


async def _own_zone(visit: Visit) -> ZoneInfo | None:
    """Where this person works, by the rota."""
    rota = await visit.parts.rota.current()
    person = rota.by_id.get(visit.actor.account_id)
    return rota.zone_of(person) if person is not None else None


def _current(
    look: Look, asked: str, stations: set[str], attempt: Attempt | None, drafts: dict[str, Draft]
) -> tuple[Any, str]:
    """The form of the current step, where it does not stand among the stations of an emergency already."""
    if attempt is not None and attempt.step in stations:
        for one in attempt.problems:
            one["form"] = attempt.step
    current = face.current_step(look, asked)
    return _form(look, current if current not in stations else "", attempt, drafts)


def _form(look: Look, step: str, attempt: Attempt | None, drafts: dict[str, Draft]) -> tuple[Any, str]:
    """The current step's form and when its draft was saved."""
    if not step:
        return None, ""
    program, episode = look.seen.program, look.seen.episode
    draft = drafts.get(f"complete-step/{step}")
    sent = attempt is not None and attempt.act == "complete-step"
    typed = attempt.fields if attempt is not None and sent else draft.fields if draft is not None else {}
    saved = ""
    if draft is not None and not sent:
        saved = f"Saved {show_clock(draft.saved_at.replace(second=0, microsecond=0), look.seen.words.zone)}"
    return step_form(program, episode, step, typed, _wrong_answers(attempt)), saved


def _wrong_answers(attempt: Attempt | None) -> dict[str, str]:
    """What is wrong with an answer, by its fact."""
    problems = attempt.problems if attempt is not None and attempt.act == "complete-step" else []
    return {one["field"].removeprefix(FACT): one["text"] for one in problems if one["field"]}


def _typed_steps(attempt: Attempt | None, drafts: dict[str, Draft]) -> dict[str, Fields]:
    """What was typed into steps and not taken, by step."""
    own = "complete-step/"
    typed: dict[str, Fields] = {
        place.removeprefix(own): one.fields for place, one in drafts.items() if place.startswith(own)
    }
    if attempt is not None and attempt.act == "complete-step":
        typed[attempt.step] = attempt.fields
    return typed


def _typed(attempt: Attempt | None, drafts: dict[str, Draft], add_to: str) -> dict[str, dict[str, str]]:
    """What stands in the small forms, by place: what was sent and came back, else the draft."""
    typed = {name: {key: values[0] for key, values in one.fields.items() if values} for name, one in drafts.items()}
    if add_to:
        typed["add-addendum"] = {**typed.get("add-addendum", {}), "refers_to": add_to}
    if attempt is not None:
        typed[attempt.place] = {name: values[0] for name, values in attempt.fields.items() if values}
    return typed


def _key_of(attempt: Attempt | None, place: str) -> str:
    """The key of a form: a new one; where it is not known whether it was taken, the one that it was sent with."""
    return attempt.key if attempt is not None and attempt.key and attempt.place == place else fresh_key()


def _errors(attempt: Attempt | None) -> dict[str, str]:
    """What is wrong with the fields of small forms, by the id of the field."""
    found = attempt.problems if attempt is not None else []
    return {f"{one['form']}-{one['field']}": one["text"] for one in found if one.get("form") and one["field"]}


def choices_of(words: Any, said: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """The words of the core's vocabulary as choices."""
    named = said or {}
    return [{"value": one, "label": named.get(one, plain(one).capitalize())} for one in get_args(words)]


async def _colleagues(visit: Visit, seen: Seen) -> list[dict[str, str]]:
    """Whom the episode may be offered to."""
    people = able_to_own(await visit.parts.rota.current(), seen.program.spec.owning_roles)
    return [
        {"value": one.id, "label": f"{one.name} ({', '.join(seen.words.role(role) for role in one.roles)})"}
        for one in people
        if one.id != seen.episode.owner
    ]
