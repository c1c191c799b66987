"""Thousands of made-up episodes: what a protocol would ask of whom, and what would be missed, under stated rates.

The same protocol, rates, number and seed always give the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.episode import Episode
from protocol.local_time import localized
from protocol.program import Program, program
from protocol.spec import RANK, ProtocolSpec
from rehearsal.life import Life
from rehearsal.people import People, drawn
from rehearsal.rates import PARTS_OF_DAY, Rates

HOURS = 24
MOST_EPISODES = 100_000

Progress = Callable[[int], None]
"""Told how many episodes are done."""


def _counter() -> Counter[Any]:
    return Counter()


@dataclass
class Load:
    """What came of a population. Hours are local to the protocol; minutes and hours of waiting are elapsed time."""

    spec: ProtocolSpec
    rates: Rates
    episodes: int
    seed: int
    pages: Counter[tuple[str, int]] = field(default_factory=_counter)
    """By role and hour of the day."""
    acts: Counter[tuple[str, int]] = field(default_factory=_counter)
    """What people did, by role and hour of the day."""
    rungs: Counter[tuple[str, int]] = field(default_factory=_counter)
    """Pages by ladder and rung."""
    nobody: int = 0
    """Pages that found nobody."""
    opened: Counter[str] = field(default_factory=_counter)
    missed: Counter[str] = field(default_factory=_counter)
    """Missed deadlines by kind of obligation."""
    decided: Counter[tuple[str, str]] = field(default_factory=_counter)
    step_ups: Counter[tuple[str, str]] = field(default_factory=_counter)
    """Decisions for more than the least intensive option."""
    peaks: Counter[str] = field(default_factory=_counter)
    """Episodes by the highest risk they came to."""
    closed: Counter[str] = field(default_factory=_counter)
    """Episodes by how they ended; `open` when they had not within the days they were followed."""
    answered: list[float] = field(default_factory=list[float])
    """Minutes from the first page of an episode until a person says "I am on it" or does what is owed."""
    unanswered: int = 0
    """Episodes whose first page nobody answered while they were followed."""
    left: int = 0
    """Episodes that were left because nobody came any more: their later pages are not counted."""
    lasted: list[float] = field(default_factory=list[float])
    """Hours from the opening until the end, for each episode that ended."""

    def roles(self) -> list[str]:
        """Every role that was paged or did something, in the order of the protocol."""
        known = {role for role, _ in (*self.pages, *self.acts)}
        return [role for role in self.spec.roles if role in known]


class _Tally:
    """Watches one episode and counts into the load of all."""

    def __init__(self, load: Load, compiled: Program) -> None:
        self._load, self._zone = load, compiled.zone
        self._spec = compiled.spec
        self._opened: datetime | None = None
        self._first_page: tuple[str, datetime] | None = None
        """The obligation and the moment."""
        self._answered = False
        self.episode: Episode | None = None

    def see(self, episode: Episode, command: c.Command, events: Iterable[e.Event], now: datetime) -> None:
        """Count one macro step."""
        self._opened = self._opened or now
        self.episode = episode
        hour = now.astimezone(self._zone).hour
        refused = False
        for event in events:
            refused = refused or type(event) is e.CommandRefused
            self._count(episode, event, hour, now)
        by_person = command.role not in (c.SYSTEM_ROLE, "")
        if by_person and not refused:
            self._load.acts[command.role, hour] += 1

    def _count(self, episode: Episode, event: e.Event, hour: int, now: datetime) -> None:
        load = self._load
        match event:
            case e.PageRequested():
                role = episode.owner_role if event.role in ("owner", "addressee") else event.role
                load.pages[role, hour] += 1
                load.rungs[self._spec.obligations[event.obligation].ladder, event.rung] += 1
                self._first_page = self._first_page or (event.obligation_id, now)
            case e.PageReported(delivered=False):
                load.nobody += 1
            case e.Acknowledged() | e.ObligationMet() | e.ObligationWaived():
                self._answer(event.obligation_id, now)
            case e.ObligationOpened():
                load.opened[event.obligation] += 1
            case e.DeadlineMissed():
                load.missed[event.obligation] += 1
            case e.DecisionRecorded():
                load.decided[event.decision, event.option] += 1
                if event.option != next(iter(self._spec.decisions[event.decision].options)):
                    load.step_ups[event.decision, event.option] += 1
            case _:
                return

    def _answer(self, obligation_id: str, now: datetime) -> None:
        if self._first_page is not None and self._first_page[0] == obligation_id and not self._answered:
            self._answered = True
            self._load.answered.append((now - self._first_page[1]).total_seconds() / 60)

    def end(self) -> None:
        """Count what became of the episode."""
        episode, load = self.episode, self._load
        if episode is None or self._opened is None:
            return
        load.peaks[episode.peak_risk] += 1
        load.closed[episode.outcome or "open"] += 1
        if episode.closed_at is not None:
            load.lasted.append((episode.closed_at - self._opened).total_seconds() / 3600)
        if self._first_page is not None and not self._answered:
            load.unanswered += 1


def populate(spec: ProtocolSpec, rates: Rates, episodes: int, seed: int, progress: Progress = lambda _: None) -> Load:
    """Play so many episodes. The rates must fit the protocol: `misnamed` says where they don't."""
    compiled = program(spec)
    people = People(compiled, rates)
    load = Load(spec, rates, episodes, seed)
    for number in range(episodes):
        random = Random(f"{seed}/{number}")  # noqa: S311 — made-up episodes, no secrets
        tally = _Tally(load, compiled)
        load.left += not Life(people, random, tally, _begins(people, random)).play()
        tally.end()
        progress(number + 1)
    return load


def _begins(people: People, random: Random) -> datetime:
    """A moment of the period: the day by chance, the hour by the weights of the parts of the day."""
    rates, zone = people.rates, people.program.zone
    day = date.fromisoformat(rates.first_day) + timedelta(days=random.randrange(rates.days))
    part = [*map(str, PARTS_OF_DAY)].index(drawn(random, people.parts))
    wall = datetime.combine(day, time()) + timedelta(hours=6 * part, minutes=random.randrange(6 * 60))
    try:
        return localized(wall, zone)
    except ValueError:  # the hour in which the clocks change
        return localized(wall + timedelta(hours=2), zone)


def spread(values: Sequence[float]) -> dict[str, float]:
    """The middle, what nine of ten stay below, and the most; empty where there are none."""
    if not values:
        return {}
    ordered = sorted(values)
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)
        for name, share in (("median", 0.5), ("nine_of_ten", 0.9), ("most", 1.0))
    }


def as_object(load: Load) -> dict[str, Any]:
    """Everything as plain data, with the rates it rests on."""
    spec = load.spec
    hours = {role: [load.pages[role, hour] for hour in range(HOURS)] for role in load.roles()}
    acts = {role: [load.acts[role, hour] for hour in range(HOURS)] for role in load.roles()}
    return {
        "protocol": {"name": spec.protocol, "version": spec.version, "hash": spec.content_hash},
        "episodes": load.episodes,
        "seed": load.seed,
        "rates": load.rates.model_dump(mode="json", exclude_none=True),
        "peak_risk": {level: load.peaks[level] for level in sorted(load.peaks, key=lambda one: RANK[one])},
        "pages_by_hour": hours,
        "acts_by_hour": acts,
        "pages_by_rung": [
            {"ladder": ladder, "rung": rung, "pages": count} for (ladder, rung), count in sorted(load.rungs.items())
        ],
        "pages_that_found_nobody": load.nobody,
        "obligations": [
            {"obligation": name, "opened": load.opened[name], "missed": load.missed[name]}
            for name in spec.obligations
            if load.opened[name]
        ],
        "decisions": [
            {"decision": decision, "option": option, "times": count, "step_up": (decision, option) in load.step_ups}
            for (decision, option), count in sorted(load.decided.items())
        ],
        "minutes_from_first_page_to_answer": spread(load.answered),
        "episodes_whose_first_page_nobody_answered": load.unanswered,
        "episodes_left_before_their_end": load.left,
        "hours_until_closed": spread(load.lasted),
        "endings": dict(sorted(load.closed.items())),
    }
