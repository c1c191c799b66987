"""Opens, meets, misses and waives obligations, by acts that people could do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proof.answers import Wish, ways
from proof.walk import Walk
from protocol.duties import Evidence, Trigger
from protocol.episode import OpenObligation
from protocol.readers import waits_for_signature
from protocol.spec import LEVELS, RANK

if TYPE_CHECKING:
    from proof.pilot import Pilot

MOST_ROUNDS = 30
"""How often a duty is met that opens again each time, such as a weekly contact."""
MOST_EVENTS = 6
"""How often one event is repeated until a duty opens: attempts count up to five."""


class Owing:
    """The part of a pilot that knows duties."""

    def __init__(self, pilot: Pilot) -> None:
        self.pilot = pilot
        self.spec = pilot.spec

    def bring(self, walk: Walk, name: str, states: list[str]) -> Walk | None:
        """Bring a duty to one of some states."""
        makers = {"open": self.open, "overdue": self.miss, "met": self.meet, "waived": self.waive}
        read = self.pilot.program.readers.reader(f"obligation.{name}")
        for state in states:
            current: Walk | None = walk
            for _ in range(MOST_ROUNDS if state in makers else 0):
                current = makers[state](current, name) if current is not None else None
                if current is not None and read(current.episode) in states:
                    return current
        return None

    def owed(self, walk: Walk, name: str) -> OpenObligation | None:
        """The open instance that is due first."""
        return self.first(walk, name)

    @staticmethod
    def first(walk: Walk, name: str) -> OpenObligation | None:
        """The open instance of a kind that is due first."""
        same = [one for one in walk.episode.obligations.values() if one.obligation == name]
        return min(same, key=lambda one: one.due_at) if same else None

    def open(self, walk: Walk, name: str) -> Walk | None:
        """See that a duty is owed."""
        if self.owed(walk, name) is not None:
            return walk
        goal = ("owed", name)
        if goal in self.pilot.under_way:
            return None
        self.pilot.under_way.add(goal)
        try:
            for trigger in self.spec.obligations[name].opens:
                reached = self.trigger(walk, name, trigger)
                if reached is not None and self.owed(reached, name) is not None:
                    return reached
            return None
        finally:
            self.pilot.under_way.discard(goal)

    def trigger(self, walk: Walk, name: str, trigger: Trigger) -> Walk | None:
        """See that a trigger fires."""
        ready = self.pilot.achieve(walk, trigger.when)
        if ready is not None and (not trigger.happenings() or self.owed(ready, name) is not None):
            return ready
        if trigger.not_reached is not None and trigger.when is not None:
            return self._attempts(walk, name, trigger)
        current = ready if ready is not None else walk
        for number in range(MOST_EVENTS if trigger.happenings() else 0):
            self.pilot.bare = number % 2 == 1
            happened = self.happen(current, trigger)
            self.pilot.bare = False
            if happened is None:
                return None
            if self.owed(happened, name) is not None:
                return happened
            again = self.pilot.achieve(happened, trigger.when)
            current = again if again is not None else happened
        return None

    def _attempts(self, walk: Walk, name: str, trigger: Trigger) -> Walk | None:
        """Failed attempts count themselves: everything else is brought about first, then people try."""
        assert trigger.when is not None
        assert trigger.not_reached is not None
        party, people = trigger.not_reached, self.pilot.people
        for wish in self.pilot.wishes(trigger.when.condition):
            rest = {key: values for key, values in wish.items() if not key.startswith("attempts.")}
            current = self.pilot.grant(walk, rest)
            for _ in range(MOST_EVENTS):
                current = people.contact(current, party, "no_answer") if current is not None else None
                if current is not None and self.owed(current, name) is not None:
                    return current
        return None

    def happen(self, walk: Walk, trigger: Trigger) -> Walk | None:
        """Bring about the event that a trigger names."""
        pilot = self.pilot
        ((key, name),) = trigger.happenings()
        match key:
            case "event":
                return self._event(walk, name, trigger)
            case "entered":
                return self._enter(walk, name)
            case "done":
                return pilot.complete(walk, name, self.wished(walk, trigger))
            case "decided":
                return self._decide(walk, name, trigger.options)
            case "reached" | "not_reached":
                return pilot.people.contact(walk, name, "reached" if key == "reached" else "no_answer")
            case "opened":
                return self.open(walk, name)
            case "met":
                return self.meet(walk, name)
            case "missed":
                return self.miss(walk, name)
            case _:
                return self.waive(walk, name)

    def wished(self, walk: Walk, part: Trigger | Evidence) -> dict[str, Any]:
        """Answers that make the part's own condition true."""
        if part.when is None:
            return {}
        pilot = self.pilot
        nothing: Wish = {}
        wish = next(iter(ways(part.when.condition, pilot.program.readers.domains)), nothing)
        return {
            name: pilot.answers.as_answer(name, values[0], walk.now)
            for name, values in wish.items()
            if name in self.spec.facts and values[0] is not None
        }

    def _event(self, walk: Walk, name: str, trigger: Trigger) -> Walk | None:
        pilot = self.pilot
        match name:
            case "episode_opened":
                answers = self.wished(walk, trigger)
                return pilot.begin(answers) if walk.episode.revision == len(walk.events) and answers else None
            case "emergency_declared":
                return pilot.act(walk, "declare_emergency")
            case "risk_raised":
                return self._raised(walk, trigger)
            case "risk_lowered":
                return pilot.risk.lower(walk, "none") or pilot.risk.lower(walk, "low")
            case "step_skipped":
                return next((one for step in self.spec.steps if (one := pilot.skip(walk, step)) is not None), None)
            case "co_signature_needed":
                return self._unsigned(walk)
            case "handover_offered":
                return pilot.people.offer(walk)
            case _:
                offered = walk if walk.episode.handover is not None else pilot.people.offer(walk)
                return (
                    None if offered is None else pilot.people.answer_offer(offered, accept=name == "handover_accepted")
                )

    def _raised(self, walk: Walk, trigger: Trigger) -> Walk | None:
        holds = self.pilot.program.readers.predicate(trigger.when)
        for level in [one for one in LEVELS if RANK[one] > RANK[walk.episode.risk]]:
            raised = self.pilot.risk.to(walk, level)
            if raised is not None and holds(raised.episode):
                return raised
        return None

    def _unsigned(self, walk: Walk) -> Walk | None:
        for name, decision in self.spec.decisions.items():
            for option in decision.options if decision.cosigned_by else ():
                fields = {"decision": name, "option": option, "rationale": "as seen"}
                taken = self.pilot.act(walk, "record_decision", decision.roles, **fields)
                if taken is not None and name in waits_for_signature(taken.episode):
                    return taken
        return next((one for step in self.spec.steps if (one := self.pilot.skip(walk, step)) is not None), None)

    def _enter(self, walk: Walk, stage: str) -> Walk | None:
        if walk.episode.stage != stage:
            return self.pilot.go_to(walk, stage)
        for other in (*self.spec.stages[stage].next, *self.spec.stages):
            away = self.pilot.go_to(walk, other) if other != stage else None
            if away is not None and away.episode.stage == other:
                return self.pilot.go_to(away, stage)
        return None

    def miss(self, walk: Walk, name: str) -> Walk | None:
        """Let a duty become overdue."""
        opened = self.open(walk, name)
        owed = self.owed(opened, name) if opened is not None else None
        if opened is None or owed is None or owed.missed:
            return opened
        return opened.wait_for(owed.due_at)

    def waive(self, walk: Walk, name: str) -> Walk | None:
        """Waive a duty, its condition being fulfilled first."""
        spec = self.spec.obligations[name]
        opened = self.open(walk, name) if spec.waived_by else None
        if opened is None:
            return None
        ready = self.pilot.achieve(opened, spec.waived_when)
        if ready is None or self.owed(ready, name) is None:
            return None
        return self.pilot.act(ready, "waive", spec.waived_by, obligation=name, reason="as the protocol allows")

    def meet(self, walk: Walk, name: str) -> Walk | None:
        """Do what ends a duty."""
        opened = self.open(walk, name)
        owed = self.owed(opened, name) if opened is not None else None
        goal = ("met", name)
        if opened is None or owed is None or goal in self.pilot.under_way:
            return None
        self.pilot.under_way.add(goal)
        try:
            for evidence in self.spec.obligations[name].met_by:
                done = self.produce(opened, owed, evidence)
                if done is not None and owed.obligation_id not in done.episode.obligations:
                    return done
            return None
        finally:
            self.pilot.under_way.discard(goal)

    def produce(self, walk: Walk, owed: OpenObligation, evidence: Evidence) -> Walk | None:
        """Bring about every part of some evidence."""
        pilot = self.pilot
        answers = {**self._anew(walk, evidence), **self.wished(walk, evidence)}
        current: Walk | None = walk
        for party, outcome in ((evidence.reached, "reached"), (evidence.attempted, "no_answer")):
            if party is not None and current is not None:
                current = pilot.people.contact(current, party, outcome)
        if evidence.decided is not None and current is not None:
            current = self._decide(current, evidence.decided, evidence.options)
        if evidence.done is not None and current is not None:
            current = pilot.complete(current, evidence.done, answers)
        elif answers and current is not None and evidence.done is None:
            current = pilot.act(current, "record_facts", facts=answers)
        if evidence.left is not None and current is not None:
            current = self._leave(current, evidence.left)
        if evidence.acknowledged is not None and current is not None:
            current = self._acknowledge(current, owed, evidence.acknowledged)
        if current is None or owed.obligation_id not in current.episode.obligations:
            return current
        return pilot.achieve(current, evidence.when)

    def _decide(self, walk: Walk, decision: str, options: tuple[str, ...]) -> Walk | None:
        """The first of some options that is accepted; of all when none are named."""
        chosen = options or tuple(self.spec.decisions[decision].options)
        return self.pilot.first(self.pilot.people.decide(walk, decision, option) for option in chosen)

    def _anew(self, walk: Walk, evidence: Evidence) -> Mapping[str, Any]:
        facts = self.pilot.program.refreshed_facts(evidence, walk.episode)
        return {name: self.pilot.answers.calm(name, walk.now) for name in facts}

    def _leave(self, walk: Walk, stage: str) -> Walk | None:
        if walk.episode.stage != stage:
            return None
        for other in self.spec.stages[stage].next:
            if (gone := self.pilot.advance(walk, other)) is not None:
                return gone
        return next((w for other in self.spec.stages if (w := self.pilot.step_back(walk, other)) is not None), None)

    def _acknowledge(self, walk: Walk, owed: OpenObligation, role: str) -> Walk | None:
        current = walk
        if owed.rung < 0:
            current = walk.wait_for(owed.next_page_at)
        person = self.pilot.cast.one_of([role])
        return current.act("acknowledge", person, obligation=owed.obligation)

    def settle_one(self, walk: Walk) -> Walk | None:
        """End the open duty that is due first, of those that can be ended before the episode is."""
        for owed in sorted(walk.episode.obligations.values(), key=lambda one: one.due_at):
            for end in (self.meet, self.waive):
                ended = end(walk, owed.obligation)
                if ended is not None and owed.obligation_id not in ended.episode.obligations:
                    return ended
        return None
