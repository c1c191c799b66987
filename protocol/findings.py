"""What a check has to say about a document: where, what, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""The keys and positions that lead to a place in a document."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (error) or looks wrong (warning)."""

    path: Path
    message: str
    remedy: str
    severity: Severity = "error"
    about_key: bool = False
    """The path ends with a key, and the finding is about that key, not about its value."""


class PartError(ValueError):
    """A part of a document that makes no sense; `part` names it, so that its place can be told."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


def dotted(path: Path) -> str:
    """A path as people write it: `stages.coping.steps[0].when`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the closest known words, or all of them when they are few."""
    choices = list(known)
    if close := get_close_matches(word, choices, n=2, cutoff=0.7):
        return f"did you mean {' or '.join(f'`{name}`' for name in close)}?"
    if not choices:
        return "nothing of this kind is declared yet; declare it first"
    some = ", ".join(choices[:12])
    return f"use one of: {some}" + (f" … ({len(choices)} in all)" if len(choices) > 12 else "")
