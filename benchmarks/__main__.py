"""`python -m benchmarks [NAME …]`: measure, print tables, keep each result as JSON in `benchmarks/results`.

A benchmark is a module here with a function `run() -> list[Row]`. With `--into-docs` the tables also go into
`docs/benchmarks.md`, between the marks of those benchmarks that have some there.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks.keeping import show, write_into_docs

HERE = Path(__file__).parent
TOOLS = {"__init__", "__main__", "tables", "keeping", "chart", "peers", "bare", "embedded", "led", "sink"}
FIRST = ("core", "trail")


def names() -> list[str]:
    """Every benchmark, the quick ones first."""
    found = sorted({path.stem for path in HERE.glob("*.py")} - TOOLS)
    return [*(name for name in FIRST if name in found), *(name for name in found if name not in FIRST)]


def main() -> None:
    """Run the named benchmarks, or all."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("name", nargs="*", choices=[*names(), []], metavar="NAME")
    options.add_argument("--into-docs", action="store_true", help="write the tables into docs/benchmarks.md, too")
    chosen = options.parse_args()
    for name in chosen.name or names():
        rows = show(name, importlib.import_module(f"benchmarks.{name}").run)
        if chosen.into_docs:
            write_into_docs(name, rows)


if __name__ == "__main__":
    main()
