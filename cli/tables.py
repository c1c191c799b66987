"""Tables and titles for people, drawn for the terminal; a module of its own, for drawing takes long to import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cli.output import say
from protocol.visible import visible

PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


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
