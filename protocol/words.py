"""Commands and events in the words of a clinician, for transcripts, receipts and timelines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from protocol import commands as c
from protocol import events as e
from protocol.elements import Source
from protocol.local_time import show_span, show_time
from protocol.spec import ProtocolSpec
from protocol.visible import one_line

NO_BREAK = "\N{NO-BREAK SPACE}"
PARTS = {"owner": "the owner", "addressee": "the person who was asked to take over"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: a short label and a sentence."""

    label: str
    text: str


_NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
"""A name of the protocol's file that is no word by itself."""


def plain(name: str) -> str:
    """`means_in_hand` → `means in hand`."""
    return name.replace("_", " ")


def unquoted(text: str) -> str:
    """Text in which names of a file stand between backticks, for people who see no file: as words."""
    return "".join(plain(one) if place % 2 else one for place, one in enumerate(text.split("`")))


def person(actor: str) -> str:
    """`mara` → `Mara`."""
    return actor[:1].upper() + actor[1:]


def cited(source: Source) -> str:
    """`[A, S39]`: the grade and where the number comes from."""
    return f"[{', '.join((source.grade, *source.refs))}]"


@dataclass(frozen=True, slots=True)
class Words:
    """Speaks about one protocol."""

    spec: ProtocolSpec

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which times are told."""
        return ZoneInfo(self.spec.time_zone)

    def stage(self, name: str) -> str:
        """A stage's title."""
        return self.spec.stages[name].title if name in self.spec.stages else plain(name)

    def refusal(self, refused: e.CommandRefused) -> str:
        """Why something was refused and what to do, for people who know no name of the protocol's file."""
        if refused.code == "missing_facts" and refused.missing:
            count = len(refused.missing)
            lacks = "1 answer is" if count == 1 else f"{count} answers are"
            return f"{lacks} missing. Give what you know; where the client does not want to say, choose that."
        if refused.code == "stale_revision":
            return "The episode changed while you wrote. Look at it, then send your entry again if it still holds."
        return _NAME.sub(lambda found: self._named(found[0]), f"{refused.message} {refused.remedy}")

    def _named(self, name: str) -> str:
        """The title of whatever has this name, in quotes; roles and the like in plain words."""
        spec = self.spec
        for titled in (spec.steps, spec.stages, spec.obligations, spec.decisions, spec.crisis_types):
            if name in titled:
                return f"“{titled[name].title}”"
        return f"“{spec.facts[name].ask}”" if name in spec.facts else plain(name)

    def step(self, name: str) -> str:
        """A step's title."""
        return self.spec.steps[name].title if name in self.spec.steps else plain(name)

    def role(self, name: str) -> str:
        """A role's title; who is paged by their part in the episode is named by it."""
        return self.spec.roles[name].title if name in self.spec.roles else PARTS.get(name, plain(name))

    def obligation(self, kind: str) -> str:
        """An obligation's title."""
        return self.spec.obligations[kind].title if kind in self.spec.obligations else plain(kind)

    def party(self, name: str) -> str:
        """A party's title, as it stands within a sentence."""
        title = self.spec.parties[name].title if name in self.spec.parties else plain(name)
        return title.replace("The ", "the ", 1) if title.startswith("The ") else title

    def decision(self, name: str) -> str:
        """A decision's title."""
        return self.spec.decisions[name].title if name in self.spec.decisions else plain(name)

    def option(self, decision: str, name: str) -> str:
        """The title of one option of a decision."""
        options = self.spec.decisions[decision].options if decision in self.spec.decisions else {}
        return options[name].title if name in options else plain(name)

    def answers(self, facts: Mapping[str, e.FactRecord]) -> str:
        """`means in hand: yes; weapon present: no`, in the order of the protocol."""
        ordered = sorted(facts, key=lambda name: tuple(self.spec.facts).index(name) if name in self.spec.facts else -1)
        return "; ".join(f"{self._question(name)}: {self.answer(facts[name])}" for name in ordered)

    def answer(self, value: e.FactRecord) -> str:
        """A recorded value on one line; moments in local time."""
        return one_line(self._answer(value))

    def _answer(self, value: e.FactRecord) -> str:
        if isinstance(value, tuple):
            return ", ".join(plain(one) for one in value) or "none"
        if isinstance(value, str) and value[:2] == "20" and "T" in value:
            try:
                return show_time(datetime.fromisoformat(value), self.zone)
            except ValueError:
                return value
        return plain(value) if isinstance(value, str) and value.islower() else str(value)

    def _question(self, name: str) -> str:
        asked = self.spec.facts[name].ask if name in self.spec.facts else ""
        return asked.rstrip("?:.") or plain(name)

    def deed(self, command: c.Command) -> str:
        """What somebody does, on one line, as the rest of a sentence that begins with their name."""
        return one_line(self._deed(command))

    def _deed(self, command: c.Command) -> str:
        match command:
            case c.OpenEpisode():
                about = ", ".join(self._crisis_type(name) for name in command.crisis_types)
                return f"opens {'a drill' if command.drill else 'an episode'}" + (f": {about}" if about else "")
            case c.RecordFacts():
                return "writes down what was said or seen"
            case c.CompleteStep():
                return f"completes “{self.step(command.step)}”" + _note(command.note)
            case c.SkipStep():
                return f"skips “{self.step(command.step)}”: {command.reason}"
            case c.CoSign():
                return f"co-signs “{self._subject(command.subject)}”" + _note(command.note)
            case c.Advance():
                return "goes on" + (f" to {self.stage(command.to)}" if command.to else " to the next stage")
            case c.GoBack():
                return f"goes back to {self.stage(command.to)}: {command.reason}"
            case c.DeclareEmergency():
                return "DECLARES AN EMERGENCY" + _note(command.reason)
            case c.RecordCrisisType():
                return f"adds a crisis type: {self._crisis_type(command.crisis_type)}"
            case _:
                return self._other_deed(command)

    def _other_deed(self, command: c.Command) -> str:
        match command:
            case c.RecordContact():
                return self._contact(command)
            case c.RecordDecision():
                chosen = self.option(command.decision, command.option)
                return f"decides “{self.decision(command.decision)}”: {chosen}. {command.rationale}"
            case c.LowerRisk():
                return f"lowers the risk to {command.level}: {command.reason}"
            case c.Acknowledge():
                return f"says “I am on it”: {self._owed(command.obligation_id)}"
            case c.Waive():
                return f"waives {self._owed(command.obligation_id)}: {command.reason}"
            case c.OfferHandover():
                return f"offers the episode to {person(command.to)}: {command.reason}"
            case c.AcceptHandover():
                return "accepts the episode"
            case c.DeclineHandover():
                return f"declines the episode: {command.reason}"
            case c.AddAddendum():
                return f"adds to entry {command.refers_to}: {command.text}"
            case c.Migrate():
                return "moves the episode to another version of the protocol"
            case c.CloseEpisode():
                outcomes = self.spec.closing.outcomes
                outcome = outcomes[command.outcome].title if command.outcome in outcomes else plain(command.outcome)
                return f"closes the episode, {outcome}: {command.reason}"
            case _:
                return plain(command.kind)

    def _contact(self, command: c.RecordContact) -> str:
        basis = f" Outside the consent, because: {command.exception}." if command.exception else ""
        how = f"{plain(command.channel)}: {plain(command.outcome)}"
        return f"turns to {self.party(command.party)} by {how}{_note(command.note)}{basis}"

    def _crisis_type(self, name: str) -> str:
        return self.spec.crisis_types[name].title if name in self.spec.crisis_types else plain(name)

    def _subject(self, name: str) -> str:
        return self.decision(name) if name in self.spec.decisions else self.step(name)

    def _owed(self, obligation_id: str) -> str:
        return f"“{self.obligation(obligation_id.rpartition('-')[0])}”"

    def line(self, event: e.Event, seen_from: datetime) -> Line | None:
        """What an event tells beyond the act itself; None where the act says it all. Times relative to `seen_from`."""
        told = self._line(event, seen_from)
        return None if told is None else Line(told.label, one_line(told.text))

    def _line(self, event: e.Event, seen_from: datetime) -> Line | None:
        match event:
            case e.EpisodeOpened():
                return Line("stage", f"{self.stage(event.stage)}; risk {event.risk}; owned by {person(event.owner)}")
            case e.FactsRecorded():
                return Line("noted", self.answers(event.facts))
            case e.StageEntered():
                return Line("stage", f"{self.stage(event.left)} → {self.stage(event.stage)}")
            case e.RiskRaised():
                return Line("RISK", f"rises from {event.previous} to {event.level.upper()}: {event.because}")
            case e.RiskConfirmed():
                told = f"{event.level} is confirmed: {event.because} What was re-assessed before lowers it no more."
                return Line("risk", told)
            case e.RiskLowered():
                return Line("risk", f"lowered from {event.previous} to {event.level}")
            case e.NoticeRaised():
                return Line("notice", event.text)
            case e.CommandRefused():
                missing = (
                    f" Missing: {'; '.join(plain(one).rstrip('.') for one in event.missing)}." if event.missing else ""
                )
                return Line("REFUSED", f"{event.message}{missing} → {event.remedy}")
            case e.EpisodeClosed():
                return Line("closed", self.stage(event.stage))
            case _:
                return self._duty(event, seen_from) or self._record(event)

    def _duty(self, event: e.Event, seen_from: datetime) -> Line | None:
        match event:
            case e.ObligationOpened():
                owed = self.spec.obligations.get(event.obligation)
                due = f"due {show_time(event.due_at, self.zone, seen_from)}"
                span = f"in {_unbroken(show_span(event.due_at - seen_from))}" if event.due_at > seen_from else "now"
                source = f" {_unbroken(cited(owed.source))}" if owed else ""
                return Line("owed", f"{self.obligation(event.obligation)}: {due} ({span}){source}")
            case e.ObligationMet():
                return Line("met late" if event.late else "met", self.obligation(event.obligation))
            case e.ObligationWaived():
                return Line("waived", self.obligation(event.obligation))
            case e.ObligationSuperseded():
                return Line("re-armed", f"{self.obligation(event.obligation)}: the earlier deadline is replaced")
            case e.ObligationRescheduled():
                due = show_time(event.due_at, self.zone, seen_from)
                return Line("sooner", f"{self.obligation(event.obligation)}: now due {due}")
            case e.DeadlineMissed():
                due = show_time(event.due_at, self.zone, seen_from)
                return Line("OVERDUE", f"{self.obligation(event.obligation)} (was due {due})")
            case e.PageRequested():
                return Line("page", f"{self.obligation(event.obligation)} → {self.role(event.role)}")
            case e.Acknowledged():
                until = show_time(event.lease_until, self.zone, seen_from)
                return Line("silent", f"until {until}, then the ladder goes on unless the thing is done")
            case _:
                return None

    def _record(self, event: e.Event) -> Line | None:
        match event:
            case e.Migrated():
                return Line("version", f"{event.previous_version} → {event.protocol_version}{_signed(event)}")
            case e.ContactMade():
                return Line("reached", self.party(event.party))
            case e.ContactAttempted():
                times = "once" if event.number == 1 else f"{event.number} times in a row"
                return Line("attempt", f"{self.party(event.party)} not reached, {times}; an attempt is not a contact")
            case e.DecisionRecorded(needs_cosignature=True):
                return Line("co-sign", "counts only when a second person has signed")
            case e.DecisionRecorded(advised=str(advised)) if advised != event.option:
                return Line("advice", f"was {self.option(event.decision, advised)}")
            case e.StepSkipped():
                return Line("co-sign", f"the skip of “{self.step(event.step)}” must be co-signed")
            case e.ReferralRequested():
                return Line("referral", event.service)
            case e.HandoverOffered():
                return Line("handover", f"offered to {person(event.to)}; nothing changes until it is accepted")
            case e.HandoverAccepted():
                return Line("owner", f"{person(event.previous)} → {person(event.owner)}; no deadline changes")
            case _:
                return None


def _unbroken(text: str) -> str:
    return text.replace(" ", NO_BREAK)


def _signed(event: e.Migrated) -> str:
    if not event.sign_off_by:
        return "; no deadline comes later and none is dropped"
    return (
        f"; deadlines that come later or are dropped are signed by {person(event.sign_off_by)}: {event.sign_off_reason}"
    )


def _note(note: str) -> str:
    return f". {note}" if note else ""
