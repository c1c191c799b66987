"""`holdfast protocol test`: plays the scenarios of a protocol and says what was not as expected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cli.output import say, say_json
from cli.tables import table
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_file
from protocol_specs.suite import Player, Result, try_one
from rehearsal.coverage import Coverage, as_text
from rehearsal.transcript import transcript


def try_all(spec: ProtocolSpec, files: Sequence[Path], player: Player) -> list[Result]:
    """Play each file; one that can't be read or played is a finding like any other."""
    return [try_one(spec, str(file), partial(read_file, file), player) for file in files]


def show(results: Sequence[Result], *, as_json: bool, tell: bool, coverage: Coverage | None = None) -> None:
    """The results as a table with every finding below it, or as JSON; with stories and coverage where asked."""
    if as_json:
        told = {"passed": all(one.passed for one in results), "scenarios": [one.as_json() for one in results]}
        say_json(told if coverage is None else {**told, "coverage": coverage.as_object()})
        return
    for result in results:
        if tell and result.report is not None:
            say(transcript(result.report))
    table("", ("Scenario", "Result", "Entries", "Time"), [_row(result) for result in results], "No scenario.")
    for result in results:
        for located in result.found:
            say(f"\n{located}")
    failed = sum(not one.passed for one in results)
    say(f"\n{len(results)} scenario{'s' * (len(results) != 1)}: " + (f"{failed} FAILED" if failed else "all passed"))
    if coverage is not None:
        say(f"\n{as_text(coverage)}")


def _row(result: Result) -> tuple[str, str, str, str]:
    name = result.scenario.title if result.scenario else Path(result.file).name
    entries = str(len(result.report.entries)) if result.report else "-"
    return name, "passed" if result.passed else f"FAILED ({len(result.found)})", entries, f"{result.seconds:.2f} s"
