"""Rows of a benchmark, and how they are shown and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median
from typing import Any

Row = dict[str, Any]
"""Column → value, in the order in which it is shown."""


def spread(name: str, values: Sequence[float]) -> Row:
    """Smallest, middle and greatest of several repeats."""
    return {f"{name} min": _short(min(values)), "median": _short(median(values)), "max": _short(max(values))}


def _short(value: float) -> float:
    return round(value, 2 if value < 10 else 1)


def tables(rows: Iterable[Row]) -> str:
    """Text tables; rows with the same columns stand together."""
    return "\n\n".join(_table(list(group)) for _, group in groupby(rows, key=tuple))


def _table(rows: list[Row]) -> str:
    cells = [list(rows[0]), *[[str(value) for value in row.values()] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(map(_cell, line, widths, range(len(widths)))) for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


def markdown(rows: Iterable[Row]) -> str:
    """The same tables for a page of the documentation."""
    return "\n\n".join(_markdown(list(group)) for _, group in groupby(rows, key=tuple))


def _markdown(rows: list[Row]) -> str:
    cells = [list(rows[0]), ["---"] * len(rows[0]), *[[str(value) for value in row.values()] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
