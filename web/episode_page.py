"""The episode's page: put together from its face, its timeline, and the form that somebody is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from practice.drafts import Draft
from protocol.local_time import show_clock
from web import face, rescue, timeline
from web.access import authorize
from web.face import Look
from web.forms import FACT, Fields, step_form
from web.guard import Visit
from web.pages import fresh_key, page
from web.people import names_of
from web.seen import Seen


@dataclass
class Attempt:
    """A form that was sent: which act, its fields, and what came of it."""

    act: str
    fields: Fields
    problems: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    conflict: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    preview: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    previewed: bool = False
    key: str = ""
    """The same key again, when it is not known whether the first was taken."""

    @property
    def step(self) -> str:
        """The step that it is about."""
        return self.fields.get("step", [""])[0]


async def shown(
    request: Request, visit: Visit, seen: Seen, *, step: str = "", attempt: Attempt | None = None, status: int = 200
) -> Response:
    """The page, with what was typed when a form came back."""
    parts, now = visit.parts, visit.parts.clock()
    names = await names_of(parts)
    look = Look(seen, await parts.numbers.current(parts.directory), names, now)
    episode = seen.episode
    client = await parts.clients.get(episode.client_ref)
    rows = await timeline.rows_of(parts, episode.episode_id, episode.revision)
    drafts = await parts.drafts.under(visit.actor.account_id, episode.episode_id)
    acts = authorize(visit.actor, "episode.act", visit.target) and episode.closed_at is None
    asked = (attempt.step if attempt else "") or step
    stations = (
        rescue.stations(look, _typed_steps(attempt, drafts), rows, asked, _errors(attempt)) if look.in_danger else []
    )
    current = face.current_step(look, asked)
    if attempt is not None and attempt.step in {one["step"] for one in stations}:
        for one in attempt.problems:
            one["field"] = one["field"] and f"{attempt.step}-{one['field']}"
    form, saved = _form(look, current if current not in {one["step"] for one in stations} else "", attempt, drafts)
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
        may_act=acts,
        may_add=authorize(visit.actor, "episode.act", visit.target),
        may_rescue=authorize(visit.actor, "episode.emergency", visit.target) and episode.closed_at is None,
        drill=episode.drill,
        stale_since=seen.stale_since,
        banner=face.banner(look),
        stages=face.stepper(look),
        duties=face.duties(look),
        emergency=rescue.emergency(look),
        stations=stations,
        to_do=face.to_do(look),
        any_time=face.any_time(look),
        decisions=face.decisions(look),
        contacts=face.contacts(look),
        signatures=face.signatures(look),
        nexts=face.stages_named(look, seen.program.spec.stages[episode.stage].next),
        behind=face.stages_named(look, tuple(episode.left)),
        missing=seen.program.missing_steps(episode),
        risks=timeline.risk_history(look, rows),
        entries=timeline.entries(look, rows),
        colleagues=await _colleagues(visit, seen),
        form=form,
        saved=saved,
        attempt=attempt,
        key=(attempt.key if attempt else "") or fresh_key(),
        typed=_typed(attempt, drafts),
        connection_lost="connection" in seen.program.spec.facts
        and "lost" in seen.program.spec.facts["connection"].choices,
    )


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
    return step_form(program, episode, step, typed, _errors(attempt)), saved


def _errors(attempt: Attempt | None) -> dict[str, str]:
    """What is wrong with an answer, by its fact."""
    problems = attempt.problems if attempt is not None else []
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


def _typed(attempt: Attempt | None, drafts: dict[str, Draft]) -> dict[str, dict[str, str]]:
    """What stands in the small forms, by act: what was sent and came back, else the draft."""
    typed = {name: {key: values[0] for key, values in one.fields.items() if values} for name, one in drafts.items()}
    if attempt is not None:
        typed[attempt.act] = {name: values[0] for name, values in attempt.fields.items() if values}
        if attempt.step:
            typed[f"{attempt.act}/{attempt.step}"] = typed[attempt.act]
    return typed


async def _colleagues(visit: Visit, seen: Seen) -> list[dict[str, str]]:
    """Whom the episode may be offered to: those who have a role in its protocol."""
    people = (await visit.parts.rota.current()).people
    return [
        {"value": one.id, "label": f"{one.name} ({', '.join(seen.words.role(role) for role in one.roles)})"}
        for one in people
        if one.id != seen.episode.owner and any(role in seen.program.spec.roles for role in one.roles)
    ]
