"""What a diagram of a protocol shows, and the diagram as text for Mermaid. The picture is drawn by `drawing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.duties import DueMoment, Obligation
from protocol.elements import parse_duration
from protocol.spec import ProtocolSpec

UNITS = {"s": "s", "m": "min", "h": "h", "d": "days", "wd": "working days"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "wd": 86400}


@dataclass(frozen=True)
class Work:
    """A step as a stage shows it."""

    title: str
    certain: bool
    """Required in every episode."""


@dataclass(frozen=True)
class Deadline:
    """An obligation that entering a stage opens."""

    title: str
    due: str


@dataclass(frozen=True)
class Card:
    """A stage with all that its box says."""

    name: str
    title: str
    purpose: str
    work: tuple[Work, ...]
    by_type: int
    """Further steps that crisis types add."""
    deadlines: tuple[Deadline, ...]
    leave: str
    next: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """A protocol as a picture: the open stages in order, the emergency beside them, the end below."""

    protocol: str
    title: str
    version: str
    open: tuple[Card, ...]
    emergency: Card
    closed: Card
    level: str
    """The risk level at which the emergency begins by itself."""


def chart(spec: ProtocolSpec) -> Chart:
    """What to draw. Raises ValueError for a protocol without an emergency and a closed stage."""
    cards = {name: _card(spec, name) for name in spec.stages}
    kinds = {kind: [cards[name] for name, one in spec.stages.items() if one.kind == kind] for kind in KINDS}
    if not (kinds["open"] and kinds["emergency"] and kinds["closed"]):
        raise ValueError("a protocol needs an open, an emergency and a closed stage")
    return Chart(
        protocol=spec.protocol,
        title=spec.title,
        version=spec.version,
        open=tuple(kinds["open"]),
        emergency=kinds["emergency"][0],
        closed=kinds["closed"][0],
        level=spec.emergency.at,
    )


KINDS = ("open", "emergency", "closed")


def _card(spec: ProtocolSpec, name: str) -> Card:
    stage = spec.stages[name]
    added = {step for kind in spec.crisis_types.values() for step in kind.adds.get(name, ())}
    return Card(
        name=name,
        title=stage.title,
        purpose=stage.purpose or "",
        work=tuple(
            Work(spec.steps[one.step].title, one.required and one.when is None)
            for one in stage.steps
            if one.step in spec.steps
        ),
        by_type=len(added - {one.step for one in stage.steps}),
        deadlines=tuple(_deadlines(spec, name)),
        leave=stage.leave_needs or "",
        next=tuple(target for target in stage.next if target in spec.stages and spec.stages[target].kind == "open"),
    )


def _deadlines(spec: ProtocolSpec, stage: str) -> Iterator[Deadline]:
    """What entering a stage opens, soonest first."""
    for obligation in sorted(spec.obligations.values(), key=lambda one: min(map(_seconds, one.durations()))):
        begins = stage == spec.initial and any(one.event == "episode_opened" for one in obligation.opens)
        if begins or any(one.entered == stage for one in obligation.opens):
            yield Deadline(obligation.title, due_in_words(obligation))


def due_in_words(obligation: Obligation) -> str:
    """When an obligation is due, in a few words: `24 h`, `24 to 72 h`, `end of day`."""
    if isinstance(obligation.due, DueMoment):
        return f"as agreed, ≤ {_in_words(obligation.due.ceiling)}"
    spans = sorted(set(obligation.durations()), key=_seconds)
    if len(spans) == 1:
        return _in_words(spans[0])
    (least, unit), (most, other) = parse_duration(spans[0]), parse_duration(spans[-1])
    return (
        f"{least} to {_in_words(spans[-1])}"
        if unit == other and most
        else f"{_in_words(spans[0])} to {most} {UNITS[other]}"
    )


def _in_words(duration: str) -> str:
    amount, unit = parse_duration(duration)
    if unit == "d" and amount <= 1:
        return "same day" if amount == 0 else "by next day"
    return f"{amount} {UNITS[unit]}" if amount != 1 else f"1 {UNITS[unit].removesuffix('s')}"


def _seconds(duration: str) -> int:
    amount, unit = parse_duration(duration)
    return amount * SECONDS[unit]


def in_words(drawn: Chart) -> str:
    """The picture as sentences, for people who do not see it."""
    stages = ", ".join(card.title for card in drawn.open)
    ways = "; ".join(
        f"{card.title} leads to {' or '.join(_title(drawn, target) for target in card.next)}"
        for card in (*drawn.open, drawn.emergency)
        if card.next
    )
    return (
        f"Stages in order: {stages}. {ways}. "
        f"From every stage {drawn.emergency.title} is one act away and begins by itself at {drawn.level} risk. "
        f"It is always possible to go back to an earlier stage. "
        f"The episode ends in {drawn.closed.title}, only when nothing is owed any more."
    )


def _title(drawn: Chart, name: str) -> str:
    return next(card.title for card in drawn.open if card.name == name)


def draw_mermaid(spec: ProtocolSpec) -> str:
    """The stages as a Mermaid flowchart."""
    drawn = chart(spec)
    lines = ["flowchart TD", f"  start((start)) --> {_node(drawn.open[0].name)}"]
    for card in drawn.open:
        lines.append(f'  {_node(card.name)}["{_label(card)}"]')
    alarm, end = _node(drawn.emergency.name), _node(drawn.closed.name)
    lines.append(f'  {alarm}["{_label(drawn.emergency)}"]:::emergency')
    lines.append(f'  {end}(["{_quoted(drawn.closed.title)}"])')
    for card in (*drawn.open, drawn.emergency):
        lines.extend(f"  {_node(card.name)} --> {_node(target)}" for target in card.next)
    lines.extend(f"  {_node(card.name)} -.-> {alarm}" for card in drawn.open)
    lasts = [card for card in drawn.open if not card.next] or [drawn.open[-1]]
    lines.extend(f"  {_node(card.name)} -->|nothing owed| {end}" for card in lasts)
    lines.append("  classDef emergency stroke:#a4343a,stroke-width:2px")
    return "\n".join(lines) + "\n"


def _node(stage: str) -> str:
    """A stage may be called `end`, which is a word of Mermaid's own."""
    return f"stage_{stage}"


def _label(card: Card) -> str:
    due = [f"{deadline.due}: {deadline.title}" for deadline in card.deadlines]
    return "<br/>".join(_quoted(text) for text in (card.title, *due))


def _quoted(text: str) -> str:
    """Text that can't end a Mermaid label."""
    return text.translate({ord('"'): "#quot;", ord("<"): "#lt;", ord(">"): "#gt;", ord("#"): "#35;"})
