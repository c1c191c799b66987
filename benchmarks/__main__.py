"""`python -m benchmarks [NAME …]`: measure, print tables, keep each result as JSON in `benchmarks/results`.

A benchmark is a module here with a function `run() -> list[Row]`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.tables import Row, tables

HERE = Path(__file__).parent
TOOLS = {"__init__", "__main__", "tables", "chart", "peers", "bare", "embedded", "led", "sink"}
FIRST = ("core", "trail")


def names() -> list[str]:
    """Every benchmark, the quick ones first."""
    found = sorted({path.stem for path in HERE.glob("*.py")} - TOOLS)
    return [*(name for name in FIRST if name in found), *(name for name in found if name not in FIRST)]


def keep(name: str, rows: list[Row]) -> None:
    """Write a result with what it was measured on."""
    machine = {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()}
    document = {"measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": machine, "rows": rows}
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    """Run the named benchmarks, or all."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("name", nargs="*", choices=[*names(), []], metavar="NAME")
    for name in options.parse_args().name or names():
        sys.stdout.write(f"\n{name}\n\n")
        sys.stdout.flush()
        rows = importlib.import_module(f"benchmarks.{name}").run()
        sys.stdout.write(f"{tables(rows)}\n")
        keep(name, rows)


if __name__ == "__main__":
    main()
