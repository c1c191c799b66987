"""What an episode kept of its protocol and what it did not: from the trail and the pinned protocol alone.

Every deviation is a fact with an entry and, where a person gave one, a reason. Whether it was right is for people to
judge: an override with a good reason is what the protocol provides for. Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

from protocol import events as e
from protocol.account import LATE
from protocol.commands import SYSTEM_ROLE
from protocol.episode import Episode
from protocol.evolve import evolve
from protocol.program import Program, program
from protocol.replay import Replayed, Versions, replay
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow

Kind = Literal[
    "skipped",  # a step was left out, with a reason
    "left_undone",  # a stage was left while a required step was neither done nor skipped: the emergency path
    "out_of_order",  # a step before one that stands ahead of it, or a stage that was gone back to
    "late_entry",  # written down more than a minute after it happened
    "waived",  # a deadline was waived, with a reason
    "against_table",  # a decision other than its table advised, with a rationale
    "exception",  # a contact that the consent did not cover, with the exception that was claimed
    "refused",  # an act that the protocol refused
    "differs",  # the record is not what the protocol, decided anew, asks for
]
OVERRIDES: tuple[Kind, ...] = ("skipped", "waived", "against_table", "exception")
End = Literal["met", "met_late", "waived", "superseded", "owed"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that was not as the protocol has it."""

    kind: Kind
    sequence: int
    at: datetime
    """When it happened."""
    what: str
    """A name of the protocol: the step, stage, obligation, decision; what an act was refused for."""
    who: str
    role: str
    reason: str
    owner: str
    """Who owned the episode then."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """One obligation from its opening to its end."""

    obligation_id: str
    obligation: str
    opened_at: datetime
    due_at: datetime
    ended_at: datetime | None = None
    """When the thing was done, or the obligation waived or superseded."""
    end: End = "owed"
    missed: bool = False
    """The engine saw the deadline pass. `met` and missed: done in time and written down too late."""
    owner: str = ""
    """Who owned the episode when it passed or ended, whichever was first; at the end of the trail, when neither was."""


@dataclass
class Done:
    """What was done while somebody owned the episode."""

    steps: int = 0
    decisions: int = 0
    tables: int = 0
    """Decisions for which a table gave advice."""


@dataclass
class Conformance:
    """One episode, judged."""

    episode_id: str
    protocol: str
    version: str
    protocol_hash: str
    owner: str
    """Who owned it at first; `done` names everybody who did."""
    opened_at: datetime
    drill: bool
    crisis_types: tuple[str, ...] = ()
    closed_at: datetime | None = None
    outcome: str | None = None
    entries: int = 0
    done: dict[str, Done] = field(default_factory=dict[str, Done])
    """By owner, in the order in which they came to own it."""
    deviations: list[Deviation] = field(default_factory=list[Deviation])
    deadlines: dict[str, Deadline] = field(default_factory=dict[str, Deadline])
    """By obligation id, in the order of their opening."""

    def count(self, *kinds: Kind) -> int:
        """How many deviations of these kinds."""
        return sum(one.kind in kinds for one in self.deviations)

    def ended(self, *ends: End) -> int:
        """How many deadlines ended so."""
        return sum(one.end in ends for one in self.deadlines.values())

    @property
    def steps_done(self) -> int:
        """Steps that were completed, by whichever owner."""
        return sum(one.steps for one in self.done.values())

    @property
    def decisions(self) -> int:
        """Decisions that were recorded."""
        return sum(one.decisions for one in self.done.values())

    @property
    def tables(self) -> int:
        """Decisions for which a table gave advice."""
        return sum(one.tables for one in self.done.values())

    def of(self, owner: str) -> Conformance:
        """Only what happened while this person owned it."""
        return replace(
            self,
            done={owner: self.done[owner]},
            deviations=[one for one in self.deviations if one.owner == owner],
            deadlines={name: one for name, one in self.deadlines.items() if one.owner == owner},
        )


def judge(spec: ProtocolSpec, rows: Iterable[TrailRow], later: Versions | None = None) -> Conformance:
    """The conformance of an episode; `later` has the versions to which it migrated.

    Raises ReplayError, which names the entry that can't be replayed.
    """
    return judge_steps(spec, replay(spec, rows, later))


def judge_steps(spec: ProtocolSpec, steps: Iterable[Replayed]) -> Conformance:
    """The conformance of an episode that was opened under `spec`, as far as these steps go; one at least."""
    judged: Conformance | None = None
    for step in steps:
        judged = judged or _begun(step.after)
        _take(judged, program(spec), step)
        spec = step.spec
    if judged is None:
        raise ValueError("an episode without rows")
    last = next(reversed(judged.done))
    for owed in [one for one in judged.deadlines.values() if not one.owner]:
        _change(judged, owed.obligation_id, owner=last)
    return judged


def _begun(episode: Episode) -> Conformance:
    return Conformance(
        *(episode.episode_id, episode.protocol, episode.protocol_version, episode.protocol_hash),
        *(episode.owner, episode.opened_at, episode.drill),
        done={episode.owner: Done()},
    )


def _take(judged: Conformance, compiled: Program, step: Replayed) -> None:
    episode = step.before
    first = step.events[0]
    if step.command.role != SYSTEM_ROLE and step.now - first.at > LATE:
        _note(judged, step, step.sequence, first, ("late_entry", step.command.kind, ""), _owner(episode, step))
    for sequence, event in enumerate(step.events, start=step.sequence):
        owner = _owner(episode, step)
        for found in _deviations(compiled, episode, event):
            _note(judged, step, sequence, event, found, owner)
        _count(judged, event, owner)
        episode = evolve(episode, event)
        if episode.owner not in judged.done:
            judged.done[episode.owner] = Done()
    for one in step.differences:
        event = one.recorded or one.decided or first
        _note(judged, step, one.sequence, event, ("differs", event.kind, ""), _owner(step.before, step))
    judged.crisis_types, judged.closed_at = step.after.crisis_types, step.after.closed_at
    judged.outcome, judged.entries = step.after.outcome, step.after.revision


def _owner(before: Episode | None, step: Replayed) -> str:
    """Who owned it before an event; of the first one, whoever it opens it for."""
    return before.owner if before is not None else step.after.owner


def _note(
    judged: Conformance, step: Replayed, sequence: int, event: e.Event, found: tuple[Kind, str, str], owner: str
) -> None:
    kind, what, reason = found
    command = step.command
    judged.deviations.append(Deviation(kind, sequence, event.at, what, command.actor, command.role, reason, owner))


def _deviations(compiled: Program, episode: Episode | None, event: e.Event) -> Iterator[tuple[Kind, str, str]]:
    match event:
        case e.StepSkipped():
            yield "skipped", event.step, event.reason
        case e.StepCompleted() if episode is not None and (before := _passed_over(compiled, episode, event.step)):
            yield "out_of_order", event.step, f"before {', '.join(before)}"
        case e.StageEntered() if episode is not None:
            yield from _left(compiled, episode, event)
        case e.ObligationWaived():
            yield "waived", event.obligation, event.reason
        case e.DecisionRecorded() if event.advised not in (None, event.option):
            yield "against_table", event.decision, event.rationale
        case e.ContactMade() | e.ContactAttempted() if event.exception:
            yield "exception", event.party, event.exception
        case e.CommandRefused():
            yield "refused", event.code, event.message
        case _:
            return


def _passed_over(compiled: Program, episode: Episode, step: str) -> list[str]:
    """Required steps of this stage that stand ahead of a step and are neither done nor skipped."""
    order = [placed.step for placed in compiled.placed[episode.stage]]
    ahead = order[: order.index(step)] if step in order else []
    return [one for one in compiled.missing_steps(episode) if one in ahead]


def _left(compiled: Program, episode: Episode, event: e.StageEntered) -> Iterator[tuple[Kind, str, str]]:
    for step in compiled.missing_steps(episode):
        yield "left_undone", step, event.reason
    stages = compiled.spec.stages
    places = {name: place for place, (name, stage) in enumerate(stages.items()) if stage.kind == "open"}
    if places.get(event.stage, len(stages)) < places.get(event.left, 0):
        yield "out_of_order", event.stage, event.reason


def _count(judged: Conformance, event: e.Event, owner: str) -> None:
    done = judged.done[owner]
    match event:
        case e.StepCompleted():
            done.steps += 1
        case e.DecisionRecorded():
            done.decisions += 1
            done.tables += event.advised is not None
        case e.ObligationOpened():
            opened = Deadline(event.obligation_id, event.obligation, event.at, event.due_at)
            judged.deadlines[event.obligation_id] = opened
        case e.DeadlineMissed():
            _change(judged, event.obligation_id, missed=True, owner=owner)
        case e.ObligationRescheduled():
            _change(judged, event.obligation_id, due_at=event.due_at)
        case e.ObligationMet():
            _end(judged, event.obligation_id, event.at, "met_late" if event.late else "met", owner)
        case e.ObligationWaived():
            _end(judged, event.obligation_id, event.at, "waived", owner)
        case e.ObligationSuperseded():
            _end(judged, event.obligation_id, event.at, "superseded", owner)
        case _:
            return


def _end(judged: Conformance, obligation_id: str, at: datetime, end: End, owner: str) -> None:
    before = judged.deadlines[obligation_id]
    _change(judged, obligation_id, ended_at=at, end=end, owner=before.owner or owner)


def _change(judged: Conformance, obligation_id: str, **changes: object) -> None:
    judged.deadlines[obligation_id] = replace(judged.deadlines[obligation_id], **changes)  # pyright: ignore[reportArgumentType]


@dataclass
class Sums:
    """Several episodes together; drills are left out."""

    episodes: int = 0
    steps_done: int = 0
    skipped: int = 0
    left_undone: int = 0
    out_of_order: int = 0
    late_entries: int = 0
    overrides: int = 0
    against_table: int = 0
    tables: int = 0
    deadlines: int = 0
    met: int = 0
    met_late: int = 0
    waived: int = 0
    superseded: int = 0
    owed: int = 0
    missed: int = 0
    differs: int = 0

    def add(self, one: Conformance) -> None:
        """Count one more episode."""
        self.episodes += 1
        self.steps_done += one.steps_done
        self.skipped += one.count("skipped")
        self.left_undone += one.count("left_undone")
        self.out_of_order += one.count("out_of_order")
        self.late_entries += one.count("late_entry")
        self.overrides += one.count(*OVERRIDES)
        self.against_table += one.count("against_table")
        self.tables += one.tables
        self.deadlines += len(one.deadlines)
        self.met += one.ended("met")
        self.met_late += one.ended("met_late")
        self.waived += one.ended("waived")
        self.superseded += one.ended("superseded")
        self.owed += one.ended("owed")
        self.missed += sum(deadline.missed for deadline in one.deadlines.values())
        self.differs += one.count("differs")


By = Literal["protocol", "therapist", "type"]
BYS: tuple[By, ...] = get_args(By)


def groups_of(one: Conformance, by: By) -> dict[str, Conformance]:
    """The groups that an episode counts in, each with what counts there.

    Of several crisis types in each; for a therapist, what happened while they owned it.
    """
    match by:
        case "protocol":
            return {f"{one.protocol} {one.version}": one}
        case "therapist":
            return {owner: one.of(owner) for owner in one.done}
        case "type":
            return dict.fromkeys(one.crisis_types or ("none recorded",), one)
