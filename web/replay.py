"""An episode as an auditor reads it: entry by entry from the records alone, every decision made anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import Response

from audit.history import History, HistoryError, history
from audit.sealing import UnknownKeyError
from protocol import events as e
from protocol.account import Entry
from protocol.conformance import End, judge_steps
from protocol.conformance import Kind as Deviating
from protocol.local_time import show_span, show_time
from protocol.words import Words, person
from web.access import authorize
from web.errors import NotTold
from web.guard import May, Visit
from web.looks import REPLAYED
from web.pages import page

router = APIRouter(include_in_schema=False)

AROUND = 12
"""Entries shown before the chosen one."""

ENDS = {
    "met": "done in time, but written down only after the deadline",
    "met_late": "done late",
    "waived": "waived",
    "owed": "still owed where the trail ends",
}
GRAVE = (e.DeadlineMissed, e.CommandRefused, e.NoticeRaised, e.PageRequested)
MILESTONES = (e.StageEntered, e.StepCompleted, e.DecisionRecorded, e.ContactMade, e.ObligationMet, e.EpisodeClosed)


@router.get("/audit/episodes/{episode_id}")
async def replay(
    request: Request,
    episode_id: str,
    visit: Annotated[Visit, Depends(May("audit.read", REPLAYED))],
    at: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """One episode at one of its entries. Temporal is not asked."""
    try:
        told = await history(visit.parts.database, visit.parts.ring, episode_id, visit.parts.witness)
    except (HistoryError, UnknownKeyError) as error:
        raise NotTold(str(error)) from None
    if not told.entries:
        return await page(request, "replay_stopped.html", told=told)
    at = min(at, len(told.entries))
    words, entry = Words(told.spec), told.entries[at - 1]
    return await page(
        request,
        "replay.html",
        told=told,
        entry=entry,
        at=at,
        last=len(told.entries),
        shown=[_line(one, words, at) for one in told.entries[max(0, at - AROUND) : at]],
        by=f"{person(entry.actor)}, {words.role(entry.role)}" if entry.role != "system" else "Holdfast",
        facts=list(known_facts(told, entry, words)),
        time=partial(show_time, zone=words.zone),
        span=show_span,
        breaches=[(breach, ENDS[breach.end]) for breach in told.breaches],
        raw=json.dumps(to_jsonable_python(asdict(entry.event)), indent=2, ensure_ascii=False),
        jumps=jumps(told, at),
        stages=list(stages_at(told, entry)),
        may_export=authorize(visit.actor, "audit.export"),
        kept=kept(told),
    )


DEVIATIONS: dict[Deviating, str] = {
    "skipped": "step left out",
    "left_undone": "left undone",
    "out_of_order": "out of order",
    "late_entry": "late entry",
    "waived": "deadline waived",
    "against_table": "against the advice",
    "exception": "outside the consent",
    "refused": "refused",
    "differs": "not what the protocol asks for",
}
HOW: dict[End, str] = {
    "met": "done in time",
    "met_late": "done late",
    "waived": "waived",
    "superseded": "replaced by another",
    "owed": "still owed",
}


def kept(told: History) -> dict[str, Any]:
    """What the episode kept of its protocol and what not, as far as it is told."""
    one = judge_steps(told.spec, told.steps)
    ends = Counter(owed.end for owed in one.deadlines.values())
    return {
        "deadlines": [(HOW[end], ends[end]) for end in HOW if ends[end]],
        "missed": sum(owed.missed for owed in one.deadlines.values()),
        "deviations": [(DEVIATIONS[found.kind], found) for found in one.deviations],
    }


def jumps(told: History, at: int) -> dict[str, int | None]:
    """Where the arrows lead: one entry, one act of somebody, the first breach."""
    entries = told.entries
    step = entries[at - 1].step
    following = next((one.sequence for one in entries[at:] if one.step != step), None)
    before = entries[at - 2] if at > 1 else None
    earlier = None if before is None else (before.step if before.step != step or step == at else step)
    return {
        "first": 1 if at > 1 else None,
        "back": at - 1 if at > 1 else None,
        "on": at + 1 if at < len(entries) else None,
        "act_back": earlier,
        "act_on": following,
        "breach": told.breaches[0].missed if told.breaches else None,
        "end": len(entries) if at < len(entries) else None,
    }


def known_facts(told: History, entry: Entry, words: Words) -> Iterator[dict[str, Any]]:
    """What was known after an entry, in the order of the protocol; what its act brought is marked."""
    for name, fact in told.spec.facts.items():
        known = entry.state.facts.get(name)
        if known is not None:
            new = known.sequence >= entry.step
            yield {"ask": fact.ask, "answer": words.answer(known.value), "sud": fact.sud, "new": new}


def stages_at(told: History, entry: Entry) -> Iterator[dict[str, str]]:
    """The stages of the protocol as a stepper."""
    words, passed = Words(told.spec), False
    for name, stage in told.spec.stages.items():
        here = words.stage(name) == entry.state.stage
        passed = passed or here
        if stage.kind == "emergency" and not here:
            continue
        state = ("sos" if stage.kind == "emergency" else "now") if here else "ahead" if passed else "done"
        yield {"title": stage.title, "state": state}


def _line(entry: Entry, words: Words, at: int) -> dict[str, Any]:
    event = entry.event
    grave = isinstance(event, e.EmergencyDeclared) or (isinstance(event, e.RiskRaised) and event.level == "imminent")
    kind = "sos" if grave else "warn" if isinstance(event, GRAVE) else "key" if isinstance(event, MILESTONES) else ""
    late = entry.late is not None and entry.sequence == entry.step
    return {
        "sequence": entry.sequence,
        "at": show_time(entry.known_at, words.zone),
        "iso": entry.known_at.isoformat(),
        "who": person(entry.actor) if entry.role != "system" else "Holdfast",
        "label": entry.line.label,
        "text": entry.line.text,
        "kind": kind,
        "late": show_span(entry.late) if late and entry.late is not None else "",
        "addendum_to": entry.refers_to,
        "here": entry.sequence == at,
    }
