"""The search for a place: which facilities were asked, what they answered, and the form to ask one more.

The protocol reads so many askings as its step has places for; every asking stays in the trail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from practice.facilities import Kept
from protocol.trail import TrailRow
from web.face import Look
from web.forms import FACT, Fields, fact_field
from web.rescue import answered, written

NAME = re.compile(r"(\w+)_name")


def step_of(look: Look) -> str:
    """The step in which facilities are asked; empty where the protocol has none."""
    told = look.seen.program.spec.pages.step_up
    return (told.search or "") if told is not None else ""


def slots(look: Look) -> list[list[str]]:
    """The facts of each place of the step: name first, then when, whom, and the answer."""
    spec, name = look.seen.program.spec, step_of(look)
    asked = (*spec.steps[name].form, *spec.steps[name].optional) if name else ()
    prefixes = [found[1] for name in asked if (found := NAME.fullmatch(name)) is not None]
    return [[name for name in asked if name.startswith(f"{prefix}_")] for prefix in prefixes]


def slot_for(look: Look, facility: str) -> int | None:
    """Where an asking of this facility goes: where it stood before, a free place, else the oldest without an offer."""
    facts = look.seen.episode.facts
    found = slots(look)
    held = [facts.get(names[0]) for names in found]
    for number, known in enumerate(held):
        if known is not None and known.value == facility:
            return number
    for number, known in enumerate(held):
        if known is None:
            return number
    told = look.seen.program.spec.pages.step_up
    offered = told.offered if told is not None else None
    full = [
        (known.at, number)
        for number, known in enumerate(held)
        if known is not None and not any((one := facts.get(name)) and one.value == offered for name in found[number])
    ]
    return min(full)[1] if full else None


def draft_of(look: Look, kept: Kept) -> str:
    """Where is kept what somebody types of an asking."""
    return f"complete-step/{step_of(look)}/{kept.facility_id}"


def asking(look: Look, kept: Kept, drafts: Mapping[str, Fields]) -> dict[str, Any] | None:
    """The form to ask a facility, with what was typed and not sent.

    None where every place holds an offer, or the protocol has no such step.
    """
    number = slot_for(look, kept.facility.name)
    if number is None:
        return None
    program, episode, found = look.seen.program, look.seen.episode, slots(look)
    now = look.now.astimezone(program.zone).strftime("%Y-%m-%dT%H:%M")
    name, *rest = found[number]
    fresh = {FACT + one: [now] if program.spec.facts[one].type == "moment" else [""] for one in rest}
    typed = _typed(found, number, kept.facility.name, drafts.get(draft_of(look, kept), {}))
    return {
        "hidden": {
            **held_by(look, (one for other, names in enumerate(found) if other != number for one in names)),
            FACT + name: kept.facility.name,
        },
        "fields": [fact_field(program, episode, one, {**fresh, **typed}) for one in rest],
        "draft": draft_of(look, kept),
        "typed": bool(typed),
    }


def _typed(found: list[list[str]], number: int, facility: str, draft: Fields) -> Fields:
    """What was typed of an asking, for the place it would go to now: another may have been taken meanwhile."""
    own = next((names for names in found if draft.get(FACT + names[0]) == [facility]), None)
    if own is None:
        return {}
    pairs = zip(own[1:], found[number][1:], strict=True)
    return {FACT + here: draft[FACT + there] for there, here in pairs if FACT + there in draft}


def held_by(look: Look, names: Iterable[str]) -> Mapping[str, str]:
    """What is recorded of these facts, as a form sends it: the step asks for all of them again."""
    facts, program = look.seen.episode.facts, look.seen.program
    found: dict[str, str] = {}
    for name in names:
        if name in facts:
            value = fact_field(program, look.seen.episode, name, {})["value"]
            found[FACT + name] = str(value)
    return found


def asked(look: Look, rows: Iterable[TrailRow]) -> list[dict[str, str]]:
    """Every asking, the latest first, with what was said in it."""
    step = step_of(look)
    found = [one for one in written(look, rows) if one["step"] == step]
    record = look.seen.episode.steps.get(step)
    if record is not None and record.at.isoformat() not in {one["iso"] for one in found}:  # the records lag a moment
        found.append({"at": look.at(record.at), "text": answered(look, step), "by": ""})
    return found[::-1]
