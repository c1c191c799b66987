"""One version of a protocol over what people did in a recorded episode, on an ideal clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.chronicle import event_of
from protocol.decide import decide
from protocol.engine import Engine
from protocol.episode import Episode
from protocol.facts import Refused, check_facts
from protocol.migration import Migration
from protocol.program import program
from protocol.readers import waits_for_signature
from protocol.replay import Replayed, ReplayError, replay
from protocol.spec import RANK, ProtocolSpec
from protocol.trail import TrailRow
from protocol.words import Words

SALT_KEY = bytes(32)
MOST_SWEEPS = 20_000
"""Deadlines and pages of one episode; a ladder that nobody answers for a year has 17 000."""

Key = tuple[str, ...]
"""What happened, so that two versions can be compared: a kind and the names that matter."""


class NotComparableError(Exception):
    """An episode can't be compared; the message says why, in words for clinical operations."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a version brings about."""

    at: datetime
    key: Key
    line: str


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, or what became of a page."""

    sequence: int
    now: datetime
    command: c.Command
    refused: bool
    page: tuple[str, int] | None
    """Of a report about a page: its obligation id and rung."""


def acts_of(pinned: ProtocolSpec, rows: Sequence[TrailRow]) -> list[Act]:
    """What was done, in order, from the trail. Raises NotComparableError."""
    pages: dict[str, tuple[str, int]] = {}
    acts: list[Act] = []
    try:
        for step in replay(pinned, rows):
            for event in step.events:
                if isinstance(event, e.PageRequested):
                    pages[event.page_id] = (event.obligation_id, event.rung)
            acts.append(_act(step, pages))
    except ReplayError as error:
        raise NotComparableError(_kindly(rows, error)) from None
    if not acts:
        raise NotComparableError("its trail is empty")
    return acts


def _kindly(rows: Sequence[TrailRow], error: ReplayError) -> str:
    if any(row.kind == "Migrated" for row in rows):
        return "it was moved to another version on its way, so that no one version answers for the whole of it"
    return str(error)


def _act(step: Replayed, pages: dict[str, tuple[str, int]]) -> Act:
    refused = any(isinstance(event, e.CommandRefused) for event in step.events)
    page = pages.get(step.command.page_id) if isinstance(step.command, c.ReportPage) else None
    return Act(step.sequence, step.now, step.command, refused, page)


class Rerun:
    """One version over what people did."""

    def __init__(self, spec: ProtocolSpec, way: Migration, acts: Iterable[Act], until: datetime) -> None:
        self.spec = spec
        self.words = Words(spec)
        self.said: list[Said] = []
        self.pages: Counter[str] = Counter()
        self.advised: dict[int, tuple[str, str | None]] = {}
        self.refused: dict[int, tuple[Act, str]] = {}
        self.allowed: dict[int, Act] = {}
        self.missed: dict[str, list[e.DeadlineMissed]] = {}
        self.owed: Counter[str] = Counter()
        self.highest = spec.risk.initial
        self.notes: list[str] = []
        self.way = way
        self._sweeps = 0
        self._engine = Engine(spec, "rerun", SALT_KEY)
        for act in acts:
            self._advance(act.now)
            self._do(act)
        self._advance(until)

    @property
    def _episode(self) -> Episode:
        assert self._engine.episode is not None
        return self._engine.episode

    def _advance(self, until: datetime) -> None:
        while (due := self._engine.next_deadline()) is not None and due <= until:
            self._sweeps += 1
            if self._sweeps > MOST_SWEEPS:
                raise NotComparableError(f"it has more than {MOST_SWEEPS} deadlines and pages")
            self._engine.sweep(due)
            self._collect(due, None)

    def _do(self, act: Act) -> None:
        command = self._translated(act)
        if command is None:
            return
        if act.refused:
            step = decide(self.spec, self._engine.episode, command, act.now)
            if step.refusal is None:
                self.allowed[act.sequence] = act
            return
        receipt = self._engine.submit(command, act.now)
        if receipt.refusal is not None and self._engine.episode is None:
            why = f"{receipt.refusal.message} {receipt.refusal.remedy}"
            raise NotComparableError(f"{self.spec.version} would not open it: {why}")
        self._collect(act.now, act)

    def _collect(self, now: datetime, act: Act | None) -> None:
        rows, self._engine.rows = self._engine.rows, []
        self._engine.effects.clear()
        for row in rows:
            event = event_of(row)
            self._note(event, now, act)

    def _note(self, event: e.Event, now: datetime, act: Act | None) -> None:
        if isinstance(event, e.PageRequested):
            self.pages[event.role] += 1
        elif isinstance(event, e.DeadlineMissed):
            self.missed.setdefault(event.obligation, []).append(event)
        elif isinstance(event, e.ObligationOpened):
            self.owed[event.obligation] += 1
        elif isinstance(event, e.RiskRaised):
            self.highest = max(self.highest, event.level, key=RANK.__getitem__)
        elif isinstance(event, e.DecisionRecorded) and act is not None:
            self.advised[act.sequence] = (event.decision, event.advised)
        elif isinstance(event, e.CommandRefused) and act is not None:
            self.refused[act.sequence] = (act, f"{event.message} {event.remedy}")
        key = _key(event)
        if key is not None:
            line = self.words.line(event, now)
            self.said.append(Said(now, key, f"{line.label}: {line.text}" if line else key[0]))

    # What people did, in the names of this version

    def _translated(self, act: Act) -> c.Command | None:
        command = act.command
        if isinstance(command, c.DeadlineReached | c.Migrate):
            return None
        if isinstance(command, c.ReportPage):
            return self._report(command, act)
        command = replace(command, expected_revision=None)
        changes: dict[str, Any] = {name: new for name, new in self._renamed(command) if new is not None}
        if isinstance(command, c.Acknowledge | c.Waive):
            owed = self._owed(command.obligation_id)
            return None if owed is None else replace(command, obligation_id=owed)
        command = replace(command, **changes)
        if isinstance(command, c.CoSign):
            waiting = waits_for_signature(self._episode).get(command.subject)
            return command if waiting is None else replace(command, entry=waiting.sequence)
        facts: Mapping[str, c.FactValue] = getattr(command, "facts", {})
        if not facts:
            return command
        if act.refused:  # whole, for that is what was refused
            names = self.way.renamed("facts")
            return replace(command, facts={names.get(name, name): value for name, value in facts.items()})
        return self._answered(replace(command, facts=self._known(facts)))

    def _answered(self, command: c.Command) -> c.Command:
        """A step that this version does not have still leaves its answers."""
        if not isinstance(command, c.CompleteStep) or command.step in self.spec.steps:
            return command
        self.notes.append(f"the step {command.step} is not there; its answers were kept")
        names = ("command_id", "actor", "role", "occurred_at")
        return c.RecordFacts(facts=command.facts, **{name: getattr(command, name) for name in names})

    def _renamed(self, command: c.Command) -> Iterable[tuple[str, object]]:
        for field, section in FIELDS.items():
            value = getattr(command, field, None)
            if isinstance(value, str):
                yield field, self.way.renamed(section).get(value, value)
        if isinstance(command, c.OpenEpisode):
            names = self.way.renamed("crisis_types")
            yield "crisis_types", tuple(names.get(one, one) for one in command.crisis_types)

    def _known(self, facts: Mapping[str, c.FactValue]) -> dict[str, c.FactValue]:
        """Answers to what this version asks too; the others are left out and noted."""
        names, kept = self.way.renamed("facts"), dict[str, c.FactValue]()
        for old, value in facts.items():
            name = names.get(old, old)
            if isinstance(check_facts(program(self.spec), {name: value}), Refused):
                note = f"no answer like that to {old}: left out"
                if note not in self.notes:
                    self.notes.append(note)
            else:
                kept[name] = value
        return kept

    def _owed(self, obligation_id: str) -> str | None:
        """The open obligation that is meant: of this id, else the oldest of its kind; None when nobody owes it here."""
        kind, _, number = obligation_id.rpartition("-")
        kind = self.way.renamed("obligations").get(kind, kind)
        open_now = self._episode.obligations
        if (same := f"{kind}-{number}") in open_now and open_now[same].rung >= 0:
            return same
        return next((one.obligation_id for one in open_now.values() if one.obligation == kind and one.rung >= 0), None)

    def _report(self, command: c.ReportPage, act: Act) -> c.Command | None:
        """What became of a page then is what becomes of the like page here."""
        if act.page is None:
            return None
        obligation_id, rung = act.page
        kind = self.way.renamed("obligations").get(obligation_id.rpartition("-")[0], obligation_id.rpartition("-")[0])
        for page_id, owed_id in self._episode.pages_open.items():
            owed = self._episode.obligations.get(owed_id)
            if owed is not None and (owed.obligation, owed.rung, owed.page_id) == (kind, rung, page_id):
                return replace(command, page_id=page_id)
        return None


FIELDS = {
    "step": "steps",
    "decision": "decisions",
    "party": "parties",
    "crisis_type": "crisis_types",
    "to": "stages",
    "subject": "decisions",
}


def _key(event: e.Event) -> Key | None:
    match event:
        case e.RiskRaised():
            return ("risk", event.level)
        case e.StageEntered():
            return ("stage", event.stage)
        case e.ObligationOpened():
            return ("owed", event.obligation, event.due_at.isoformat())
        case e.ObligationMet():
            return ("met", event.obligation, str(event.late))
        case e.DeadlineMissed():
            return ("missed", event.obligation)
        case e.PageRequested():
            return ("page", event.obligation, event.role, str(event.rung))
        case e.NoticeRaised():
            return ("notice", event.notice)
        case e.DecisionRecorded():
            return ("advice", event.decision, str(event.advised))
        case e.CommandRefused():
            return ("refused", event.code)
        case e.ReferralRequested():
            return ("referral", event.service)
        case e.EpisodeClosed():
            return ("closed", event.outcome)
        case _:
            return None
