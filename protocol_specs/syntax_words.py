"""Syntax errors of YAML in plain words, at the place where an author looks for them."""

from __future__ import annotations

import re
from typing import Any

MOST_LINES = 200
"""Lines that are looked through for the cause of a syntax error."""

_SYNTAX = {
    "mapping values are not allowed in this context": (
        "a colon stands where none is expected",
        "put a text that contains `: ` in quotes, and check the indentation of this line and the one above",
    ),
    "did not find expected key": (
        "this line does not fit the lines above it",
        "indent it like its neighbours; put a text that begins with a quote or a bracket wholly in quotes",
    ),
    "did not find expected ',' or '}'": (
        "this `{` is not closed",
        'add the missing `,` or `}`; put a text with `,` `:` or `?` in straight quotes `"`',
    ),
    "did not find expected ',' or ']'": (
        "this `[` is not closed",
        'add the missing `,` or `]`; put a text with `,` `:` or `?` in straight quotes `"`',
    ),
    "did not find expected node content": (
        "something is missing here",
        "close the `[` or `{`, or write the value",
    ),
    "did not find expected '-' indicator": (
        "this line does not continue the list above it",
        "begin it with `- `, indented like the other items",
    ),
    "could not find expected ':'": (
        "this line has no colon after its key",
        "write `key: value`, with a plain colon and a plain space",
    ),
    "block sequence entries are not allowed in this context": (
        "a list can't begin behind its key",
        "begin it in the next line, or write `[one, two]`; put a text that begins with `-` in quotes",
    ),
    "mapping keys are not allowed in this context": (
        "a key can't stand here",
        "put a text that begins with `?` in quotes",
    ),
    "did not find expected comment or line break": (
        "behind `|` and `>` nothing may follow in the same line",
        "begin the text in the next line, or put it in quotes",
    ),
    "found unknown escape character": (
        "a backslash in double quotes",
        "write it twice, or use single quotes",
    ),
    "found a tab character where an indentation space is expected": ("a tab", "indent with spaces"),
    "did not find expected alphabetic or numeric character": (
        "a text can't begin with `*` or `&`",
        "put the text in quotes",
    ),
    "did not find expected whitespace or line break": ("a text can't begin with `!` or `%`", "put the text in quotes"),
    "found unexpected document indicator": (
        "a line of `---` inside a text",
        "close the quote above it, or remove the line",
    ),
    "found character that cannot start any token": (
        "a text can't begin with this character",
        "put the text in quotes; indent with spaces, never with tabs",
    ),
    "found a tab character that violates indentation": ("a tab", "indent with spaces"),
    "found unexpected ':'": (
        "a colon inside a text between `{ }` or `[ ]`",
        "put the text in quotes, such as an address or a time of day",
    ),
    "found unexpected end of stream": ("this quote is never closed", "add the missing quote"),
    "found undefined tag handle": ("tags (`!…`) are not allowed", "put the text in quotes"),
}

_UNCLOSED = (
    "did not find expected ',' or '}'",
    "did not find expected ',' or ']'",
    "found unexpected end of stream",
    "could not find expected ':'",
)
"""These are told where the bracket or quote was opened, or the key begins."""

_CURLY = re.compile("(?:[:,\\[{-] *|^ *)([\u2018-\u201f\u00ab\u00bb])", re.MULTILINE)
"""A typographic quote where a text begins."""


_NO_COLON = re.compile("[{,] *([a-z_]+) +[\"'][^\"',{]*$")
"""A key without its colon, and a text in quotes behind it that is open still."""


def _before_a_colon(lines: list[str], row: int, column: int) -> tuple[tuple[int, int], str, str] | None:
    """What a colon within a text comes from: a key without its own, or a quote that the line above left open."""
    if (found := _NO_COLON.search(lines[row][:column])) is not None:
        return (row, found.start(1)), f"there is no colon behind `{found[1]}`", f"write `{found[1]}: …`"
    if row and lines[row - 1].count('"') % 2:
        return (row - 1, lines[row - 1].rindex('"')), "this quote is never closed", "add the missing quote"
    return None


def broken(error: Any, text: str) -> tuple[tuple[int, int], str, str]:
    """Place, message and remedy of a syntax error."""
    problem = str(error.problem or error.context)
    marks = (error.problem_mark, error.context_mark)
    first, second = reversed(marks) if problem in _UNCLOSED else marks
    mark: Any = first or second
    if marked := [one for one in marks if one is not None]:
        lines = text.split("\n")
        first_line, last = min(one.line for one in marked), max(one.line for one in marked)
        for number in range(first_line, min(last + 1, first_line + MOST_LINES, len(lines))):
            if (curly := _CURLY.search(lines[number])) is not None:
                message = f"{curly[1]} is a quote of a word processor, and does not count as one"
                return (number, curly.start(1)), message, 'write straight quotes: `"`'
        here: Any = error.problem_mark or mark
        row, column = int(here.line), int(here.column)
        stray = lines[row][column : column + 1] if row < len(lines) else ""
        if problem == "did not find expected key" and stray in ("}", "]"):
            return (row, column), f"this `{stray}` closes nothing", "delete it, or add what it should close"
        if problem == "found unexpected ':'" and (cause := _before_a_colon(lines, row, column)) is not None:
            return cause
    message, remedy = _SYNTAX.get(problem, (problem, "the guide shows how a document is written"))
    return (mark.line, mark.column) if mark else (0, 0), message, remedy
