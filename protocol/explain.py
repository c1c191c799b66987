"""Explains a decision table: which cases each row decides, where rows are missing or in each other's way, and what
happens while something is not known. Every answer comes with the facts that lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocol import saying as say
from protocol.checks.ground import Ground
from protocol.checks.space import Space
from protocol.elements import Table
from protocol.spec import ProtocolSpec
from protocol.words import plain

MOST_GROUPS = 6
"""Groups of cases that are shown of each kind."""

MOST_OVERLAPS = 12
"""Overlaps that are shown of a table, contradictions before the others."""

NO_OUTCOME = "no outcome"

Cases = Mapping[str, tuple[str, ...]]
"""A group of cases: the values each name may have; names that do not matter are left out."""


@dataclass(frozen=True, slots=True)
class RowExplained:
    """What a row does. Rows are numbered from 1."""

    number: int
    then: str
    when: str
    because: str
    applies: int
    """Cases in which its condition holds."""
    decides: int
    """Those of them that no row above has decided."""
    examples: tuple[Cases, ...]
    """Groups that cover what it decides, as far as they are shown."""
    covered_by: tuple[int, ...]
    """The rows above that take all its cases, when it decides none."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two rows that apply in the same cases; the upper one decides."""

    upper: int
    lower: int
    contradiction: bool
    examples: tuple[Cases, ...]
    """The first group of such cases."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What the table says while one name is not known."""

    name: str
    counts_as: str | None
    """The value of `unknown_as`; without one the rows that need the name do not apply."""
    outcomes: Mapping[str, Cases]
    """Each outcome that is then possible, with an example."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say of a table."""

    table: str
    title: str
    cases: int
    """Combinations of the values that the rows can tell apart."""
    names: tuple[str, ...]
    rows: tuple[RowExplained, ...]
    gaps: tuple[Cases, ...]
    open_cases: int
    """Cases without an outcome."""
    overlaps: tuple[Overlap, ...]
    """In the order of the rows; of very many the first, contradictions before the others."""
    more_overlaps: int
    """How many more there are."""
    unknowns: tuple[Unknown, ...]
    nothing_known: Mapping[str, Cases]
    """What the table says while none of the facts is known."""

    @property
    def sound(self) -> bool:
        """One outcome in every case, and no row for nothing."""
        idle = any(row.decides == 0 for row in self.rows)
        return not idle and self.open_cases == 0 and not any(one.contradiction for one in self.overlaps)

    def as_object(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {**asdict(self), "sound": self.sound}


def explain_all(spec: ProtocolSpec) -> dict[str, Explanation | None]:
    """Every table, as `explain` has it; together they may take no more work than the checks of a protocol."""
    ground = Ground(spec)
    return {name: _explained(ground, name) for name in spec.tables}


def explain(spec: ProtocolSpec, name: str) -> Explanation | None:
    """Explain a table; None when its rows can't be read or have too many combinations. Raises KeyError."""
    return _explained(Ground(spec), name)


def _explained(ground: Ground, name: str) -> Explanation | None:
    table = ground.spec.tables[name]
    space = ground.table_space(table)
    if space is None:
        return None
    masks = [space.split(row.when.condition).true for row in table.rows]
    pairs = _overlapping(table, masks)
    outcomes, gap = _outcomes(space, table, masks)
    unknowable = [one for one in space.names if ground.domains[one].may_be_unknown]
    dark = space.full
    for one in unknowable:
        dark &= space.where(one, None)
    return Explanation(
        table=name,
        title=table.title,
        cases=space.size,
        names=space.names,
        rows=tuple(_rows(space, table, masks)),
        gaps=_groups(space, gap),
        open_cases=gap.bit_count(),
        overlaps=tuple(_overlap(space, table, masks, *one) for one in pairs[:MOST_OVERLAPS]),
        more_overlaps=max(len(pairs) - MOST_OVERLAPS, 0),
        unknowns=tuple(
            Unknown(one, table.unknown_as.get(one), _said(space, outcomes, space.where(one, None)))
            for one in unknowable
        ),
        nothing_known=_said(space, outcomes, dark) if unknowable else {},
    )


def _outcomes(space: Space, table: Table, masks: Sequence[int]) -> tuple[Mapping[str, int], int]:
    """Outcome → its cases, and the cases without one; the first row that applies decides."""
    found: dict[str, int] = {}
    left = space.full
    for row, mask in zip(table.rows, masks, strict=True):
        found[row.then] = found.get(row.then, 0) | (mask & left)
        left &= ~mask
    return {**found, NO_OUTCOME: left}, left


def _rows(space: Space, table: Table, masks: Sequence[int]) -> Iterator[RowExplained]:
    left = space.full
    for number, (row, mask) in enumerate(zip(table.rows, masks, strict=True), 1):
        own = mask & left
        above = [upper for upper, other in enumerate(masks[: number - 1], 1) if other & mask]
        yield RowExplained(
            number=number,
            then=row.then,
            when=say.guard(row.when, ""),
            because=row.because,
            applies=mask.bit_count(),
            decides=own.bit_count(),
            examples=_groups(space, own),
            covered_by=() if own else tuple(above),
        )
        left &= ~mask


def _overlapping(table: Table, masks: Sequence[int]) -> list[tuple[int, int]]:
    """Each two rows that apply in the same cases, upper and lower; contradictions first where there are very many."""
    pairs = [(upper, lower) for lower, mask in enumerate(masks) for upper in range(lower) if masks[upper] & mask]
    if len(pairs) > MOST_OVERLAPS:
        pairs.sort(key=lambda pair: table.rows[pair[0]].then == table.rows[pair[1]].then)
    return pairs


def _overlap(space: Space, table: Table, masks: Sequence[int], upper: int, lower: int) -> Overlap:
    differs = table.rows[upper].then != table.rows[lower].then
    return Overlap(upper + 1, lower + 1, differs, (space.box(masks[upper] & masks[lower]).values,))


def _groups(space: Space, combinations: int) -> tuple[Cases, ...]:
    """Groups that together cover some combinations, the first few of them."""
    found: list[Cases] = []
    left = combinations
    while left and len(found) < MOST_GROUPS:
        seed = left & -left
        box = space.box(combinations, seed)
        found.append(box.values)
        left &= ~box.combinations
    return tuple(found)


def _said(space: Space, outcomes: Mapping[str, int], where: int) -> Mapping[str, Cases]:
    return {name: space.box(cases & where).values for name, cases in outcomes.items() if cases & where}


def as_text(explained: Explanation) -> str:
    """An explanation for people."""
    names = ", ".join(map(_spoken, explained.names))
    lines = [f"{explained.title} ({explained.table})", f"Reads {names}: {explained.cases} different cases.", ""]
    for row in explained.rows:
        lines += [f"Row {row.number} → {plain(row.then)}: {row.because}", f"  when {row.when}", f"  {_decides(row)}"]
    lines += ["", *_gap_lines(explained), *_overlap_lines(explained), "", *_unknown_lines(explained)]
    return "\n".join(lines)


def _spoken(name: str) -> str:
    return plain(name).replace(".", " ")


def _decides(row: RowExplained) -> str:
    if row.applies == 0:
        return "NEVER APPLIES: its terms exclude each other"
    if row.decides == 0:
        return f"NEVER COUNTS: {say.listed(f'row {one}' for one in row.covered_by)} decide all of its cases"
    return f"decides {_count(row.decides)}"


def _count(cases: int) -> str:
    return f"{cases} case{'' if cases == 1 else 's'}"


def _gap_lines(explained: Explanation) -> Iterator[str]:
    if not explained.gaps:
        yield "Gaps: none, every case has an outcome."
        return
    yield f"GAPS: {_count(explained.open_cases)} without an outcome, such as"
    yield from (f"  {say.cases(one)}" for one in explained.gaps)


def _overlap_lines(explained: Explanation) -> Iterator[str]:
    if not explained.overlaps:
        yield "Overlaps: none, no two rows apply in the same case."
        return
    yield "OVERLAPS:"
    for one in explained.overlaps:
        both = f"rows {one.upper} and {one.lower} both apply when {say.cases(one.examples[0])}"
        yield f"  {both}: " + (_contradiction(explained, one) if one.contradiction else "they say the same")
    if explained.more_overlaps:
        yield f"  and {explained.more_overlaps} more"


def _contradiction(explained: Explanation, one: Overlap) -> str:
    upper, lower = (explained.rows[number - 1].then for number in (one.upper, one.lower))
    return f"CONTRADICTION, {plain(upper)} decides and {plain(lower)} is not heard"


def _unknown_lines(explained: Explanation) -> Iterator[str]:
    if not explained.unknowns:
        yield "Nothing that it reads can be unknown."
        return
    yield "While something is unknown:"
    for one in explained.unknowns:
        counts = f"counts as {plain(one.counts_as)}" if one.counts_as else "stays unknown, only the rest decides"
        yield f"  {_spoken(one.name)} {counts}; possible then: {say.listed(one.outcomes, 'or')}"
    yield "  nothing known at all: " + "; ".join(
        plain(name) if len(explained.nothing_known) == 1 else f"{plain(name)} when {say.cases(_not_dark(cases))}"
        for name, cases in explained.nothing_known.items()
    )


def _not_dark(cases: Cases) -> Cases:
    """Without the names that are unknown."""
    return {name: values for name, values in cases.items() if "unknown" not in values}
