"""Looks a protocol over: reads it, checks it, and tells every finding with file, line, column and remedy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.check import check
from protocol.findings import dotted
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document, read_file, read_yaml
from protocol_specs.located import Located, SpecErrors

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence


@dataclass(frozen=True)
class Looked:
    """A document that was looked over."""

    spec: ProtocolSpec | None
    """The protocol that it is, also with errors that the checks found; None while it is none."""
    found: tuple[Located, ...]
    """All findings in reading order."""

    @property
    def usable(self) -> bool:
        """It is a protocol, and nothing found in it is an error."""
        return self.spec is not None and not any(one.finding.severity == "error" for one in self.found)


def lint(path: pathlib.Path) -> list[Located]:
    """All findings about a protocol file in reading order; empty when it is clean. Never raises for a bad file."""
    try:
        return list(_look(read_file(path)).found)
    except SpecErrors as errors:
        return list(errors.found)


def look(text: str | bytes, file: str = "draft") -> Looked:
    """Look a text over. Never raises for a bad text."""
    try:
        return _look(read_yaml(text, file))
    except SpecErrors as errors:
        return Looked(None, errors.found)


def _look(document: Document) -> Looked:
    try:
        spec = document.validate(ProtocolSpec)
    except SpecErrors as errors:
        return Looked(None, errors.found)
    return Looked(spec, tuple(document.locate(check(spec))))


def as_text(found: Sequence[Located]) -> str:
    """Findings for people: two lines each, and a last line that counts them."""
    return "\n".join([*map(str, found), summary(found)])


def summary(found: Sequence[Located]) -> str:
    """How many errors and warnings there are."""
    errors = sum(each.finding.severity == "error" for each in found)
    return f"{_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}"


def as_json(found: Sequence[Located]) -> str:
    """Findings for machines: a list of objects."""
    return json.dumps([as_object(each) for each in found], ensure_ascii=False, indent=2)


def as_object(each: Located) -> dict[str, str | int]:
    """One finding as plain data."""
    return {
        "file": each.file,
        "line": each.line,
        "column": each.column,
        "severity": each.finding.severity,
        "path": dotted(each.finding.path),
        "message": each.finding.message,
        "remedy": each.finding.remedy,
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
