"""How each name of the vocabulary is read from an episode, compiled once a protocol.

A reader gives the value that conditions compare with, or None for unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from protocol.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Guard,
    Not,
    Test,
    Truth,
    all_of,
    any_of,
    negate,
    tests_in,
)
from protocol.elements import Fact, Instrument, Table
from protocol.episode import DecisionRecord, Episode, StepRecord
from protocol.spec import ProtocolSpec
from protocol.vocabulary import MOST_ATTEMPTS, accepted, vocabulary

Reader = Callable[[Episode], str | None]
Predicate = Callable[[Episode], bool]
ThreeValued = Callable[[Episode], Truth]
Asked = tuple[str, Predicate]

NOTHING: Mapping[str, str] = {}


class Readers:
    """Readers and compiled conditions of one protocol.

    Raises ValueError where a condition names what does not exist or tables read each other in a circle;
    the checks of a protocol say the same with place and remedy.
    """

    def __init__(self, spec: ProtocolSpec) -> None:
        self.spec = spec
        self.domains = vocabulary(spec)
        self._readers: dict[str, Reader] = {}
        self._bases: dict[str, frozenset[str]] = {}
        self._deciding: dict[str, Callable[[Episode], int | None]] = {}
        self._under_way: set[str] = set()
        for name in self.domains:
            self.reader(name)

    def reader(self, name: str) -> Reader:
        """The reader of a name."""
        if name in self._readers:
            return self._readers[name]
        if name not in self.domains or name in self._under_way:
            raise ValueError(
                f"no condition can read `{name}`" if name not in self.domains else f"`{name}` reads itself"
            )
        self._under_way.add(name)
        self._bases[name] = frozenset((name,))
        self._readers[name] = self._build(name)
        self._under_way.remove(name)
        return self._readers[name]

    def predicate(self, guard: Guard | None) -> Predicate:
        """A guard as a two-valued function; no guard always holds."""
        if guard is None:
            return always
        truth = self._compile(guard.condition, NOTHING)
        if guard.if_unknown == "holds":
            return lambda episode: truth(episode) is not False
        return lambda episode: truth(episode) is True

    def bases(self, guard: Guard | None) -> frozenset[str]:
        """The names that a guard finally depends on, through tables and instruments."""
        if guard is None:
            return frozenset()
        return self._bases_of(test.name for test in tests_in(guard.condition))

    def asked(self, instrument: Instrument) -> list[Asked]:
        """The items with their skip logic; an item whose skip logic is unknown counts as asked."""
        return [
            (item.fact, self.predicate(Guard(item.asked_when.condition, "holds") if item.asked_when else None))
            for item in instrument.items
        ]

    def deciding_row(self, table: str) -> Callable[[Episode], int | None]:
        """Which row of a table decides, from 0; None where none applies. Compiled once a table."""
        if table not in self._deciding:
            self._deciding[table] = self._rows(table)
        return self._deciding[table]

    def _rows(self, table: str) -> Callable[[Episode], int | None]:
        written = self.spec.tables[table]
        rows = [self._compile(row.when.condition, written.unknown_as) for row in written.rows]
        return lambda episode: next((number for number, holds in enumerate(rows) if holds(episode)), None)

    def _bases_of(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(self._bases[name] for name in names))

    def _build(self, name: str) -> Reader:
        spec = self.spec
        if name in spec.facts:
            return _fact_reader(name, spec.facts[name])
        if name in spec.tables:
            return self._table_reader(name, spec.tables[name])
        if name in spec.decisions:
            return _decision_reader(name)
        if name.endswith(".status"):
            return self._instrument_reader(name, spec.instruments[name.removesuffix(".status")])
        return _builtin_reader(name)

    def _table_reader(self, name: str, table: Table) -> Reader:
        rows = [(self._compile(row.when.condition, table.unknown_as), row.then) for row in table.rows]
        self._bases[name] = frozenset[str]().union(*(self.bases(row.when) for row in table.rows))
        return lambda episode: next((outcome for holds, outcome in rows if holds(episode)), None)

    def _instrument_reader(self, name: str, instrument: Instrument) -> Reader:
        asked = self.asked(instrument)
        guards = [item.asked_when for item in instrument.items]
        items = frozenset(item.fact for item in instrument.items)
        self._bases[name] = items.union(*(self.bases(guard) for guard in guards))
        return lambda episode: _status(episode, asked)

    def _compile(self, condition: Condition, unknown_as: Mapping[str, str]) -> ThreeValued:
        match condition:
            case Test():
                return self._compile_test(condition, unknown_as.get(condition.name))
            case AllOf(terms):
                parts = [self._compile(term, unknown_as) for term in terms]
                return lambda episode: all_of(part(episode) for part in parts)
            case AnyOf(terms):
                parts = [self._compile(term, unknown_as) for term in terms]
                return lambda episode: any_of(part(episode) for part in parts)
            case Not(term):
                part = self._compile(term, unknown_as)
                return lambda episode: negate(part(episode))

    def _compile_test(self, test: Test, stands_for: str | None) -> ThreeValued:
        read = self.reader(test.name)
        values = accepted(test, self.domains[test.name])
        if test.operator == "known":
            wanted = test.values[0] == "yes"
            return lambda episode: (read(episode) is not None) is wanted

        def holds(episode: Episode) -> Truth:
            value = read(episode) or stands_for
            return None if value is None else value in values

        return holds


def always(_episode: Episode) -> bool:
    """The guard of what has no guard."""
    return True


def _fact_reader(name: str, fact: Fact) -> Reader:
    bands = tuple((band, high) for band, (_, high) in fact.bands.items())

    def read(episode: Episode) -> str | None:
        known = episode.facts.get(name)
        if known is None:
            return None
        value = known.value
        if isinstance(value, int):
            return next((band for band, high in bands if value <= high), None)
        return value if isinstance(value, str) else None

    return read


def _decision_reader(name: str) -> Reader:
    def read(episode: Episode) -> str | None:
        record = episode.decisions.get(name)
        return record.option if record is not None and record.cosigned else None

    return read


def _status(episode: Episode, asked: list[Asked]) -> str:
    if not any(fact in episode.facts for fact, _ in asked):
        return "not_started"
    answered = all(
        (known := episode.facts.get(fact)) is not None and known.value != "refused"
        for fact, is_asked in asked
        if is_asked(episode)
    )
    return "complete" if answered else "unfinished"


def waits_for_signature(episode: Episode) -> dict[str, StepRecord | DecisionRecord]:
    """Skipped steps and decisions that a second person has not signed yet; of one name the step first."""
    decisions = {**episode.decisions, **episode.unsigned}
    waiting = {name: record for name, record in decisions.items() if not record.cosigned}
    return waiting | {name: record for name, record in episode.steps.items() if not record.cosigned}


def obligation_state(episode: Episode, obligation: str) -> str:
    """none, open, overdue, or how it ended last."""
    owed = [one for one in episode.obligations.values() if one.obligation == obligation]
    if owed:
        return "overdue" if any(one.missed for one in owed) else "open"
    tally = episode.tallies.get(obligation)
    return tally.last if tally is not None and tally.last is not None else "none"


def _builtin_reader(name: str) -> Reader:
    prefix, _, rest = name.partition(".")
    match prefix:
        case "risk":
            return lambda episode: episode.risk
        case "peak_risk":
            return lambda episode: episode.peak_risk
        case "stage":
            return lambda episode: episode.stage
        case "handover":
            return lambda episode: "none" if episode.handover is None else "offered"
        case "cosignature":
            return lambda episode: "waiting" if waits_for_signature(episode) else "none"
        case "crisis":
            return lambda episode: "yes" if rest in episode.crisis_types else "no"
        case "attempts":
            return lambda episode: str(min(episode.attempts.get(rest, 0), MOST_ATTEMPTS))
        case "contact":
            return lambda episode: "yes" if rest in episode.contacts else "no"
        case "step":
            return lambda episode: record.status if (record := episode.steps.get(rest)) else "open"
        case "obligation":
            return lambda episode: obligation_state(episode, rest)
        case _:
            raise ValueError(f"no condition can read `{name}`")
