"""What conditions of a protocol read, and how long a due time can be at most."""

from __future__ import annotations

from protocol.conditions import Guard, Test, tests_in
from protocol.elements import SECONDS_OF_UNIT, parse_duration
from protocol.program import Program

DAY = 86_400


def worst_seconds(duration: str) -> int:
    """The longest that a duration can take: days end at midnight, may be an hour longer, and weekends do not count."""
    amount, unit = parse_duration(duration)
    if unit == "d":
        return (amount + 1) * DAY + 3600
    if unit == "wd":
        return (amount + 2 * (amount // 5 + 1) + MOST_HOLIDAYS) * DAY
    return amount * SECONDS_OF_UNIT[unit]


MOST_HOLIDAYS = 4
"""Days without work that may fall beside a weekend."""


def read_by(program: Program, guard: Guard | None) -> frozenset[str]:
    """What a guard depends on. A table that reads nothing but facts stands for itself: any outcome may come next."""
    if guard is None:
        return frozenset()
    found: set[str] = set()
    for test in tests_in(guard.condition):
        table = program.spec.tables.get(test.name)
        if table is None:
            found |= program.readers.bases(reads(test.name))
        elif is_plain(program, test.name):
            found.add(test.name)
        else:
            found = found.union(*(read_by(program, row.when) for row in table.rows))
    return frozenset(found)


def untangled(program: Program, names: frozenset[str]) -> frozenset[str]:
    """The names with tables opened up that share facts with another name: they do not move independently."""
    bases = {name: program.readers.bases(reads(name)) for name in names}
    tables = [name for name in names if name in program.spec.tables]
    tangled = [one for one in tables if any(bases[one] & bases[other] for other in names if other != one)]
    return (names - frozenset(tangled)).union(*(bases[name] for name in tangled))


def is_plain(program: Program, table: str) -> bool:
    """Whether a table reads nothing but facts, which anybody may answer anew at any time."""
    return program.readers.bases(reads(table)) <= program.spec.facts.keys()


def reads(name: str) -> Guard:
    return Guard(Test(name, "known", ("yes",)))
