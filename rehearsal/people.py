"""What made-up people choose in a protocol: answers, decisions, roles. Every draw comes from the given Random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from protocol.conditions import Guard, tests_in
from protocol.elements import Fact
from protocol.episode import Episode
from protocol.program import Program
from protocol.vocabulary import accepted, vocabulary
from rehearsal.rates import Rates


class People:
    """Draws for one protocol under given rates; built once and shared by all episodes."""

    def __init__(self, program: Program, rates: Rates) -> None:
        self.program, self.rates, self.spec = program, rates, program.spec
        self._weights = {name: _weighted(weights) for name, weights in rates.answers.facts.items()}
        self._domains = vocabulary(self.spec)
        self.risks = _weighted(rates.risk)
        self.parts = _weighted(rates.begins)

    def chance(self, random: Random, percent: int) -> bool:
        """Whether something of that share happens."""
        return random.random() * 100 < percent

    def minutes(self, random: Random, median: int) -> timedelta:
        """A time with that median: skewed, so that a few take three times as long."""
        return timedelta(minutes=round(median * random.lognormvariate(0.0, 0.7), 2))

    def form(self, random: Random, now: datetime, step: str, episode: Episode, *, calm: bool) -> dict[str, Any]:
        """Answers to what a step asks for. A calm form holds nothing alarming and refuses nothing."""
        asked = self.spec.steps[step]
        items = [fact for name in asked.instruments for fact, is_asked in self.program.asked[name] if is_asked(episode)]
        names = dict.fromkeys((*asked.form, *items))
        return {name: self.answer(random, now, name, calm=calm) for name in names if name not in asked.sets}

    def answer(self, random: Random, now: datetime, name: str, *, calm: bool) -> Any:
        """One answer."""
        fact = self.spec.facts[name]
        if name in self._weights and not (calm and fact.type != "choice"):
            return _value(fact, drawn(random, self._weights[name]))
        if fact.may_refuse and not calm and self.chance(random, self.rates.answers.refused):
            return "refused"
        alarming = not calm and self.chance(random, self.rates.answers.alarming)
        return _unlisted(random, now, fact, alarming)

    def towards(self, random: Random, guard: Guard | None, *, away: bool = False) -> dict[str, Any]:
        """Answers that make a condition true, or `away` from it, as far as it names facts."""
        answers: dict[str, Any] = {}
        for test in tests_in(guard.condition) if guard is not None else ():
            fact = self.spec.facts.get(test.name)
            if fact is None or fact.type == "moment" or test.operator == "known":
                continue
            wanted = accepted(test, self._domains[test.name])
            values = [
                one for one in self._domains[test.name].values if (one in wanted) is not away and one != "refused"
            ]
            if values:
                answers[test.name] = _value(fact, random.choice(values))
        return answers

    def option(self, random: Random, decision: str, wanted: Sequence[str], episode: Episode) -> str:
        """An option of a decision: mostly the advised one."""
        declared = self.spec.decisions[decision]
        options = list(wanted or declared.options)
        advised = self.program.readers.reader(declared.advice)(episode) if declared.advice else None
        if advised in options and self.chance(random, self.rates.staff.follows_advice):
            return str(advised)
        return random.choice(options)

    def role_for(self, episode: Episode, roles: Sequence[str], fallback: str) -> str:
        """Who does something: the owner where they may, else the one who was paged, else the first who may."""
        if not roles or episode.owner_role in roles:
            return episode.owner_role
        return fallback if fallback in roles else roles[0]


def _value(fact: Fact, written: str) -> Any:
    """A weighted or wanted value as a command carries it: of a number's band the lowest number."""
    if fact.type == "number":
        return fact.bands[written][0] if written in fact.bands else written if written == "refused" else int(written)
    return (written,) if fact.type == "several" else written


def _unlisted(random: Random, now: datetime, fact: Fact, alarming: bool) -> Any:
    match fact.type:
        case "yes_no":
            return "yes" if alarming else "no"
        case "choice":
            return random.choice(fact.choices) if alarming else fact.choices[0]
        case "number":
            assert fact.minimum is not None
            assert fact.maximum is not None
            return random.randint(fact.minimum, fact.maximum) if alarming else fact.minimum
        case "several":
            return fact.choices[:1] if alarming else ()
        case "text":
            return "said"
        case "moment":
            return (now + timedelta(hours=random.randint(1, 48))).isoformat()


_Weighted = tuple[tuple[str, ...], tuple[int, ...]]


def _weighted(weights: Mapping[Any, int]) -> _Weighted:
    return tuple(map(str, weights)), tuple(weights.values())


def drawn(random: Random, weighted: _Weighted) -> str:
    """One of the names, by weight."""
    return random.choices(*weighted)[0]
