"""Every name that a protocol uses is declared, and declared once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from protocol.checks.ground import Ground, entries
from protocol.duties import DueMoment, DueTable, Evidence, Obligation, Rung, Trigger
from protocol.elements import Element, Fact, Instrument, Item, Row, Source, Table
from protocol.findings import Finding, Path, did_you_mean
from protocol.pages import Pages, PlanPages, Press, StepUpPages
from protocol.script import blanks
from protocol.spec import (
    Closing,
    CrisisType,
    Decision,
    Emergency,
    Lowering,
    Outcome,
    Party,
    Property,
    ProtocolSpec,
    Stage,
    StageStep,
    Step,
)

USES: dict[type[Element], dict[str, str]] = {
    Source: {"refs": "reference"},
    Item: {"fact": "fact"},
    Instrument: {"score": "fact"},
    Step: {
        "form": "fact",
        "optional": "fact",
        "sets": "fact",
        "instruments": "instrument",
        "techniques": "technique",
        "roles": "role",
        "after": "step",
        "skip_cosigned_by": "role",
    },
    StageStep: {"step": "step"},
    Stage: {"next": "stage"},
    Lowering: {"step": "step", "roles": "role"},
    Emergency: {"stage": "stage"},
    Decision: {"advice": "table", "shows": "fact", "roles": "role", "cosigned_by": "role"},
    Party: {"on_reached": "fact"},
    CrisisType: {"adds": "stage"},
    Outcome: {"requires": "requirement"},
    Closing: {"roles": "role"},
    Property: {"owed": "obligation"},
    Rung: {"page": "role to page"},
    Obligation: {"owner": "owner", "ladder": "ladder", "waived_by": "role"},
    DueMoment: {"moment": "fact"},
    DueTable: {"by": "readable name"},
    Trigger: {
        "entered": "stage",
        "done": "step",
        "decided": "decision",
        "opened": "obligation",
        "met": "obligation",
        "missed": "obligation",
        "waived": "obligation",
        "reached": "party",
        "not_reached": "party",
    },
    Evidence: {
        "reached": "party",
        "attempted": "party",
        "done": "step",
        "decided": "decision",
        "refreshed": "fact or instrument",
        "left": "stage",
        "acknowledged": "role",
    },
    Pages: {"banner": "fact", "address": "fact", "county": "fact", "callback": "fact", "given": "fact"},
    Press: {"fact": "fact"},
    PlanPages: {"written_in": "step", "reviewed_in": "step"},
    StepUpPages: {"decision": "decision", "steps": "step", "search": "step"},
    ProtocolSpec: {"initial": "stage", "owners": "role"},
}
"""Which keys name what."""

ARTICLED = {
    "instrument": "an instrument",
    "obligation": "an obligation",
    "owner": "a role",
    "role to page": "a role",
}

BUILT_IN = ("risk", "peak_risk", "stage", "handover", "cosignature")
RESERVED_ROLES = ("owner", "addressee", "system")


def check_names(ground: Ground) -> Iterator[Finding]:
    """References that lead nowhere and names that are taken. Tells the ground which kinds of names lead nowhere."""
    declared = _declared(ground)
    for path, element in ground.elements:
        for key, kind in USES.get(type(element), {}).items():
            used = list(_used(getattr(element, key), (*path, key)))
            for place, name in used:
                if name not in declared[kind]:
                    ground.lost.add(kind)
                    message = f"`{name}` is not {ARTICLED.get(kind, f'a {kind}')} of this protocol"
                    yield Finding(place, message, did_you_mean(name, declared[kind]))
            yield from _twice(used)
    yield from _added_steps(ground)
    yield from _options(ground)
    yield from _outcomes(ground)
    yield from _recorded_values(ground)
    yield from _pressed(ground)
    yield from _searched(ground.spec)
    yield from _script(ground.spec)
    yield from _clashes(ground.spec)


def _twice(used: Sequence[tuple[Path, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for place, name in used:
        if isinstance(place[-1], int) and name in seen:
            yield Finding(place, f"`{name}` stands twice in this list", "delete one of them", "warning")
        seen.add(name)


def _declared(ground: Ground) -> Mapping[str, Collection[str]]:
    spec = ground.spec
    return {
        "reference": spec.references,
        "fact": spec.facts,
        "instrument": spec.instruments,
        "fact or instrument": [*spec.facts, *spec.instruments],
        "technique": spec.techniques,
        "role": spec.roles,
        "owner": [*spec.roles, "owner"],
        "role to page": [*spec.roles, "owner", "addressee"],
        "step": spec.steps,
        "stage": spec.stages,
        "table": spec.tables,
        "party": spec.parties,
        "decision": spec.decisions,
        "ladder": spec.ladders,
        "obligation": spec.obligations,
        "requirement": spec.closing.requires,
        "readable name": ground.domains,
    }


def _used(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """The names in a value: one, several, or the keys of a mapping."""
    if isinstance(value, str):
        yield path, value
    elif value is not None:
        yield from (((*path, key), str(name)) for key, name in _names_in(value))


def _names_in(value: Any) -> Iterator[tuple[str | int, Any]]:
    return ((key, key if isinstance(key, str) else name) for key, name in entries(value))


def _added_steps(ground: Ground) -> Iterator[Finding]:
    known = ground.spec.steps
    for path, crisis_type in ground.of(CrisisType):
        for stage, steps in crisis_type.adds.items():
            for position, step in enumerate(steps):
                if step not in known:
                    message = f"`{step}` is not a step of this protocol"
                    yield Finding((*path, "adds", stage, position), message, did_you_mean(step, known))


def _options(ground: Ground) -> Iterator[Finding]:
    """Options named by triggers and evidence, and the outcomes of a table that advises."""
    decisions = ground.spec.decisions
    for path, element in ground.of(Trigger, Evidence):
        decision = decisions.get(element.decided or "")
        for position, option in enumerate(element.options):
            if decision is not None and option not in decision.options:
                message = f"`{option}` is not an option of {element.decided}"
                yield Finding((*path, "options", position), message, did_you_mean(option, decision.options))
    for name, decision in decisions.items():
        table = ground.spec.tables.get(decision.advice or "")
        for outcome in table.outcomes if table is not None else ():
            if outcome not in decision.options:
                message = f"the advice may be `{outcome}`, which is not an option of {name}"
                remedy = "add the option, or use the options as the outcomes of the table"
                yield Finding(("decisions", name, "advice"), message, remedy)


def _outcomes(ground: Ground) -> Iterator[Finding]:
    """Outcomes of table rows, and the values that unknown stands for."""
    for path, row in ground.of(Row):
        table: Table = ground.spec.tables[str(path[1])]
        if row.then not in table.outcomes:
            message = f"`{row.then}` is not an outcome of this table"
            yield Finding((*path, "then"), message, did_you_mean(row.then, table.outcomes))
    for path, table in ground.of(Table):
        for name, value in table.unknown_as.items():
            place = (*path, "unknown_as", name)
            domain = ground.domains.get(name)
            if domain is None:
                message = f"nothing is called `{name}`"
                yield Finding(place, message, did_you_mean(name, ground.domains), about_key=True)
            elif value not in domain.values:
                yield Finding(place, f"`{name}` is never `{value}`", did_you_mean(value, domain.values))
            elif not domain.may_be_unknown:
                yield Finding(place, f"`{name}` is never unknown", "delete this line", "warning", about_key=True)


def _script(spec: ProtocolSpec) -> Iterator[Finding]:
    """What stands in braces in the words for the emergency service is a fact."""
    for position, line in enumerate(spec.emergency.script):
        for name in blanks(line):
            if name not in spec.facts:
                message = f"`{{{name}}}` is not a fact of this protocol"
                yield Finding(("emergency", "script", position), message, did_you_mean(name, spec.facts))


def _recorded_values(ground: Ground) -> Iterator[Finding]:
    """Values that steps and contacts record by themselves fit their facts."""
    for path, element in ground.of(Step, Party):
        key = "sets" if isinstance(element, Step) else "on_reached"
        for name, value in getattr(element, key).items():
            fact = ground.spec.facts.get(name)
            if fact is not None and (wrong := _unfit(name, fact, value)):
                yield Finding((*path, key, name), *wrong)


def _pressed(ground: Ground) -> Iterator[Finding]:
    """What one press records fits its fact."""
    for path, press in ground.of(Press):
        fact = ground.spec.facts.get(press.fact)
        if fact is not None and (wrong := _unfit(press.fact, fact, press.answer)):
            yield Finding((*path, "answer"), *wrong)


def _searched(spec: ProtocolSpec) -> Iterator[Finding]:
    """The step in which facilities are asked has places for them, and the answer that means an offer exists."""
    way = spec.pages.step_up
    step = spec.steps.get(way.search or "") if way is not None else None
    if way is None or step is None:
        return
    asked = (*step.form, *step.optional)
    if not any(name.endswith("_name") for name in asked):
        message = f"{way.search} has no place for a facility"
        remedy = "add facts that begin alike, the first of them `…_name`: `first_name`, `first_answer`"
        yield Finding(("pages", "step_up", "search"), message, remedy)
    answers = {one for name in asked if name in spec.facts for one in spec.facts[name].choices}
    if way.offered is not None and way.offered not in answers:
        message = f"`{way.offered}` is not an answer of {way.search}"
        yield Finding(("pages", "step_up", "offered"), message, did_you_mean(way.offered, answers))


def _unfit(name: str, fact: Fact, value: str) -> tuple[str, str] | None:
    if value == "unknown" or (value == "refused" and fact.may_refuse):
        return None
    match fact.type:
        case "yes_no" | "choice":
            values = ("yes", "no") if fact.type == "yes_no" else fact.choices
            return None if value in values else (f"`{name}` is never `{value}`", did_you_mean(value, values))
        case "text":
            return None
        case _:
            return f"`{name}` can't be recorded by itself", "only yes_no, choice and text facts can; ask for the others"


def _clashes(spec: ProtocolSpec) -> Iterator[Finding]:
    """Names that conditions, co-signatures or pages could take for one another."""
    owners: dict[str, str] = dict.fromkeys(BUILT_IN, "a built-in name")
    for section in ("facts", "tables", "decisions"):
        for name in getattr(spec, section):
            if name in owners:
                message = f"conditions can't tell this `{name}` from {owners[name]}"
                yield Finding((section, name), message, "rename it", about_key=True)
            owners.setdefault(name, f"the one in {section}")
    for name in spec.decisions.keys() & spec.steps.keys():
        message = f"`{name}` is a step and a decision; a co-signature could not tell them apart"
        yield Finding(("decisions", name), message, "rename one of them", about_key=True)
    for name in RESERVED_ROLES:
        if name in spec.roles:
            yield Finding(("roles", name), f"`{name}` has a meaning of its own", "rename the role", about_key=True)
