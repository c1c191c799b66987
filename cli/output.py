"""How the command line speaks: tables for people, JSON for machines, errors that say how to mend."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

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

PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""

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


class _Harmless(Console):
    """Shows what people wrote so that it steers no terminal; our own colours are no text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def console() -> Console:
    """Where tables go; without colour where NO_COLOR says so or nobody watches."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return _Harmless(width=width, highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], empty: str) -> None:
    """A table, or a sentence when there are no rows. Nothing in a cell is read as markup."""
    found = list(rows)
    if not found:
        say(empty)
        return
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, header_style="underline", overflow="fold")
    for row in found:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console().print(drawn)


def heading(text: str) -> None:
    """A title of a section."""
    console().print(Text(text, style="bold"))
