"""One made-up episode from its opening to its end: people work, answer pages, forget; deadlines and ladders run.

The rules are the core's: every act is a command that `decide` may refuse. What people do is drawn from the rates.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from protocol import commands as c
from protocol import events as e
from protocol.conditions import Guard, tests_in
from protocol.decide import MacroStep, decide
from protocol.duties import Evidence
from protocol.effects import Page
from protocol.episode import Episode, StepRecord, next_deadline
from protocol.readers import waits_for_signature
from protocol.spec import LEVELS, RANK
from rehearsal.people import People, drawn

NIGHT_ENDS, NIGHT_BEGINS = 8, 20
TRIES = 3
"""How often somebody is tried, and how often a form is drawn anew that would raise the risk beyond what was meant."""
AGAIN = timedelta(minutes=30)
"""Between two tries to reach somebody."""
REVIEW = timedelta(days=1)
"""How often the owner looks at an episode that asks for nothing."""
WORSE_WITHIN = 45.0
"""Minutes after the opening within which the danger shows."""
MOST_ACTS = 5_000
"""An episode with more acts and pages than this is left: nobody comes any more, or it goes round in circles."""


class Watcher(Protocol):
    """Sees what happens in an episode. Times are aware UTC."""

    def see(self, episode: Episode, command: c.Command, events: Iterable[e.Event], now: datetime) -> None:
        """A macro step that was taken, with the episode after it."""
        ...


class Life:
    """One episode. `play` runs it; everything that happens is shown to the watcher."""

    def __init__(self, people: People, random: Random, watcher: Watcher, begins: datetime) -> None:
        self._people, self._random, self._watcher = people, random, watcher
        self._spec, self._program = people.spec, people.program
        self._now = begins
        self._ends = begins + timedelta(days=people.rates.follow_days)
        self._meant = drawn(random, people.risks)
        """How high the risk shall rise."""
        self._agenda: list[tuple[datetime, int, str, str, str]] = []
        self._awaited: set[str] = set()
        """Obligations that somebody has said they will see to."""
        self._acts = 0
        self._episode: Episode | None = None

    def play(self) -> bool:
        """From the opening until it is closed, or no longer followed. False when it was left before."""
        self._open()
        while self._episode is not None and self._episode.closed_at is None and self._acts < MOST_ACTS:
            due = next_deadline(self._episode)
            planned = self._agenda[0][0] if self._agenda else self._ends
            if min(planned, due or planned) >= self._ends:
                return True
            if due is not None and due <= planned:
                self._now = due
                self._send(c.DeadlineReached, c.SYSTEM_ACTOR, c.SYSTEM_ROLE)
            else:
                at, _, what, about, role = heapq.heappop(self._agenda)
                self._now = max(self._now, at)
                getattr(self, f"_do_{what}")(about, role)
        return self._acts < MOST_ACTS

    def _open(self) -> None:
        rates, spec = self._people.rates, self._spec
        types = tuple(name for name, share in rates.crisis_types.items() if self._people.chance(self._random, share))
        role = next(iter(spec.roles))
        self._send(
            c.OpenEpisode, role, role, episode_id="made-up", client_ref="made-up", owner=role, crisis_types=types
        )
        self._plan(self._step_time(), "work")
        self._plan(timedelta(minutes=self._random.uniform(2.0, WORSE_WITHIN)), "worsen")
        self._plan(REVIEW, "review")

    def _plan(self, after: timedelta, what: str, about: str = "", role: str = "") -> None:
        heapq.heappush(self._agenda, (self._now + after, len(self._agenda) + self._acts * 1000, what, about, role))

    def _step_time(self) -> timedelta:
        return self._people.minutes(self._random, self._people.rates.staff.step_minutes)

    # Commands

    def _send(self, kind: type[Any], actor: str, role: str, **fields: Any) -> bool:
        """Carry out a command; whether it was accepted."""
        return self._take(self._try(kind, actor, role, **fields))

    def _try(self, kind: type[Any], actor: str, role: str, **fields: Any) -> MacroStep:
        """What a command would bring about."""
        self._acts += 1
        common = {"command_id": f"c-{self._acts}", "actor": actor, "role": role, "occurred_at": self._now}
        return decide(self._spec, self._episode, kind(**common, **fields), self._now)

    def _take(self, step: MacroStep) -> bool:
        if step.episode is None:
            return False
        self._episode = step.episode
        self._watcher.see(step.episode, step.command, step.events, step.now)
        for event in step.events:
            if type(event) is e.ObligationOpened:
                self._may_keep(event)
            elif type(event) is e.StageEntered:
                self._plan(self._step_time(), "work")
        for effect in step.effects:
            if isinstance(effect, Page):
                self._paged(effect)
        return step.refusal is None

    def _as(self, roles: Iterable[str], fallback: str = "") -> tuple[str, str]:
        assert self._episode is not None
        role = self._people.role_for(self._episode, tuple(roles), fallback)
        return role, role

    # Duties and pages

    def _may_keep(self, opened: e.ObligationOpened) -> None:
        """Somebody does it in time, mostly: somewhere between its opening and its deadline."""
        if self._people.chance(self._random, self._people.rates.staff.keeps):
            left = opened.due_at - self._now
            self._plan(left * self._random.uniform(0.1, 0.9), "settle", opened.obligation_id)

    def _paged(self, page: Page) -> None:
        assert self._episode is not None
        role = self._episode.owner_role if page.role in ("owner", "addressee") else page.role
        response = self._people.rates.staff.response(role)
        there = self._people.chance(self._random, response.on_shift)
        if there and page.obligation_id not in self._awaited and self._people.chance(self._random, response.answers):
            hour = self._now.astimezone(self._program.zone).hour
            at_night = not NIGHT_ENDS <= hour < NIGHT_BEGINS
            median = response.night_minutes if at_night else response.day_minutes
            self._awaited.add(page.obligation_id)
            self._plan(self._people.minutes(self._random, median), "answer", page.obligation_id, role)
        fields = {"page_id": page.page_id, "delivered": there, "recipients": (role,) if there else ()}
        self._send(c.ReportPage, c.SYSTEM_ACTOR, c.SYSTEM_ROLE, **fields)

    def _do_answer(self, about: str, role: str) -> None:
        self._awaited.discard(about)
        if self._episode is not None and about in self._episode.obligations:
            self._send(c.Acknowledge, role, role, obligation_id=about)
            self._plan(self._step_time(), "settle", about, role)

    def _do_settle(self, about: str, role: str, tries: int = TRIES) -> None:
        owed = self._episode.obligations.get(about) if self._episode is not None else None
        if owed is None:
            return
        ways = self._spec.obligations[owed.obligation].met_by
        way = ways[0] if self._random.random() < 0.7 else self._random.choice(ways)
        if not self._bring(way, about, role or owed.owner):
            self._plan(AGAIN, "retry", about, role)

    def _do_retry(self, about: str, role: str) -> None:
        """Once more; then it is left to the ladder."""
        owed = self._episode.obligations.get(about) if self._episode is not None else None
        if owed is not None:
            self._bring(self._spec.obligations[owed.obligation].met_by[0], about, role or owed.owner)

    def _bring(self, way: Evidence, about: str, role: str) -> bool:
        """Bring about one piece of evidence, part by part; whether each part was taken."""
        random, people = self._random, self._people
        assert self._episode is not None
        done = True
        if (party := way.reached or way.attempted) is not None:
            reached = people.chance(random, people.rates.reach.get(party, people.rates.reach_otherwise))
            fields = {"party": party, "channel": "phone", "outcome": "reached" if reached else "no_answer"}
            exception = "" if self._program.permitted[party](self._episode) else "danger to life"
            done = self._send(c.RecordContact, *self._as((), role), exception=exception, **fields)
            done = done and (reached or way.reached is None)
            if not done:
                return False
        if way.decided is not None:
            done = self._decide(way.decided, way.options, role)
        facts = {name: people.answer(random, self._now, name, calm=True) for name in self._refreshed(way)}
        facts |= people.towards(random, way.when)
        if facts:
            self._record(facts, role)
        if way.done is not None:
            done = self._complete(way.done, role)
        if way.left is not None:
            self._do_work("", "")
        if way.acknowledged is not None:
            done = self._send(c.Acknowledge, way.acknowledged, way.acknowledged, obligation_id=about)
        self._sign()
        return done

    def _refreshed(self, way: Evidence) -> list[str]:
        assert self._episode is not None
        return self._program.refreshed_facts(way, self._episode) if way.refreshed else []

    def _record(self, facts: dict[str, Any], role: str) -> None:
        step = self._try(c.RecordFacts, *self._as((), role), facts=facts)
        if not self._too_high(step):
            self._take(step)

    def _sign(self) -> None:
        """A second person signs what waits for it."""
        assert self._episode is not None
        for subject, waiting in waits_for_signature(self._episode).items():
            skipped = isinstance(waiting, StepRecord)
            declared = self._spec.steps[subject] if skipped else self._spec.decisions[subject]
            roles = getattr(declared, "skip_cosigned_by" if skipped else "cosigned_by")
            self._send(c.CoSign, "second", roles[0], subject=subject, entry=waiting.sequence)

    # The owner's own way through the stages

    def _do_work(self, _about: str, _role: str) -> None:
        """The next step that can be done; then on to the next stage, or to the end."""
        assert self._episode is not None
        for name in self._program.missing_steps(self._episode):
            if self._complete(name, ""):
                self._plan(self._step_time(), "work")
                return
        stage = self._spec.stages[self._episode.stage]
        if not self._advance(stage.next) and stage.leave_when is not None:
            self._make_true(stage.leave_when)
            self._advance(stage.next)
        if not stage.next:
            self._close()

    def _make_true(self, guard: Guard) -> None:
        """Do what a condition waits for: answers, one of the steps and the decisions that it names."""
        facts = self._people.towards(self._random, guard)
        if facts:
            self._record(facts, "")
        tests = list(tests_in(guard.condition))
        steps = [name for test in tests if (name := test.name.removeprefix("step.")) in self._spec.steps]
        if steps:
            self._complete(self._random.choice(steps), "")
        for test in tests:
            if test.name in self._spec.decisions:
                self._decide(test.name, test.values if test.operator == "is" else (), "")
        self._sign()

    def _decide(self, name: str, wanted: Sequence[str], role: str) -> bool:
        assert self._episode is not None
        option = self._people.option(self._random, name, wanted, self._episode)
        actor = self._as(self._spec.decisions[name].roles, role)
        return self._send(c.RecordDecision, *actor, decision=name, option=option, rationale="made up")

    def _advance(self, ways: Iterable[str]) -> bool:
        return any(self._send(c.Advance, *self._as(()), to=to) for to in ways)

    def _complete(self, name: str, role: str) -> bool:
        """Do a step. A form that would raise the risk beyond what was meant, or is refused, is filled in anew."""
        assert self._episode is not None
        actor, mended = self._as(self._spec.steps[name].roles, role), dict[str, Any]()
        for number in range(TRIES):
            form = self._people.form(self._random, self._now, name, self._episode, calm=number == TRIES - 1)
            step = self._try(c.CompleteStep, *actor, step=name, facts=form | mended)
            if step.refusal is not None:
                mended = self._otherwise(name)
            elif not self._too_high(step):
                return self._take(step)
        return False

    def _otherwise(self, name: str) -> dict[str, Any]:
        """What must be answered otherwise so that no clinical rule refuses the step."""
        answers = dict[str, Any]()
        for refusal in self._spec.refusals.values():
            if ("done", name) in refusal.act.happenings():
                answers |= self._people.towards(self._random, refusal.act.when, away=True)
        return answers

    def _too_high(self, step: MacroStep) -> bool:
        """Whether this raises the risk beyond what was meant for this episode, or once more after its peak."""
        before = self._episode
        if step.episode is None or before is None:
            return False
        peak_is_over = RANK[before.peak_risk] >= RANK[self._meant]
        return RANK[step.episode.risk] > max(RANK[before.risk], 0 if peak_is_over else RANK[self._meant])

    def _do_worsen(self, _about: str, _role: str) -> None:
        """What was meant shows: something is said or seen by which a rule raises the risk."""
        assert self._episode is not None
        wanted = RANK[self._meant]
        rules = [rule for rule in self._spec.risk.rules if rule.level == self._meant]
        for rule in self._random.sample(rules, len(rules)):
            if RANK[self._episode.risk] >= wanted:
                return
            facts = self._people.towards(self._random, rule.when)
            step = self._try(c.RecordFacts, *self._as(()), facts=facts) if facts else None
            if step is not None and step.episode is not None and RANK[step.episode.risk] == wanted:
                self._take(step)
        if self._meant == self._spec.emergency.at and RANK[self._episode.risk] < wanted:
            self._send(c.DeclareEmergency, *self._as(()))

    def _do_review(self, _about: str, _role: str) -> None:
        """Once a day: re-assess where the risk is raised, then go on."""
        assert self._episode is not None
        lowering = self._spec.risk.lowering
        if RANK[self._episode.risk] > RANK["low"] and self._calmer(lowering.step):
            for level in LEVELS[: RANK[self._episode.risk]]:
                if self._send(c.LowerRisk, *self._as(lowering.roles), level=level, reason="calmer now"):
                    break
        self._do_work("", "")
        self._plan(REVIEW, "review")

    def _calmer(self, step: str) -> bool:
        """The re-assessment, with what raised the risk asked again and no longer so."""
        assert self._episode is not None
        facts = dict[str, Any]()
        for rule in self._program.ranked:
            if rule.holds(self._episode):
                facts |= self._people.towards(self._random, self._spec.risk.rules[rule.number].when, away=True)
        form = self._people.form(self._random, self._now, step, self._episode, calm=True)
        return self._send(c.CompleteStep, *self._as(self._spec.steps[step].roles), step=step, facts=form | facts)

    def _close(self) -> None:
        """Close with the first outcome that is possible; write down what it asks for before."""
        assert self._episode is not None
        for requirement in self._spec.closing.requires.values():
            facts = self._people.towards(self._random, requirement.when)
            if facts:
                self._record(facts, "")
        for outcome in self._spec.closing.outcomes:
            if self._send(c.CloseEpisode, *self._as(self._spec.closing.roles), outcome=outcome, reason="made up"):
                return
