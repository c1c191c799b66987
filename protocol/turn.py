"""One macro step under way: events are emitted, folded at once, and reacted to until nothing more follows.

Reactions to one event come in a fixed order: obligations end, the risk rises, obligations open, notices are raised.
At the end everything that is due by now fires, so after every macro step the next deadline lies in the future.
An obligation opens at most once a macro step, and each page moves its next page into the future: a turn always ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from protocol import events as e
from protocol.clocks import due_at
from protocol.duties import DueMoment, Obligation
from protocol.elements import elapsed_seconds
from protocol.episode import Episode, Known, OpenObligation
from protocol.evidence import done_at
from protocol.evolve import UNKNOWN, evolve, is_current
from protocol.facts import scores
from protocol.happenings import happenings
from protocol.machine import EMERGENCY
from protocol.program import Key, Opening, Program, Reaction, Rule
from protocol.readers import Predicate
from protocol.spec import RANK

REFUSED = "refused"
ON_TIME = timedelta(seconds=5)
"""A timer may be so late, by its server's rounding, without moving the rest of its ladder."""
MOST_INSTANCES = 3
"""Open instances of one obligation; with so many already owed and escalating, one more would add nothing."""


class Turn:
    """Collects the events of one macro step."""

    __slots__ = ("at", "episode", "events", "late", "now", "opened", "program", "queue", "raised")

    def __init__(self, program: Program, episode: Episode, at: datetime, now: datetime) -> None:
        self.program = program
        self.episode = episode
        self.at = at
        """When the thing happened (aware UTC)."""
        self.now = now
        self.events: list[e.Event] = []
        self.queue: list[tuple[Episode, e.Event, Episode]] = []
        self.late: list[tuple[tuple[str, ...], Episode]] = []
        """Answers that a newer one keeps from being current, and the episode as they tell it."""
        self.opened: set[str] = set()
        self.raised = False
        """Whether the risk rose in this macro step."""

    def begin(self, opened: e.EpisodeOpened, crisis_types: Iterable[str], answers: Mapping[str, e.FactRecord]) -> None:
        """Record the event that made the episode and what was reported with it.

        The opening is reacted to first, but seen with all that was reported; before it nothing was true.
        """
        self.events.append(opened)
        for crisis_type in crisis_types:
            self.emit(e.CrisisTypeRecorded(crisis_type, self.at))
        self.record(answers)
        self.queue.insert(0, (self.episode, opened, self.episode))

    def record(self, answers: Mapping[str, e.FactRecord]) -> None:
        """Record checked answers, with the scores that they complete or undo.

        A newer answer to the same question stays the current one. The older one, written down late, is in the trail
        and may still raise the risk: a positive answer is not lost because somebody asked again meanwhile.
        """
        if not answers:
            return
        before, said = self.episode, e.FactsRecorded(answers, self.at)
        scored = not answers.keys().isdisjoint(self.program.scores)
        sums = scores(self.program, before.facts, evolve(before, said).facts, answers) if scored else {}
        now = {name: value for name, (value, at) in sums.items() if at <= self.at}
        self.emit(e.FactsRecorded({**answers, **now}, self.at) if now else said)
        for name, (value, at) in sums.items():
            if at > self.at:
                self.emit(e.FactsRecorded({name: value}, at))
        if [name for name in answers if name in before.facts and before.facts[name].at > self.at]:
            self._hear_late(answers)

    def _hear_late(self, answers: Mapping[str, e.FactRecord]) -> None:
        """Have the risk rules see the episode as these answers alone tell it."""
        told = {name: Known(value, self.at, 0) for name, value in answers.items() if value != UNKNOWN}
        facts = {**self.episode.facts, **told}
        sums = scores(self.program, {}, facts, answers)
        summed = {name: Known(value, at, 0) for name, (value, at) in sums.items()}
        self.late.append(((*told, *summed), replace(self.episode, facts={**facts, **summed})))

    def emit(self, event: e.Event) -> None:
        """Record an event; reactions to it follow in `settle`."""
        before = self.episode
        self.episode = evolve(before, event)
        self.events.append(event)
        self.queue.append((before, event, self.episode))

    def settle(self) -> None:
        """React until nothing follows, then fire what is due by now."""
        self._react_to_all()
        while (owed := self._due_now()) is not None:
            self._fire(owed)
            self._react_to_all()

    def _react_to_all(self) -> None:
        while self.queue or self.late:
            if not self.queue:
                names, seen = self.late.pop(0)
                self._raise_risk([self.program.rules[name] for name in names if name in self.program.rules], seen)
                continue
            before, event, after = self.queue.pop(0)
            if type(event) is e.DecisionRecorded and not is_current(before, event):
                continue
            known = self.program.at_opening if type(event) is e.EpisodeOpened else happenings(event)
            follows = self.program.reaction(known) if known else None
            if follows is not None:
                self._react(before, event, after, follows)

    def _react(self, before: Episode, event: e.Event, after: Episode, follows: Reaction) -> None:
        if follows.ends:
            self._end_obligations(event, after.revision, follows.ends)
        if follows.rules:
            self._raise_risk(follows.rules, self.episode)
        if follows.opens:
            self._open_obligations(before, event, after, follows.opens)
        if follows.notices:
            self._raise_notices(before, after, follows.notices)
        if self.program.phrases and type(event) is e.FactsRecorded:
            self._notice_mentions(event.facts)

    def adopt(self, program: Program, migrated: e.Migrated) -> None:
        """Go on under another version of the protocol, from now."""
        self.program, self.at = program, self.now
        self.emit(migrated)

    # Ending obligations

    def _end_obligations(self, event: e.Event, sequence: int, kinds: frozenset[str]) -> None:
        for owed in list(self.episode.obligations.values()):
            if owed.obligation in kinds:
                self._end_if_done(owed, event, sequence)

    def _end_if_done(self, owed: OpenObligation, event: e.Event, sequence: int) -> None:
        for proof in self.program.proofs[owed.obligation]:
            at = done_at(self.program, self.episode, owed, proof, event, sequence)
            if at is not None:
                self.emit(e.ObligationMet(owed.obligation_id, owed.obligation, at > owed.due_at, at))
                return

    # Risk

    def _raise_risk(self, touched: Sequence[Sequence[Rule]], seen: Episode) -> None:
        """Raise the level to the highest of the touched rules that holds in what is seen.

        A rule of the present level or a higher one confirms it: what was re-assessed before lowers it no more.
        At the emergency level it enters the emergency stage again: a second disclosure must not pass unheard
        because the level can't rise further.
        """
        rank, emergency = RANK[self.episode.risk], self.program.emergency_rank
        best = _highest(touched, seen, max(1, min(rank, emergency)))
        if best is None:
            return
        if best.rank > rank:
            self.raise_risk_to(best.level, best.because, best.number)
            return
        if best.rank >= emergency:
            self.enter_emergency(best.because)
        if best.rank == rank and self._reassessed():
            self.emit(e.RiskConfirmed(best.level, best.because, best.number, self.at))

    def _reassessed(self) -> bool:
        """Whether a re-assessment was written down since the level changed or was confirmed."""
        step = self.episode.steps.get(self.program.spec.risk.lowering.step)
        return step is not None and step.sequence > self.episode.risk_confirmed.sequence

    def raise_risk_to(self, level: str, because: str, rule: int) -> None:
        """Raise the level; the emergency level opens the emergency stage by itself."""
        self.raised = True
        self.emit(e.RiskRaised(level, self.episode.risk, because, rule, self.at))
        if RANK[level] >= self.program.emergency_rank:
            self.enter_emergency(because)

    def enter_emergency(self, reason: str) -> None:
        """Enter the emergency stage, unless the episode is in it already."""
        for arrow in self.program.stages.get((self.episode.stage, EMERGENCY), ()):
            self.emit(e.StageEntered(arrow.to, self.episode.stage, reason, self.at))

    # Opening obligations

    def _open_obligations(
        self, before: Episode, event: e.Event, after: Episode, opens: Iterable[tuple[Opening, Key | None]]
    ) -> None:
        for opening, key in opens:
            if key is None:
                if _became(opening.holds, before, after):
                    self.open(opening.obligation, event.at)
            elif _option_fits(opening, key[1], after) and opening.holds(after):
                anew = opening.counts_anew and _first_time(key, before)
                self.open(opening.obligation, event.at, counts_anew=anew)

    def open(self, kind: str, at: datetime, *, counts_anew: bool = False) -> None:
        """Open an obligation, in place of the one that is pending.

        Nothing makes a pending deadline later but a risk that rises in this macro step (the peak is new, and what is
        owed counts from it) and an opening that the protocol says counts anew. Everything else, such as a stage that
        is left and entered again, leaves the pending one as it is, with its ladder, unless the new one is due sooner.
        """
        spec = self.program.spec.obligations[kind]
        tally = self.episode.tallies.get(kind)
        number = (tally.opened if tally else 0) + 1
        if kind in self.opened or (spec.at_most is not None and number > spec.at_most):
            return
        same = [owed for owed in self.episode.obligations.values() if owed.obligation == kind]
        pending = [owed for owed in same if not owed.missed]
        if (spec.reopening == "keep" and same) or (not pending and len(same) >= MOST_INSTANCES):
            return
        obligation_id = f"{kind}-{number}"
        opened = self.opened_event(kind, spec, obligation_id, at)
        if pending and not (self.raised or counts_anew) and any(owed.due_at <= opened.due_at for owed in pending):
            return
        self.opened.add(kind)
        self.emit(opened)
        for owed in pending:
            self.emit(e.ObligationSuperseded(owed.obligation_id, kind, obligation_id, at))

    def opened_event(self, kind: str, spec: Obligation, obligation_id: str, at: datetime) -> e.ObligationOpened:
        """What opening it at `at` means: its deadline, its first page, its ladder as it is now."""
        due = self.due(spec, at)
        ladder = self.program.spec.ladders[spec.ladder]
        first_page = due
        if ladder.starts == "at_opening":
            first_page = at
        elif ladder.lead is not None:
            first_page = max(at, due - timedelta(seconds=elapsed_seconds(ladder.lead)))
        snapshot = self.program.ladders[spec.ladder]
        return e.ObligationOpened(obligation_id, kind, spec.owner, due, first_page, snapshot, at)

    def due(self, spec: Obligation, at: datetime) -> datetime:
        """When an obligation that opens at `at` is due."""
        due, calendar, zone = spec.due, self.program.spec.calendar, self.program.zone
        if isinstance(due, str):
            return due_at(due, at, zone, calendar)
        if isinstance(due, DueMoment):
            return self._due_moment(due, at)
        value = self.program.readers.reader(due.by)(self.episode)
        duration = due.values.get(value or "", due.otherwise)
        # A value that the table forgot falls to its shortest duration: when unsure, sooner.
        if duration is None:
            return min(due_at(one, at, zone, calendar) for one in due.values.values())
        return due_at(duration, at, zone, calendar)

    def _due_moment(self, due: DueMoment, at: datetime) -> datetime:
        ceiling = at + timedelta(seconds=elapsed_seconds(due.ceiling))
        known = self.episode.facts.get(due.moment)
        if known is None or not isinstance(known.value, str) or known.value == REFUSED:
            return ceiling
        moment = datetime.fromisoformat(known.value)
        if moment >= ceiling:
            return ceiling
        plus = timedelta(seconds=elapsed_seconds(due.plus)) if due.plus else timedelta(0)
        return max(at, min(moment + plus, ceiling))

    # Notices

    def _raise_notices(self, before: Episode, after: Episode, notices: Iterable[tuple[str, Predicate]]) -> None:
        for notice, holds in notices:
            if _became(holds, before, after):
                self.notice(notice)

    def _notice_mentions(self, facts: Mapping[str, e.FactRecord]) -> None:
        texts = [value.lower() for value in facts.values() if isinstance(value, str)]
        for notice, phrase in self.program.phrases:
            if any(phrase in text for text in texts):
                self.notice(notice)

    def notice(self, name: str) -> None:
        """Raise a declared notice, once a macro step."""
        text = self.program.spec.notices[name].text
        if not any(isinstance(event, e.NoticeRaised) and event.notice == name for event in self.events):
            self.emit(e.NoticeRaised(name, text, self.at))

    # What is due

    def _due_now(self) -> OpenObligation | None:
        """The obligation that is due first, of those due by now."""
        due = [owed for owed in self.episode.obligations.values() if owed.next_at() <= self.now]
        return min(due, key=lambda owed: (owed.next_at(), owed.sequence)) if due else None

    def _fire(self, owed: OpenObligation) -> None:
        if not owed.missed and owed.due_at <= self.now and owed.due_at <= owed.next_page_at:
            self.emit(e.DeadlineMissed(owed.obligation_id, owed.obligation, owed.due_at, self.now))
        else:
            self._page(owed)

    def _page(self, owed: OpenObligation) -> None:
        rungs, rung = owed.ladder.rungs, owed.next_rung()
        self.emit(
            e.PageRequested(
                page_id=f"{self.episode.episode_id}-p{self.episode.pages + 1}",
                obligation_id=owed.obligation_id,
                obligation=owed.obligation,
                rung=rung,
                role=rungs[rung].page,
                channels=rungs[rung].channels,
                due_at=owed.due_at,
                next_page_at=self._counted_from(owed.next_page_at) + owed.next_wait(),
                at=self.now,
            )
        )

    def _counted_from(self, planned: datetime) -> datetime:
        """A page that is on time keeps its ladder in step; after an outage nobody is paged for what was missed."""
        return planned if self.now - planned <= ON_TIME else self.now


def _highest(touched: Iterable[Iterable[Rule]], seen: Episode, lowest: int) -> Rule | None:
    """The highest rule that holds in what is seen; each group is in the order of its levels, highest first."""
    best = None
    for rules in touched:
        for rule in rules:
            if rule.rank < lowest:
                break
            if (best is None or rule.rank > best.rank) and rule.holds(seen):
                best = rule
    return best


def _became(holds: Predicate, before: Episode, after: Episode) -> bool:
    """Whether the condition turned true; before its opening nothing was true of an episode."""
    return holds(after) and (before is after or not holds(before))


def _first_time(key: Key, before: Episode) -> bool:
    """Whether this stage is entered, or this step is done, for the first time in the episode."""
    kind, name = key
    if kind == "entered":
        return name not in before.left
    done = before.steps.get(name)
    return done is None or done.status != "done"


def _option_fits(opening: Opening, decision: str, episode: Episode) -> bool:
    """Whether the decision that was made is one the opening waits for."""
    if not opening.options:
        return True
    record = episode.decisions.get(decision)
    return record is not None and record.option in opening.options
