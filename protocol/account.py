"""The account of an episode for an auditor: each entry with both its times, the rule behind it, and the state after.

Made from the trail and the pinned protocol alone. Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from protocol import events as e
from protocol.commands import SYSTEM_ROLE, Command, DeadlineReached, ReportPage
from protocol.elements import Source
from protocol.episode import Episode, Known, OpenObligation
from protocol.evolve import evolve
from protocol.replay import Difference, Replayed
from protocol.spec import ProtocolSpec
from protocol.words import Line, Words, cited, person, plain

LATE = timedelta(minutes=1)
"""An entry known so long after it happened is a late entry; less is typing and travelling."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What in the protocol an entry follows from."""

    name: str
    """`risk rule 3`, counted from 1; `obligation follow_up`."""
    because: str
    source: str
    """`[A, S39]`; empty where the protocol gives none."""
    references: tuple[str, ...]
    """The titles of the texts that are cited."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An obligation that is open after an entry."""

    obligation_id: str
    title: str
    due_at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class Paged:
    """A page about something that is still open after an entry."""

    page_id: str
    obligation_id: str
    title: str
    answer: str
    """`not answered`; `reached nobody`; or who is on it, until when the ladder keeps silent."""
    silent_until: datetime | None


@dataclass(frozen=True, slots=True)
class State:
    """Where the episode stands after an entry."""

    stage: str
    risk: str
    owner: str
    owed: tuple[Owed, ...]
    """By due time."""
    pages: tuple[Paged, ...]
    """The latest page about each thing owed."""
    facts: Mapping[str, Known]
    """What is known, by the name of the fact."""

    @property
    def brief(self) -> tuple[str, str, str, tuple[Owed, ...]]:
        """Without what is known and who was paged."""
        return self.stage, self.risk, self.owner, self.owed


@dataclass(frozen=True)
class Entry:
    """One entry of the trail, told."""

    sequence: int
    step: int
    """The first entry of the same macro step: what one command brought about belongs together."""
    happened_at: datetime
    known_at: datetime
    """When the engine took it in: before this, nobody who used Holdfast could know it."""
    late: timedelta | None
    """How much later it was known, where that makes it a late entry."""
    refers_to: int | None
    """An addendum: the entry that it adds to."""
    actor: str
    role: str
    command: Command
    event: e.Event
    deed: str
    """What the actor did: the command that brought this about, as the rest of a sentence."""
    line: Line
    rule: Rule | None
    after: Episode
    """The episode with this entry."""
    differences: tuple[str, ...]
    """What the protocol, decided anew, would have written otherwise, in words."""
    undecided: str
    """Why it could not be decided anew; empty when it was."""
    words: Words
    """Of the version in force."""

    @cached_property
    def state(self) -> State:
        """Where the episode stands after it; made when it is asked for, which is of few entries."""
        return _state(self.words, self.after)


def account(steps: Iterable[Replayed]) -> Iterator[Entry]:
    """Every entry in order, of an episode that was replayed."""
    for step in steps:
        yield from _Teller(Words(step.spec)).tell(step)


@dataclass(frozen=True, slots=True)
class _Teller:
    words: Words

    def tell(self, step: Replayed) -> Iterator[Entry]:
        episode, last = step.before, step.sequence + len(step.events) - 1
        deed = self._deed(step.command)
        for sequence, event in enumerate(step.events, start=step.sequence):
            episode = evolve(episode, event)
            differing = [one for one in step.differences if one.sequence == sequence]
            if sequence == last:
                differing += [one for one in step.differences if one.sequence > last]
            yield self._entry(step, sequence, event, episode, deed, differing)

    def _entry(
        self, step: Replayed, sequence: int, event: e.Event, after: Episode, deed: str, differing: list[Difference]
    ) -> Entry:
        command = step.command
        late = step.now - event.at
        return Entry(
            sequence=sequence,
            step=step.sequence,
            happened_at=event.at,
            known_at=step.now,
            late=late if late > LATE and command.role != SYSTEM_ROLE else None,
            refers_to=event.refers_to if isinstance(event, e.AddendumAdded) else None,
            actor=command.actor,
            role=command.role,
            command=command,
            event=event,
            deed=deed,
            line=self.words.line(event, step.now) or Line("", _spaced(event.kind)),
            rule=rule_of(self.words.spec, event),
            after=after,
            differences=tuple(map(_told, differing)),
            undecided=step.undecided,
            words=self.words,
        )

    def _deed(self, command: Command) -> str:
        match command:
            case DeadlineReached():
                return "sees that time has come"
            case ReportPage():
                to = ", ".join(map(person, command.recipients)) or "nobody"
                return f"reports a page to {to}: {'delivered' if command.delivered else 'NOT DELIVERED'}"
            case _:
                return self.words.deed(command)


def _state(words: Words, episode: Episode) -> State:
    owed = sorted(episode.obligations.values(), key=lambda one: (one.due_at, one.obligation_id))
    return State(
        words.stage(episode.stage),
        episode.risk,
        episode.owner,
        tuple(Owed(one.obligation_id, words.obligation(one.obligation), one.due_at, one.missed) for one in owed),
        tuple(_paged(words, one) for one in owed if one.page_id),
        episode.facts,
    )


def _paged(words: Words, owed: OpenObligation) -> Paged:
    title, answer = words.obligation(owed.obligation), "not answered"
    if owed.acknowledged_by:
        answer = f"{person(owed.acknowledged_by)} is on it"
    elif owed.unheard:
        answer = "reached nobody"
    return Paged(owed.page_id, owed.obligation_id, title, answer, owed.lease_until)


def rule_of(spec: ProtocolSpec, event: e.Event) -> Rule | None:
    """The rule of the protocol behind an event; None where a person's act is the whole reason."""
    match event:
        case e.RiskRaised() | e.RiskConfirmed() if 0 <= event.rule < len(spec.risk.rules):
            rule = spec.risk.rules[event.rule]
            return _rule(spec, f"risk rule {event.rule + 1}", rule.because, rule.source)
        case e.RiskRaised():
            return _rule(spec, "emergency", "a declared emergency raises the risk", None)
        case e.RiskLowered():
            return _rule(spec, "risk lowering", spec.risk.lowering.requires_words or "a new assessment was done", None)
        case e.DecisionRecorded():
            return _decision(spec, event)
        case e.NoticeRaised() if event.notice in spec.notices:
            notice = spec.notices[event.notice]
            return _rule(spec, f"notice {event.notice}", notice.text, notice.source)
        case e.CommandRefused():
            return _refusal(spec, event)
        case _:
            return _duty(spec, event)


def _duty(spec: ProtocolSpec, event: e.Event) -> Rule | None:
    duty = spec.obligations.get(getattr(event, "obligation", ""))
    if duty is None:
        return None
    if isinstance(event, e.PageRequested | e.Acknowledged):
        ladder = spec.ladders[duty.ladder]
        return _rule(spec, f"ladder {duty.ladder}", ladder.title, ladder.source)
    return _rule(spec, f"obligation {getattr(event, 'obligation', '')}", duty.why or duty.title, duty.source)


def _decision(spec: ProtocolSpec, event: e.DecisionRecorded) -> Rule | None:
    declared = spec.decisions.get(event.decision)
    if declared is None:
        return None
    advice = f"; the table advised {plain(event.advised)}" if event.advised else ""
    return _rule(spec, f"decision {event.decision}", f"criteria: {event.criteria}{advice}", declared.source)


def _refusal(spec: ProtocolSpec, event: e.CommandRefused) -> Rule:
    for name, refusal in spec.refusals.items():
        if event.code == "clinical_refusal" and (refusal.because, refusal.remedy) == (event.message, event.remedy):
            return _rule(spec, f"refusal {name}", refusal.because, refusal.source)
    return _rule(spec, f"refusal {event.code}", event.message, None)


def _rule(spec: ProtocolSpec, name: str, because: str, source: Source | None) -> Rule:
    if source is None:
        return Rule(name, because, "", ())
    titles = tuple(spec.references[ref].title for ref in source.refs if ref in spec.references)
    return Rule(name, because, cited(source), titles)


def _told(difference: Difference) -> str:
    recorded, decided = difference.recorded, difference.decided
    if decided is None:
        return f"the protocol asks for no {_named(recorded)} here"
    if recorded is None:
        return f"{_named(decided)} should follow and is not there"
    if recorded.kind != decided.kind:
        return f"recorded is {_named(recorded)}; decided anew it is {_named(decided)}"
    pairs = [(field.name, getattr(recorded, field.name), getattr(decided, field.name)) for field in fields(recorded)]
    return "; ".join(
        f"{name} is recorded as {_value(was)}; decided anew it is {_value(would)}"
        for name, was, would in pairs
        if was != would
    )


def _named(event: e.Event | None) -> str:
    about = next((str(getattr(event, name)) for name in ("obligation", "stage", "level") if hasattr(event, name)), "")
    return f"{getattr(event, 'kind', '')} {about}".rstrip()


def _value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _spaced(kind: str) -> str:
    """`StepCompleted` → `step completed`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
