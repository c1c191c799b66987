"""Findings with their place in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocol.findings import Finding


@dataclass(frozen=True)
class Located:
    """A finding with its place in the file; line and column count from 1."""

    file: str
    line: int
    column: int
    finding: Finding

    def __str__(self) -> str:
        found = self.finding
        return f"{self.file}:{self.line}:{self.column}: {found.severity}: {found.message}\n    → {found.remedy}"


class SpecErrors(Exception):
    """A document that can't be used, with everything that is wrong with it."""

    def __init__(self, found: Iterable[Located]) -> None:
        self.found = tuple(found)
        super().__init__("\n".join(map(str, self.found)))
