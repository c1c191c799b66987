"""Checks a scenario against its protocol before it is played: every name exists, every time can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from protocol import events
from protocol.answers import TAKE_BACK
from protocol.findings import Finding, Path
from protocol.local_time import to_utc
from protocol.rota import Person, Rota
from protocol.spec import LEVELS, ProtocolSpec
from protocol.vocabulary import vocabulary
from rehearsal.naming import answers, known, misnamed
from rehearsal.scenario import Entry, Expectation, Opening, Scenario
from rehearsal.script import Cue, ScenarioError, timeline

EVENT_KINDS = frozenset(event.__name__ for event in get_args(events.Event))


def rota_of(spec: ProtocolSpec, scenario: Scenario) -> Rota:
    """The people of a scenario as a rota, in the protocol's time zone."""
    people = tuple(
        Person(
            id=name,
            name=name.capitalize(),
            roles=(role,),
            email=f"{name}@clinic.example",
            licensed=(licensed := role in spec.roles and spec.roles[role].licensed),
            licensed_in=("CA",) if licensed else (),
        )
        for name, role in scenario.people.items()
    )
    return Rota(time_zone=spec.time_zone, people=people, shifts=scenario.rota.shifts, leave=scenario.rota.leave)


def problems(spec: ProtocolSpec, scenario: Scenario) -> tuple[Finding, ...]:
    """Everything that keeps a scenario from being played as it was meant, in the order of the file.

    Names that a command carries are left to the core where the scenario wants it to refuse them.
    """
    return tuple(_problems(spec, scenario))


def _problems(spec: ProtocolSpec, scenario: Scenario) -> Iterator[Finding]:
    if scenario.protocol != spec.protocol:
        message = f"this scenario is for {scenario.protocol}, not for {spec.protocol}"
        yield Finding(("protocol",), message, "play it against its own protocol, or change the name here")
    for person, role in scenario.people.items():
        yield from known(("people", person), role, spec.roles, "role of the protocol")
    try:
        rota_of(spec, scenario)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        yield Finding(("rota",), message, "the rota may only name `people` of the scenario, in their own role")
    try:
        cues = timeline(spec, scenario)
    except ScenarioError as error:
        yield error.finding
    else:
        for cue in cues:
            yield from _times(spec, cue)
            yield from misnamed(spec, scenario, cue)
            if cue.entry.expect is not None:
                yield from answers(spec, (*cue.path, "expect", "facts"), cue.entry.expect.facts, cue.at)
    yield from _entry(spec, scenario, ("open",), scenario.open)
    for place, entry in enumerate(scenario.steps):
        yield from _entry(spec, scenario, ("steps", place), entry)


def _times(spec: ProtocolSpec, cue: Cue) -> Iterator[Finding]:
    """Times within an entry that are none, such as one that the clocks skip."""
    written: dict[Path, str | None] = {}
    if isinstance(cue.entry, Entry):
        written[("occurred",)] = cue.entry.occurred
    if cue.entry.expect is not None:
        written |= {("expect", "open", name): one.due for name, one in cue.entry.expect.open.items()}
        written |= {("expect", "pages", place): one.at for place, one in enumerate(cue.entry.expect.pages)}
    for path, text in written.items():
        try:
            to_utc(text or "00:00Z", ZoneInfo(spec.time_zone), cue.at)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            yield Finding((*cue.path, *path), message, remedy)


def _entry(spec: ProtocolSpec, scenario: Scenario, path: Path, entry: Opening | Entry) -> Iterator[Finding]:
    if entry.by is not None:
        yield from known((*path, "by"), entry.by, scenario.people, "person in `people`")
    if entry.expect is not None:
        yield from _expectation(spec, (*path, "expect"), entry.expect)


def _expectation(spec: ProtocolSpec, path: Path, expect: Expectation) -> Iterator[Finding]:
    if expect.risk is not None:
        yield from known((*path, "risk"), expect.risk, LEVELS, "level")
    if expect.stage is not None:
        yield from known((*path, "stage"), expect.stage, spec.stages, "stage of the protocol")
    obligations = {"open": expect.open, "not_open": expect.not_open, "ended": expect.ended}
    pages = {("pages", place): [page.obligation] for place, page in enumerate(expect.pages)}
    for key, names in {**{(key,): list(names) for key, names in obligations.items()}, **pages}.items():
        for name in names:
            yield from known((*path, *key), name, spec.obligations, "obligation of the protocol")
    readable = vocabulary(spec)
    for name, value in expect.values.items():
        if name in readable and isinstance(value, str) and (values := readable[name].values):
            yield from known((*path, "values", name), value, (*values, TAKE_BACK), f"value of {name}")
    for key, names, all_names, what in (
        ("values", expect.values, readable, "name that a condition can read"),
        ("notices", expect.notices, spec.notices, "notice of the protocol"),
        ("holds", expect.holds, spec.properties, "property of the protocol"),
        ("events", expect.events, EVENT_KINDS, "kind of event"),
        ("never_events", expect.never_events, EVENT_KINDS, "kind of event"),
    ):
        for name in names:
            yield from known((*path, key), name, all_names, what)
