"""Decision tables have exactly one answer for every combination of facts; tables and risk do not go in circles."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.checks.ground import Ground
from protocol.checks.space import Space
from protocol.conditions import tests_in
from protocol.elements import Row, Table
from protocol.findings import Finding, Path


def check_tables(ground: Ground) -> Iterator[Finding]:
    """Gaps, contradictions, rows that never count, outcomes that never come, circles."""
    for name, table in ground.spec.tables.items():
        yield from _unread_defaults(name, table)
        yield from _unused_outcomes(name, table)
        conditions = [row.when.condition for row in table.rows]
        if not all(map(ground.readable, conditions)):
            continue
        space = ground.table_space(table)
        if space is None:
            message = f"table {name} has too many combinations of values to be looked at"
            yield Finding(("tables", name), message, "split it into two tables, one reading the other")
        else:
            yield from _rows(space, name, table)
    yield from _circles(ground)
    yield from _risk_reads_risk(ground)


def _rows(space: Space, name: str, table: Table) -> Iterator[Finding]:
    """Each combination has one row; each row has a combination."""
    masks = [space.split(row.when.condition).true for row in table.rows]
    covered = 0
    for number, (row, mask) in enumerate(zip(table.rows, masks, strict=True)):
        path = ("tables", name, "rows", number)
        if mask == 0:
            yield Finding(path, "this row never applies", "two of its terms exclude each other; mend one")
        elif mask & ~covered == 0:
            yield Finding(path, "this row never counts: the rows above cover it", "delete it, or narrow those above")
        elif mask & covered:
            yield _overlap(space, path, row, mask, list(zip(table.rows, masks, strict=True))[:number])
        covered |= mask
    if gap := space.full & ~covered:
        case = _case(space, gap)
        message = f"no row of table {name} applies when {case}"
        remedy = "add a row for this case" + _stand_in(space, gap, table)
        yield Finding(("tables", name, "rows"), message, remedy)


def _overlap(space: Space, path: Path, row: Row, mask: int, above: list[tuple[Row, int]]) -> Finding:
    contradicting = [one for one in above if one[1] & mask and one[0].then != row.then]
    other, shared = contradicting[0] if contradicting else next(one for one in above if one[1] & mask)
    case = _case(space, shared & mask)
    if contradicting:
        message = f"this row says {row.then}, one above says {other.then}, and both apply when {case}"
        return Finding(path, message, "make them exclude each other")
    message = f"this row and one above both apply when {case}; only the first is given as the reason"
    return Finding(path, message, "make them exclude each other, or join them with `any`", "warning")


def _case(space: Space, combinations: int) -> str:
    return ", ".join(f"{name} is {value}" for name, value in space.example(combinations).items())


def _stand_in(space: Space, gap: int, table: Table) -> str:
    unknown = [name for name, value in space.example(gap).items() if value == "unknown"]
    bare = [name for name in unknown if name not in table.unknown_as]
    return f", or say in `unknown_as` what stands for an unknown {bare[0]}" if bare else ""


def _unread_defaults(name: str, table: Table) -> Iterator[Finding]:
    read = {test.name for row in table.rows for test in tests_in(row.when.condition)}
    for fact in table.unknown_as:
        if fact not in read:
            path = ("tables", name, "unknown_as", fact)
            yield Finding(path, f"no row reads `{fact}`", "delete this line", "warning", about_key=True)


def _unused_outcomes(name: str, table: Table) -> Iterator[Finding]:
    given = {row.then for row in table.rows}
    for outcome in table.outcomes:
        if outcome not in given:
            path = ("tables", name, "outcomes", outcome)
            yield Finding(path, f"no row gives `{outcome}`", "add a row, or delete the outcome", "warning")


def tables_read(ground: Ground) -> dict[str, set[str]]:
    """Table → the names that it reads."""
    return {
        name: {test.name for row in table.rows for test in tests_in(row.when.condition)}
        for name, table in ground.spec.tables.items()
    }


def reads_through(start: set[str], reads: dict[str, set[str]]) -> set[str]:
    """All names read from some names on, through tables."""
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead.extend(reads.get(name, ()))
    return found


def _circles(ground: Ground) -> Iterator[Finding]:
    reads = tables_read(ground)
    for name in reads:
        if name in reads_through(reads[name], reads):
            message = f"table {name} reads itself, directly or through another table"
            yield Finding(("tables", name), message, "let one of the tables read facts instead", about_key=True)


def _risk_reads_risk(ground: Ground) -> Iterator[Finding]:
    """A rule that reads the level it sets would never let it be lowered."""
    reads = tables_read(ground)
    for number, rule in enumerate(ground.spec.risk.rules):
        named = {test.name for test in tests_in(rule.when.condition)}
        for level in sorted(reads_through(named, reads) & {"risk", "peak_risk"}):
            path = ("risk", "rules", number, "when")
            message = f"this rule sets the risk and reads `{level}`" + ("" if level in named else " through a table")
            yield Finding(path, message, "read facts, or a table that does not read the risk")
