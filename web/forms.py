"""Forms made from a protocol, and their answers read back. No rule: what does not fit the core refuses in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from protocol.answers import TAKE_BACK, Written, read_answers
from protocol.commands import FactValue
from protocol.elements import Fact
from protocol.episode import Episode
from protocol.program import Program
from protocol.words import cited, plain

FACT = "fact."
"""Before the name of a fact in the name of its field, so that no fact can pose as another field."""
MANY_CHOICES = 12
"""From so many on, choices stand in a list to choose from."""

Fields = Mapping[str, list[str]]


@dataclass(frozen=True)
class StepForm:
    """A step as a form."""

    step: str
    title: str
    purpose: str
    guidance: tuple[str, ...]
    techniques: tuple[dict[str, Any], ...]
    fields: tuple[dict[str, Any], ...]
    groups: tuple[dict[str, Any], ...] = field(default=())
    """Instruments given in this step: title, note, fields."""
    skippable: bool = False


def step_form(program: Program, episode: Episode, name: str, typed: Fields, errors: Mapping[str, str]) -> StepForm:
    """The form of a step: what is known stands in it, what was typed stands above that."""
    spec, step = program.spec, program.spec.steps[name]

    def one(fact: str, *, optional: bool = False) -> dict[str, Any]:
        return fact_field(program, episode, fact, typed, errors.get(fact, ""), optional=optional)

    asked = dict.fromkeys(step.form)
    groups = [
        {
            "title": spec.instruments[instrument].title,
            "note": f"{spec.instruments[instrument].edition}. What is not answered counts as positive.",
            "fields": [one(item, optional=True) for item, _ in program.asked[instrument] if item not in asked],
        }
        for instrument in step.instruments
    ]
    techniques = [
        {
            "title": spec.techniques[technique].title,
            "text": spec.techniques[technique].text,
            "source": cited(source) if (source := spec.techniques[technique].source) else "",
        }
        for technique in step.techniques
    ]
    fields = [one(fact) for fact in asked] + [one(fact, optional=True) for fact in step.optional if fact not in asked]
    return StepForm(
        name,
        step.title,
        step.purpose or "",
        step.guidance,
        tuple(techniques),
        tuple(fields),
        tuple(groups),
        skippable=bool(step.skip_cosigned_by),
    )


def asks(program: Program, step: str) -> frozenset[str]:
    """The facts that the form of a step asks for."""
    one = program.spec.steps[step]
    items = [item for name in one.instruments for item, _ in program.asked[name]]
    return frozenset((*one.form, *one.optional, *items))


def fact_field(
    program: Program, episode: Episode | None, name: str, typed: Fields, error: str = "", *, optional: bool = False
) -> dict[str, Any]:
    """A fact as the field macro shows it."""
    fact = program.spec.facts[name]
    choices = [{"value": one, "label": plain(one).capitalize()} for one in fact.choices]
    kind = "line" if fact.type == "text" and len(fact.ask) < 60 and "why" not in fact.ask.lower() else fact.type
    if fact.type == "choice" and len(choices) > MANY_CHOICES:
        kind = "select"
        choices = [{"value": "", "label": "Choose"}, *choices, {"value": TAKE_BACK, "label": "Not known"}]
    return {
        "name": FACT + name,
        "ask": fact.ask,
        "type": kind,
        "choices": choices,
        "value": _value(program, episode, name, fact, typed),
        "may_refuse": fact.may_refuse,
        "optional": optional,
        "hint": fact.help or "",
        "error": error,
        "unit": fact.unit,
        "minimum": fact.minimum if fact.type == "number" else None,
        "maximum": fact.maximum if fact.type == "number" else None,
    }


def _value(program: Program, episode: Episode | None, name: str, fact: Fact, typed: Fields) -> Any:
    written = typed.get(FACT + name)
    if written is not None:
        return written if fact.type == "several" else written[0]
    known = episode.facts.get(name) if episode is not None else None
    if known is None:
        return None
    if fact.type == "moment" and isinstance(known.value, str):
        return local_input(known.value, program.zone)
    return list(known.value) if isinstance(known.value, tuple) else known.value


def local_input(moment: str, zone: ZoneInfo) -> str:
    """A recorded moment as the browser's field for date and time takes it."""
    try:
        return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    except ValueError:
        return ""


def answers_of(program: Program, fields: Fields, now: datetime) -> dict[str, FactValue]:
    """The answers of a form, empty ones left out. A local time is on the day of `now` where it has none."""
    written: dict[str, Written] = {}
    for name, values in fields.items():
        given = [value.strip() for value in values if value.strip()]
        if not name.startswith(FACT) or not given:
            continue
        fact = program.spec.facts.get(name.removeprefix(FACT))
        several = fact is not None and fact.type == "several" and given != [TAKE_BACK] and given != ["refused"]
        written[name.removeprefix(FACT)] = tuple(given) if several else given[0]
    return read_answers(program.spec, written, program.zone, now)


def fields_of(items: Iterable[tuple[str, object]]) -> dict[str, list[str]]:
    """The fields of a sent form, by name; files are left out."""
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, str):
            fields.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\0", ""))
    return fields
