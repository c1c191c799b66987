"""Shows what a benchmark found and keeps it as JSON, with what it was measured on."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.tables import Row, tables

FOLDER = Path(__file__).parent / "results"


def show(name: str, measure: Callable[[], list[Row]]) -> None:
    """Measure, print the tables, keep the rows under this name."""
    sys.stdout.write(f"\n{name}\n\n")
    sys.stdout.flush()
    rows = measure()
    sys.stdout.write(f"{tables(rows)}\n")
    keep(name, rows)


def keep(name: str, rows: list[Row]) -> None:
    """Write a result with what it was measured on."""
    machine = {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()}
    document = {"measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": machine, "rows": rows}
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
