"""The scenarios of a protocol, played: what was as expected, what was not and where, what all of them go through."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from protocol.findings import Finding
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document, read_yaml
from protocol_specs.located import Located, SpecErrors
from rehearsal.casting import problems
from rehearsal.coverage import Coverage, cover
from rehearsal.play import Report
from rehearsal.scenario import Scenario
from rehearsal.script import ScenarioError

Player = Callable[[Scenario], Report]
"""Plays one scenario: on the pure core, or through the real workflow."""

MEND = "mend the protocol, or the expectation if it was wrong"


@dataclass(frozen=True)
class Result:
    """How one scenario went."""

    file: str
    scenario: Scenario | None
    report: Report | None
    found: tuple[Located, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """It could be played and everything was as expected."""
        return not self.found

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "file": self.file,
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


def try_text(spec: ProtocolSpec, name: str, text: str, player: Player) -> Result:
    """Play a scenario; one that can't be read or played is a finding like any other."""
    return try_one(spec, name, partial(read_yaml, text, name), player)


def try_one(spec: ProtocolSpec, file: str, read: Callable[[], Document], player: Player) -> Result:
    """The same for a document that is still to be read."""
    began = time.monotonic()
    try:
        document = read()
        scenario = document.validate(Scenario)
    except SpecErrors as errors:
        return Result(file, None, None, errors.found, 0.0)
    if miscast := problems(spec, scenario):
        return Result(file, scenario, None, tuple(document.locate(miscast)), 0.0)
    try:
        report = player(scenario)
    except ScenarioError as error:
        return Result(file, scenario, None, tuple(document.locate([error.finding])), 0.0)
    return Result(file, scenario, report, _failures(document, report), time.monotonic() - began)


def _failures(document: Document, report: Report) -> tuple[Located, ...]:
    return tuple(document.locate(Finding(failure.path, str(failure), MEND) for failure in report.failures))


def covered(spec: ProtocolSpec, results: Sequence[Result]) -> Coverage:
    """What the scenarios that passed went through."""
    return cover(program(spec), [one.report for one in results if one.report is not None])
