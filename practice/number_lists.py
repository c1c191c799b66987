"""The directory's numbers as lines of CSV: handed out to be checked, read back as proposals. A line for each way."""

from __future__ import annotations

import csv
import io

from audit.cells import as_meant, harmless
from practice.numbers import NumberError, Wanted
from protocol.directory import Directory

COLUMNS = ("resource", "title", "by", "number", "then", "reason")
"""`title` is there to be read; `reason` says where the number was read and is wanted where something changes."""
MOST_LINES = 2_000


def write_csv(directory: Directory) -> str:
    """Every way of every resource; the reasons are left to whoever checks."""
    told = io.StringIO(newline="")
    lines = csv.writer(told, lineterminator="\n")
    lines.writerow(COLUMNS)
    for name, one in directory.resources.items():
        lines.writerows((name, *map(harmless, (one.title, way.by, way.number, way.then)), "") for way in one.ways)
    return told.getvalue()


def read_csv(text: str, directory: Directory) -> tuple[Wanted, ...]:
    """What the lines want of each resource that they name, all its ways together. Raises NumberError with the line."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    ways: dict[str, list[dict[str, str]]] = {}
    reasons: dict[str, str] = {}
    try:
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise NumberError(f"the heading is: {','.join(COLUMNS)}")
        for count, row in enumerate(rows):
            if count >= MOST_LINES or None in row or None in row.values():
                raise NumberError(f"line {rows.line_num}: as many cells as the heading has, {MOST_LINES} lines at most")
            name = row["resource"].strip()
            if name not in directory.resources:
                raise NumberError(f"line {rows.line_num}: there is no resource {name[:48]!r}")
            ways.setdefault(name, []).append({key: as_meant(row[key].strip()) for key in ("by", "number", "then")})
            reasons[name] = row["reason"].strip() or reasons.get(name, "")
    except csv.Error as error:
        raise NumberError(f"line {rows.line_num} is no CSV: {error}") from None
    return tuple(Wanted(name, tuple(found), reasons[name]) for name, found in ways.items())
