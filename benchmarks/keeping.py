"""Shows what a benchmark found and keeps it as JSON, with what it was measured on."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.tables import Row, markdown, tables

FOLDER = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def show(name: str, measure: Callable[[], list[Row]]) -> list[Row]:
    """Measure, print the tables, keep the rows under this name; the rows."""
    sys.stdout.write(f"\n{name}\n\n")
    sys.stdout.flush()
    rows = measure()
    sys.stdout.write(f"{tables(rows)}\n")
    keep(name, rows)
    return rows


def keep(name: str, rows: list[Row]) -> None:
    """Write a result with what it was measured on."""
    machine = {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()}
    document = {"measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": machine, "rows": rows}
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def write_into_docs(name: str, rows: list[Row]) -> None:
    """Put the tables into the page of the documentation, where it has a place for them."""
    DOCS.write_text(into_docs(DOCS.read_text(encoding="utf-8"), name, rows), encoding="utf-8")


def into_docs(text: str, name: str, rows: list[Row]) -> str:
    """A page with these figures between the marks of the benchmark; as it was where it has none."""
    begin, end = f"<!-- figures: {name} -->\n", f"<!-- end: {name} -->"
    before, marked, rest = text.partition(begin)
    _former, ended, after = rest.partition(end)
    return f"{before}{begin}\n{markdown(rows)}\n\n{end}{after}" if marked and ended else text
