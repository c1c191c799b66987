"""What a person sees of one episode: where it stands, what is owed, what to do next, whom to call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from protocol.directory import Directory, Guidance, look_up
from protocol.episode import Episode, OpenObligation
from protocol.facts import describe
from protocol.local_time import show_span, show_time
from protocol.program import Program
from protocol.script import spoken
from protocol.spec import RANK
from protocol.words import Words, cited, person
from rehearsal.expectations import COUNTY

BANNER_FACTS = ("present_address", "present_county", "callback_number")
"""What must stand before the person at any moment, where the protocol asks for it."""
LONGEST_ANSWER = 120
"""Columns for what may be answered; JSON has all of it."""
URGENT = 30 * 60
"""Seconds before a deadline from which it is marked as near."""


@dataclass(frozen=True)
class Duty:
    """An open obligation as a row."""

    obligation_id: str
    title: str
    due_at: datetime
    left: str
    """`12 min left` or `5 min OVERDUE`."""
    owner: str
    next_page: str
    source: str
    overdue: bool
    near: bool


@dataclass(frozen=True)
class Question:
    """A fact that a step asks for."""

    fact: str
    ask: str
    answer_with: str
    known: str | None


@dataclass(frozen=True)
class ToDo:
    """A step that is still to be done in this stage."""

    step: str
    title: str
    required: bool
    roles: tuple[str, ...]
    questions: tuple[Question, ...]
    guidance: tuple[str, ...]


@dataclass(frozen=True)
class Face:
    """An episode as one looks at it now. Times are aware UTC."""

    episode_id: str
    client_ref: str
    drill: bool
    protocol: str
    version: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    owner: str
    offered_to: str | None
    stage: str
    stages: tuple[str, ...]
    risk: str
    peak_risk: str
    revision: int
    where: dict[str, str]
    duties: tuple[Duty, ...]
    todo: tuple[ToDo, ...]
    next_stages: tuple[str, ...]
    script: tuple[str, ...]
    resources: Guidance


def face_of(program: Program, episode: Episode, directory: Directory, now: datetime) -> Face:
    """The face of an episode at `now` (aware UTC)."""
    spec, words = program.spec, Words(program.spec)
    county = episode.facts.get(COUNTY)
    place = county.value if county is not None and isinstance(county.value, str) else None
    in_danger = spec.stages[episode.stage].kind == "emergency" or RANK[episode.risk] >= RANK[spec.emergency.at]
    return Face(
        episode_id=episode.episode_id,
        client_ref=episode.client_ref,
        drill=episode.drill,
        protocol=spec.title,
        version=episode.protocol_version,
        opened_at=episode.opened_at,
        closed_at=episode.closed_at,
        outcome=episode.outcome,
        owner=episode.owner,
        offered_to=episode.handover.to if episode.handover else None,
        stage=episode.stage,
        stages=tuple(name for name, stage in spec.stages.items() if stage.kind == "open" or name == episode.stage),
        risk=episode.risk,
        peak_risk=episode.peak_risk,
        revision=episode.revision,
        where={
            name: words.answer(episode.facts[name].value) if name in episode.facts else "NOT RECORDED"
            for name in BANNER_FACTS
            if name in spec.facts
        },
        duties=tuple(duties_of(words, episode, now)),
        todo=() if episode.closed_at else tuple(_todo(program, episode)),
        next_stages=spec.stages[episode.stage].next,
        script=spoken(spec, episode.facts),
        resources=look_up(directory, place, now.astimezone(words.zone).date(), life_in_danger=in_danger),
    )


def duties_of(words: Words, episode: Episode, now: datetime) -> Iterator[Duty]:
    """What is owed at `now` (aware UTC), the earliest first."""
    for owed in sorted(episode.obligations.values(), key=lambda owed: owed.due_at):
        left = owed.due_at - now
        overdue = left.total_seconds() <= 0
        declared = words.spec.obligations.get(owed.obligation)
        yield Duty(
            obligation_id=owed.obligation_id,
            title=words.obligation(owed.obligation),
            due_at=owed.due_at,
            left=f"{show_span(left)} {'OVERDUE' if overdue else 'left'}",
            owner=person(episode.owner) if owed.owner == "owner" else words.role(owed.owner),
            next_page=_next_page(words, owed, now),
            source=cited(declared.source) if declared else "",
            overdue=overdue,
            near=left.total_seconds() <= URGENT,
        )


def _next_page(words: Words, owed: OpenObligation, now: datetime) -> str:
    rungs = owed.ladder.rungs
    rung = rungs[min(owed.rung + 1, len(rungs) - 1)]
    role = words.role(owed.owner if rung.page == "owner" else rung.page)
    calm = f"; {person(owed.acknowledged_by)} is on it" if owed.acknowledged_by else ""
    return f"{role} at {show_time(owed.next_page_at, words.zone, now)}{calm}"


def _todo(program: Program, episode: Episode) -> Iterator[ToDo]:
    for placed in program.placed[episode.stage]:
        if placed.step in episode.steps or not placed.applies(episode):
            continue
        step = program.spec.steps[placed.step]
        asked = (*step.form, *(item for name in step.instruments for item, _ in program.asked[name]))
        yield ToDo(
            step=placed.step,
            title=step.title,
            required=placed.required,
            roles=step.roles,
            questions=tuple(_question(program, episode, name) for name in dict.fromkeys(asked)),
            guidance=step.guidance,
        )


def _question(program: Program, episode: Episode, name: str) -> Question:
    fact, known = program.spec.facts[name], episode.facts.get(name)
    answer = Words(program.spec).answer(known.value) if known is not None else None
    return Question(name, fact.ask, describe(fact), answer)


def drawn(face: Face, words: Words, now: datetime) -> RenderableType:
    """The face for a terminal. Nothing is said by colour alone."""
    parts: list[RenderableType] = [_banner(face, words, now), _stages(face, words)]
    if face.duties:
        parts += [Text("\nOwed", style="bold"), _duty_table(face, words, now)]
    for todo in face.todo:
        parts += [_todo_heading(todo), _todo_form(todo)]
    parts += [Text("\nWhom to call", style="bold"), *_resources(face.resources)]
    parts += [Text("\nWhat to say to the emergency service", style="bold"), *(Text(f"  {one}") for one in face.script)]
    return Group(*parts)


def _banner(face: Face, words: Words, now: datetime) -> Text:
    drill = "DRILL · " if face.drill else ""
    text = Text(f"{drill}Episode {face.episode_id} · client {face.client_ref}\n", style="bold")
    opened = show_time(face.opened_at, words.zone, now)
    offered = f", offered to {person(face.offered_to)}" if face.offered_to else ""
    text.append(
        f"{face.protocol} {face.version} · opened {opened} · owned by {person(face.owner)}{offered}\n", "default"
    )
    for name, value in face.where.items():
        text.append(f"{name.replace('_', ' ')}: {value}\n", "bold" if value == "NOT RECORDED" else "default")
    if face.closed_at:
        text.append(f"CLOSED {show_time(face.closed_at, words.zone, now)}: {face.outcome}\n")
    text.rstrip()
    return text


def _stages(face: Face, words: Words) -> Text:
    text = Text("\n")
    for place, name in enumerate(face.stages):
        text.append(" › " if place else "")
        here = name == face.stage
        text.append(f"[{words.stage(name)}]" if here else words.stage(name), "bold reverse" if here else "dim")
    if face.next_stages and not face.closed_at:
        text.append(f"\nNext: {' or '.join(words.stage(name) for name in face.next_stages)}")
    peak = f" (highest so far: {face.peak_risk})" if face.peak_risk != face.risk else ""
    text.append(f"\nRisk: {face.risk.upper()}{peak} · revision {face.revision}", "bold")
    return text


def _duty_table(face: Face, words: Words, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("Due", "", "What", "Owed by", "Next page", "Source"):
        table.add_column(column, header_style="underline", overflow="fold")
    for duty in face.duties:
        style = "bold red" if duty.overdue else "yellow" if duty.near else ""
        due = Text(show_time(duty.due_at, words.zone, now))
        title = Text(f"{duty.title} ({duty.obligation_id})")
        table.add_row(due, Text(duty.left, style), title, Text(duty.owner), Text(duty.next_page), Text(duty.source))
    return table


def _todo_heading(todo: ToDo) -> Text:
    need = "" if todo.required else ", optional"
    return Text(f"\nTo do: {todo.title} ({todo.step}{need}; {', '.join(todo.roles)})", style="bold")


def _todo_form(todo: ToDo) -> Table:
    form = Table.grid(padding=(0, 2))
    for _ in range(3):
        form.add_column(overflow="fold")
    for line in todo.guidance:
        form.add_row(Text("  ·"), Text(line), Text(""))
    for question in todo.questions:
        answer = f"= {question.known}" if question.known is not None else f"[{_brief(question.answer_with)}]"
        form.add_row(Text(f"  {question.fact}"), Text(question.ask), Text(answer))
    return form


def _brief(answer_with: str) -> str:
    """What may be answered; of a long list of choices only the first."""
    return answer_with if len(answer_with) <= LONGEST_ANSWER else f"{answer_with[:LONGEST_ANSWER].rpartition(',')[0]} …"


def _resources(guidance: Guidance) -> Iterator[Text]:
    for number, listing in enumerate(guidance.chain, start=1):
        resource = listing.resource
        ways = ", ".join(f"{way.by} {way.number}{f' then {way.then}' if way.then else ''}" for way in resource.ways)
        yield Text(f"  {number}. {resource.title}: {ways} ({resource.hours})")
    chain = {listing.name for listing in guidance.chain}
    for warning in guidance.warnings:
        if warning.resource is None or (warning.resource in chain and warning.code != "no_test_call"):
            yield Text(f"  ! {warning.text}")
    if "no_test_call" in guidance.codes():
        yield Text("  ! Some of these numbers were never test-called: `holdfast directory check` lists them.")
