"""`holdfast protocol test`: plays the scenarios of a protocol and says what was not as expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.output import say, say_json, table
from cli.shelf import read_scenario
from protocol.findings import Finding
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document
from protocol_specs.located import Located, SpecErrors
from rehearsal.casting import problems
from rehearsal.coverage import Coverage, as_text, cover
from rehearsal.play import Report
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript

Player = Callable[[Scenario], Report]
"""Plays one scenario: on the pure core, or through the real workflow."""

MEND = "mend the protocol, or the expectation if it was wrong"


@dataclass(frozen=True)
class Result:
    """How one scenario file went."""

    file: Path
    scenario: Scenario | None
    report: Report | None
    found: tuple[Located, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """It could be played and everything was as expected."""
        return not self.found

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "file": str(self.file),
            "scenario": self.scenario.scenario if self.scenario else None,
            "title": self.scenario.title if self.scenario else None,
            "basis": self.scenario.basis if self.scenario else None,
            "passed": self.passed,
            "entries": len(self.report.entries) if self.report else 0,
            "seconds": round(self.seconds, 3),
            "findings": [
                {"line": one.line, "column": one.column, "message": one.finding.message, "remedy": one.finding.remedy}
                for one in self.found
            ],
        }


def try_all(spec: ProtocolSpec, files: Sequence[Path], player: Player) -> list[Result]:
    """Play each file; one that can't be read or played is a finding like any other."""
    return [_try(spec, file, player) for file in files]


def _try(spec: ProtocolSpec, file: Path, player: Player) -> Result:
    began = time.monotonic()
    try:
        document, scenario = read_scenario(file)
    except SpecErrors as errors:
        return Result(file, None, None, errors.found, 0.0)
    if miscast := problems(spec, scenario):
        return Result(file, scenario, None, tuple(document.locate(miscast)), 0.0)
    report = player(scenario)
    return Result(file, scenario, report, _failures(document, report), time.monotonic() - began)


def _failures(document: Document, report: Report) -> tuple[Located, ...]:
    return tuple(document.locate(Finding(failure.path, str(failure), MEND) for failure in report.failures))


def covered(spec: ProtocolSpec, results: Sequence[Result]) -> Coverage:
    """What the scenarios that passed went through."""
    return cover(program(spec), [one.report for one in results if one.report is not None])


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
    name = result.scenario.title if result.scenario else result.file.name
    entries = str(len(result.report.entries)) if result.report else "-"
    return name, "passed" if result.passed else f"FAILED ({len(result.found)})", entries, f"{result.seconds:.2f} s"
