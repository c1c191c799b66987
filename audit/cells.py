"""Lists in CSV as spreadsheets have them; a cell that begins like a formula is run, so it stands behind a `'`."""

from __future__ import annotations

from collections.abc import Sequence

_FORMULA = ("=", "+", "-", "@")


def harmless(value: str) -> str:
    """The cell as it is written."""
    return f"'{value}" if value[:1] in _FORMULA else value


def as_meant(value: str) -> str:
    """A cell that was written so, read again."""
    return value[1:] if value[:1] == "'" and value[1:2] in _FORMULA else value


def wrong_heading(written: Sequence[str], known: Sequence[str], needed: Sequence[str]) -> str | None:
    """What is wrong with the names of the columns, and which there are; None when nothing is."""
    there = f"the columns are some of {', '.join(known)}"
    if len(written) == 1 and ";" in written[0]:
        return "the cells stand between semicolons: save the list as CSV with commas"
    if unknown := [name[:60] for name in written if name not in known]:
        return f"there is no column {', '.join(unknown)[:200]}; {there}"
    if missing := [name for name in needed if name not in written]:
        return f"the column {missing[0]} is missing; {there}"
    if twice := next((name for name in written if written.count(name) > 1), None):
        return f"the column {twice} stands there twice"
    return None
