"""What a random person may choose from in a protocol: names, answers that fit and answers that don't."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from protocol import commands as c
from protocol.conditions import tests_in
from protocol.elements import Fact
from protocol.episode import Episode
from protocol.program import program
from protocol.readers import waits_for_signature
from protocol.spec import ProtocolSpec

NOWHERE = "nowhere"
WAYS = ("reached", "attempted", "done", "decided", "acknowledged", "left")
"""What evidence may ask for, beside answers."""

Act = tuple[type[Any], Sequence[str], dict[str, Any]]
"""A kind of command, the roles that may send it, its fields."""


class Menu:
    """Built once a protocol."""

    def __init__(self, spec: ProtocolSpec) -> None:
        self.spec = spec
        self.program = program(spec)
        self.roles = list(spec.roles)
        self.steps, self.stages = list(spec.steps), list(spec.stages)
        self.parties, self.outcomes = list(spec.parties), list(spec.closing.outcomes)
        self.crisis_types = list(spec.crisis_types) or [NOWHERE]
        self.decisions = list(spec.decisions) or [NOWHERE]
        self._facts = list(spec.facts)
        self._values = {name: _values(fact) for name, fact in spec.facts.items()}
        self._moments = {name for name, fact in spec.facts.items() if fact.type == "moment"}
        self._read = self._facts_in_rules() or self._facts

    def _facts_in_rules(self) -> list[str]:
        """Facts that raise the risk or open, end, refuse something are said more often than others."""
        names = [*self.program.rules, *self.program.becoming]
        names += [name for key, name in self.program.ended_by if key == "changed"]
        return sorted(name for name in names if name in self.spec.facts)

    def name(self, random: Random, names: Sequence[str]) -> str:
        """One of these, seldom one that does not exist."""
        return random.choice(names) if names and random.random() < 0.97 else NOWHERE

    def some_types(self, random: Random) -> tuple[str, ...]:
        """A crisis type or two."""
        chosen = random.sample(self.crisis_types, min(len(self.crisis_types), random.choice((0, 1, 2))))
        return tuple(name for name in chosen if name in self.spec.crisis_types)

    def facts(self, random: Random, now: datetime, count: int) -> dict[str, Any]:
        """So many answers, seldom a wrong one."""
        answers: dict[str, Any] = {}
        for _ in range(count):
            name = random.choice(self._read if random.random() < 0.7 else self._facts)
            answers[name] = self.answer(random, now, name)
        if answers and random.random() < 0.05:
            answers[random.choice((name, NOWHERE))] = random.choice(("", 10**6, (NOWHERE,), "refused"))
        return answers

    def answer(self, random: Random, now: datetime, name: str) -> Any:
        """An answer that fits."""
        if name in self._moments:
            return (now + timedelta(hours=random.randrange(-48, 200))).isoformat()
        return random.choice(self._values[name])

    def form(self, random: Random, now: datetime, step: str) -> dict[str, Any]:
        """The whole form of a step, with what its instruments ask."""
        if step not in self.spec.steps:
            return {}
        asked = self.spec.steps[step]
        names = [*asked.form, *(fact for name in asked.instruments for fact, _ in self.program.asked[name])]
        return {name: self.answer(random, now, name) for name in names}

    def calm(self, random: Random, now: datetime, step: str) -> dict[str, Any]:
        """The form of a step with the first value everywhere: `no` and the least choice."""
        return {name: self._values[name][0] if name in self._values and name not in self._moments else value
                for name, value in self.form(random, now, step).items()}  # fmt: skip

    def decision(self, random: Random) -> tuple[str, str]:
        """A decision and one of its options."""
        name = self.name(random, self.decisions)
        options = list(self.spec.decisions[name].options) if name in self.spec.decisions else [NOWHERE]
        return name, self.name(random, options)

    def signed(self, episode: Episode | None) -> list[str]:
        """What waits for a signature."""
        return list(waits_for_signature(episode)) if episode is not None else []

    def entry(self, random: Random, episode: Episode | None, subject: str) -> int:
        """The entry that waits for a signature; sometimes another one, as on a page that is open for long."""
        waiting = waits_for_signature(episode).get(subject) if episode is not None else None
        return waiting.sequence if waiting is not None and random.random() < 0.9 else random.randrange(1, 40)

    def signers(self, subject: str) -> tuple[str, ...]:
        """Who may sign a skipped step or a decision."""
        if subject in self.spec.steps:
            return self.spec.steps[subject].skip_cosigned_by
        return self.spec.decisions[subject].cosigned_by if subject in self.spec.decisions else ()

    def evidence(
        self, random: Random, now: datetime, obligation: str
    ) -> tuple[type[Any], Sequence[str], dict[str, Any]]:
        """A command that may end an obligation of this kind, who should send it, and its fields."""
        wanted = random.choice(self.spec.obligations[obligation].met_by)
        ways = [key for key in WAYS if getattr(wanted, key) is not None] or ["facts"]
        way = random.choice(ways)
        part = getattr(wanted, way, None) or ""
        if way in ("reached", "attempted"):
            fields = {"party": part, "channel": "phone", "outcome": "reached", "exception": "x"}
            return c.RecordContact, self.roles, {**fields, "facts": self._towards(random, now, wanted)}
        if way == "done":
            return c.CompleteStep, self.spec.steps[part].roles, {"step": part, "facts": self.form(random, now, part)}
        if way == "decided":
            options = wanted.options or tuple(self.spec.decisions[part].options)
            fields = {"decision": part, "option": random.choice(options), "rationale": "r"}
            return c.RecordDecision, self.spec.decisions[part].roles, fields
        if way == "acknowledged":
            return c.Acknowledge, [part], {}
        if way == "left":
            return c.Advance, self.roles, {}
        return c.RecordFacts, self.roles, {"facts": self._towards(random, now, wanted) or self.facts(random, now, 1)}

    def _towards(self, random: Random, now: datetime, wanted: Any) -> dict[str, Any]:
        """Answers that make a condition true where it names facts."""
        answers = {name: self.answer(random, now, name) for name in wanted.refreshed if name in self.spec.facts}
        for test in tests_in(wanted.when.condition) if wanted.when is not None else ():
            fact = self.spec.facts.get(test.name)
            if fact is not None and fact.type in ("yes_no", "choice") and test.operator != "known":
                answers[test.name] = random.choice(test.values)
        return answers


def _values(fact: Fact) -> list[Any]:
    """Answers that fit, the least alarming first."""
    values: list[Any] = {
        "yes_no": ["no", "yes"],
        "choice": list(fact.choices),
        "several": [(), fact.choices[:1], fact.choices],
        "number": [fact.minimum, fact.maximum, *[high for _, high in fact.bands.values()]],
        "text": ["said calmly", "he has a gun and a rifle"],
        "moment": [],
    }[fact.type]
    return [*values, *(["refused"] if fact.may_refuse else []), "unknown"]
