"""How the command line speaks: lines for people, JSON for machines, errors that say how to mend."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from protocol.visible import visible
from protocol_specs.located import SpecErrors

DONE = 0
FOUND = 1
"""Findings, failed expectations, a refused command."""
USAGE = 2
UNREACHABLE = 3
"""Temporal or the records do not answer."""

UNEXPECTED = 4
"""A fault of ours."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


_STEERING = re.compile("[\x7f-\x9f]")
"""What JSON leaves as it is though terminals obey it."""


class Trouble(Exception):
    """Ends a command: what is wrong, how to mend it, and the exit code."""

    def __init__(self, message: str, mend: str, code: int = FOUND) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.code = code


def say(text: str = "") -> None:
    """A line of text. Nothing in it steers the terminal."""
    typer.echo(visible(text))


def say_json(value: Any) -> None:
    """A value as indented JSON; times in RFC 3339."""
    text = json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False)
    typer.echo(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def warn(text: str) -> None:
    """A line beside the answer, for whoever reads the terminal."""
    typer.echo(visible(f"note:  {text}"), err=True)


def complain(trouble: Trouble) -> None:
    """The one style of an error."""
    typer.echo(visible(f"error: {trouble.message}\nmend:  {trouble.mend}"), err=True)


def complain_of(errors: SpecErrors) -> None:
    """Everything that is wrong with a document, each with its place and remedy."""
    typer.echo(visible("\n".join(map(str, errors.found))), err=True)
