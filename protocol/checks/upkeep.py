"""Sources, people, calendar, and parts that nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from protocol.checks.ground import Ground
from protocol.checks.tables import reads_through, tables_read
from protocol.conditions import tests_in
from protocol.duties import DueTable, Evidence, Rung
from protocol.elements import Fact, Source
from protocol.findings import Finding, Path
from protocol.spec import RANK, Notice, Party, Property, Refusal

if TYPE_CHECKING:
    from protocol.elements import Instrument
    from protocol.spec import Decision, ProtocolSpec


CITED = re.compile(r"\[([A-Za-z0-9_.-]{1,40})[\],;]")
"""A reference cited within a text, such as `[S19]` or `[S19, grade B]`."""


def check_upkeep(ground: Ground) -> Iterator[Finding]:
    """What makes a protocol trustworthy and tidy."""
    yield from _sources(ground)
    yield from _dates(ground.spec)
    yield from _risk(ground)
    yield from _instruments(ground)
    for name, decision in ground.spec.decisions.items():
        yield from _decision(name, decision)
    yield from _small_parts(ground)
    yield from _unused(ground)


def _sources(ground: Ground) -> Iterator[Finding]:
    for path, source in ground.of(Source):
        if source.grade != "P" and not source.refs:
            message = f"grade {source.grade} means a published text, but none is named"
            yield Finding(path, message, "name it in `refs`, or use grade P: program policy")
    for path, fact in ground.of(Fact):
        if fact.bands and fact.source is None:
            yield Finding((*path, "bands"), "these numbers have no source", "add `source` to the fact", "warning")


def _dates(spec: ProtocolSpec) -> Iterator[Finding]:
    try:
        ZoneInfo(spec.time_zone)
    except (KeyError, ValueError, OSError):
        remedy = "use a name of the time zone database, such as America/Los_Angeles"
        yield Finding(("time_zone",), f"there is no time zone {spec.time_zone}", remedy)
    for day in spec.calendar.holidays if spec.calendar is not None else ():
        if not _is_day(day):
            yield Finding(("calendar", "holidays", day), f"{day} is not a day", "correct the date", about_key=True)
    for name, reference in spec.references.items():
        if reference.checked is not None and not _is_day(reference.checked):
            path = ("references", name, "checked")
            yield Finding(path, f"{reference.checked[:20]} is not a day", "write year-month-day, such as 2026-11-23")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _risk(ground: Ground) -> Iterator[Finding]:
    spec = ground.spec
    lowering, at = spec.risk.lowering, spec.emergency.at
    for position, name in enumerate(lowering.roles):
        role = spec.roles.get(name)
        if role is not None and not role.licensed:
            path = ("risk", "lowering", "roles", position)
            yield Finding(
                path, f"{name} is not licensed and may not lower a risk", "remove it here, or say `licensed: true`"
            )
    if lowering.step in spec.steps and lowering.step not in ground.doable:
        message = f"the step {lowering.step} is not placed in any stage, so the risk could never be lowered"
        yield Finding(("risk", "lowering", "step"), message, "say `any_stage: true` in the step")
    if lowering.requires is not None and lowering.requires_words is None:
        message = "lowering needs a condition, and nobody is told which"
        yield Finding(("risk", "lowering"), message, "say it in `requires_words`", "warning", about_key=True)
    if not any(RANK[rule.level] >= RANK[at] for rule in spec.risk.rules):
        message = f"no rule raises the risk to {at}, so the emergency never begins by itself"
        yield Finding(("risk", "rules"), message, f"add a rule of level {at}")
    if RANK[spec.risk.initial] >= RANK[at]:
        message = f"every episode would begin as an emergency: the risk begins at {spec.risk.initial}"
        yield Finding(("risk", "initial"), message, f"begin below {at}")


def _instruments(ground: Ground) -> Iterator[Finding]:
    spec = ground.spec
    named = {test.name for rule in spec.risk.rules for test in tests_in(rule.when.condition)}
    read = reads_through(named, tables_read(ground))
    for name, instrument in spec.instruments.items():
        path = ("instruments", name)
        if f"{name}.status" not in read:
            message = f"no risk rule reads `{name}.status`: an unfinished {instrument.title} would count as negative"
            remedy = f"add a risk rule with `{name}.status: unfinished`"
            yield Finding(path, message, remedy, "warning", about_key=True)
        yield from _score(ground, path, instrument)


def _score(ground: Ground, path: Path, instrument: Instrument) -> Iterator[Finding]:
    facts = ground.spec.facts
    score = facts.get(instrument.score or "")
    if score is None:
        return
    if score.type != "number":
        yield Finding((*path, "score"), f"the score `{instrument.score}` is not a number", "give it `type: number`")
    elif ground.adds_up(instrument):
        items = [facts[item.fact] for item in instrument.items]
        most, least = sum(item.maximum or 0 for item in items), sum(min(item.minimum or 0, 0) for item in items)
        if least < (score.minimum or 0) or most > (score.maximum or 0):
            message = f"the items add up to between {least} and {most}, outside the range of `{instrument.score}`"
            yield Finding((*path, "score"), message, "correct `minimum` and `maximum` of the score")
    elif instrument.score not in ground.asked:
        message = (
            f"`{instrument.score}` can't be added up, since not every item is a number, and nobody is asked for it"
        )
        yield Finding((*path, "score"), message, "ask for the score in a step, or make every item a number")


def _decision(name: str, decision: Decision) -> Iterator[Finding]:
    path = ("decisions", name)
    if decision.cosign == "below_advice" and (decision.advice is None or not decision.cosigned_by):
        message = "`below_advice` compares with an advice and needs somebody to sign"
        yield Finding((*path, "cosign"), message, "add `advice` and `cosigned_by`")


def _small_parts(ground: Ground) -> Iterator[Finding]:
    for path, notice in ground.of(Notice):
        if notice.when is None and not notice.mentions:
            yield Finding(path, "this notice is never raised", "add `when` or `mentions`", about_key=True)
    for path, party in ground.of(Party):
        if party.permitted is not None and party.refusal is None:
            message = "contact may be refused, and nobody is told why"
            yield Finding(path, message, "say it in `refusal`", "warning", about_key=True)
    for path, refusal in ground.of(Refusal):
        yield from _refusal(ground, path, refusal)
    for path, one in ground.of(Property):
        yield from _property(path, one)


def _refusal(ground: Ground, path: Path, refusal: Refusal) -> Iterator[Finding]:
    keys = [key for key, _ in refusal.act.happenings()]
    if keys and keys[0] not in ("done", "decided", "entered"):
        message = f"`{keys[0]}` can't be refused"
        yield Finding((*path, "act"), message, "refuse a step (`done`), a decision (`decided`) or a stage (`entered`)")
    elif not keys:
        yield Finding((*path, "act"), "no act is named", "name `done`, `decided` or `entered`")
    entered = ground.spec.stages.get(refusal.act.entered or "")
    if entered is not None and entered.kind != "open":
        message = f"the way to the stage {refusal.act.entered} can't be refused"
        yield Finding((*path, "act"), message, "use `closing.requires` for closing; nothing may refuse an emergency")
    if refusal.act.when is None:
        yield Finding((*path, "act"), "this is refused always", "say `when`", "warning")


def _property(path: Path, one: Property) -> Iterator[Finding]:
    if (one.never is None) == (one.always is None):
        yield Finding(path, "a property says either `never` or `always`", "write one of them", about_key=True)
    elif (one.always is not None) != bool(one.owed):
        yield Finding(path, "`always` goes with `owed`", "name the obligations, one of which is owed", about_key=True)


def _unused(ground: Ground) -> Iterator[Finding]:
    spec = ground.spec
    used = _used_names(ground)
    for section, what, remedy in (
        ("roles", "nobody in the protocol has the role", "name it in a step, an obligation or a ladder, or delete it"),
        ("ladders", "no obligation uses the ladder", "delete it, or name it in an obligation"),
        ("instruments", "no step gives the instrument", "name it in `instruments` of a step, or delete it"),
        ("techniques", "no step shows the technique", "name it in `techniques` of a step, or delete it"),
        ("tables", "nothing reads the table", "read it in a condition, a due time or as advice, or delete it"),
        ("references", "nothing cites the reference", "cite it in a source, or delete it"),
    ):
        if section.removesuffix("s") in ground.lost:
            continue  # what was meant by the name that leads nowhere
        for name in getattr(spec, section):
            if name not in used[section]:
                yield Finding((section, name), f"{what} `{name}`", remedy, "warning", about_key=True)
    for name in spec.steps:
        if name not in ground.doable:
            message = f"the step `{name}` is not placed in any stage"
            yield Finding(
                ("steps", name), message, "place it in a stage, or say `any_stage: true`", "warning", about_key=True
            )
    for name in spec.facts if "fact" not in ground.lost else ():
        if name not in ground.asked:
            message = f"nobody is asked for `{name}`"
            yield Finding(("facts", name), message, "ask for it in a step, or delete it", "warning", about_key=True)


def _used_names(ground: Ground) -> dict[str, set[str]]:
    spec = ground.spec
    steps, obligations = spec.steps.values(), spec.obligations.values()
    read = {test.name for _, guard in ground.guards for test in tests_in(guard.condition)}
    roles = [
        *(role for step in steps for role in (*step.roles, *step.skip_cosigned_by)),
        *(role for one in obligations for role in (one.owner, *one.waived_by)),
        *(role for one in spec.decisions.values() for role in (*one.roles, *one.cosigned_by)),
        *(rung.page for _, rung in ground.of(Rung)),
        *(evidence.acknowledged for _, evidence in ground.of(Evidence) if evidence.acknowledged),
        *spec.risk.lowering.roles,
        *spec.closing.roles,
        *spec.owners,
    ]
    return {
        "roles": set(roles),
        "ladders": {one.ladder for one in obligations},
        "instruments": {name for step in steps for name in step.instruments},
        "techniques": {name for step in steps for name in step.techniques},
        "tables": {
            *read,
            *(due.by for _, due in ground.of(DueTable)),
            *(one.advice for one in spec.decisions.values() if one.advice),
        },
        "references": {
            *(ref for _, source in ground.of(Source) for ref in source.refs),
            *(ref for text in ground.texts for ref in CITED.findall(text)),
        },
    }
