"""The canonical layout of a protocol: keys in the order of the schema, two spaces a level, comments where they belong.

Only the order of keys, indentation and blank lines change: what is written inside a value stays as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

from protocol.findings import Finding
from protocol_specs.loader import Document, read_yaml
from protocol_specs.located import SpecErrors
from protocol_specs.schema import protocol_json_schema
from protocol_specs.yaml_text import Node, outline

STEP = 2
MOST_ROUNDS = 4
"""A layout that has not settled after so many rounds is a fault of ours."""

Schema = dict[str, Any]
_LINE_END = re.compile("\r\n?")


def laid_out(text: str) -> str:
    """The text in canonical layout. Raises SpecErrors for what is no document, AssertionError for a fault of ours."""
    return laid_out_from(read_yaml(text), text)[0]


def laid_out_from(before: Document, text: str) -> tuple[str, Document]:
    """The same for a text that was read already; what the layout was read back as comes with it."""
    if not isinstance(cast("object", before.data), dict):
        message, remedy = "this is no protocol: it has no `name: value` lines", "begin one with `holdfast protocol new`"
        raise SpecErrors(before.locate([Finding((), message, remedy)]))
    text, root = _LINE_END.sub("\n", text).rstrip() + "\n", protocol_json_schema()
    for _ in range(MOST_ROUNDS):
        again = _lines_laid(_Order(text, root).text())
        if again == text:
            after = read_yaml(text)
            assert after.data == before.data
            return text, after
        text = again
    raise AssertionError("the layout does not settle")


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


# Order of keys


class _Order:
    """Rewrites a document with the keys of each mapping in the order in which the schema has them."""

    def __init__(self, text: str, root: Schema) -> None:
        self._text, self._root = text, root

    def text(self) -> str:
        """The whole document."""
        node = outline(self._text)
        header = self._text[: node.start].rfind("\n\n") + 2 if "\n\n" in self._text[: node.start] else node.start
        rest = self._text[_line_end(self._text, node.end) :]
        return self._text[:header] + self._block(node, header, self._root) + rest

    def _value(self, node: Node, after: int, schema: Schema) -> str:
        """A value from the position `after`, at which its key or dash ends, to the end of its last line or bracket."""
        if node.block:
            first = _line_end(self._text, after) + 1
            if first <= node.start and node.kind == "mapping":
                return self._text[after:first] + self._block(node, first, schema)
            return self._text[after : node.start] + self._block(node, node.start, schema)
        if node.kind == "word" or not node.items:
            return self._text[after : node.end]
        return self._text[after : node.start] + self._flow(node, schema)

    def _block(self, node: Node, begins: int, schema: Schema) -> str:
        """A mapping or list without brackets, each entry with the comments above it."""
        parts: list[tuple[str, str, str]] = []
        at = begins
        for key, start, value in node.items:
            ends = _line_end(self._text, value.end)
            begin_of_line = self._text.rfind("\n", 0, start) + 1
            lead = self._text[at : max(at, begin_of_line)]
            kept = self._text[max(at, begin_of_line) : start]
            inner = self._value(value, start if not key else self._after_key(start, value), self._of(schema, node, key))
            body = self._text[start : self._after_key(start, value)] + inner if key else inner
            parts.append((key, lead, kept + body + self._text[value.end : ends]))
            at = min(ends + 1, len(self._text))
        if node.kind == "mapping":
            parts = self._in_order(node, begins, parts, schema)
        return "\n".join(lead + body for _, lead, body in parts)

    def _after_key(self, start: int, value: Node) -> int:
        return self._text.index(":", start, value.start + 1) + 1 if self._text[start] not in "\"'" else value.start

    def _in_order(
        self, node: Node, begins: int, parts: list[tuple[str, str, str]], schema: Schema
    ) -> list[tuple[str, str, str]]:
        rank = self._rank(schema, node)
        if rank is None:
            return parts
        moved = sorted(parts, key=lambda part: rank.get(part[0], len(rank)))
        if moved == parts or not self._text[self._text.rfind("\n", 0, begins) + 1 : begins].strip():
            return moved
        if moved[0][1].strip():
            return parts  # nowhere to put the comment of what would be first after a dash
        first, *others = moved
        indent = " " * node.column
        return [(first[0], "", first[2].lstrip()), *((k, lead, indent + body.lstrip()) for k, lead, body in others)]

    def _flow(self, node: Node, schema: Schema) -> str:
        """What stands in brackets: entries change places, what lies between them stays."""
        spans = [(start, value.end) for _, start, value in node.items]
        between = [self._text[end:start] for (_, end), (start, _) in pairwise(spans)]
        texts = [
            self._text[start : value.start] + self._value(value, value.start, self._of(schema, node, key))
            for key, start, value in node.items
        ]
        rank = self._rank(schema, node) if node.kind == "mapping" else None
        if rank is not None and not any("#" in one for one in between):
            order = sorted(range(len(texts)), key=lambda place: rank.get(node.items[place][0], len(rank)))
            texts = [texts[place] for place in order]
        inner = "".join(text + gap for text, gap in zip(texts, [*between, ""], strict=True))
        return self._text[node.start : spans[0][0]] + inner + self._text[spans[-1][1] : node.end]

    # What the schema says

    def _of(self, schema: Schema, node: Node, key: str) -> Schema:
        for one in self._kinds(schema):
            if node.kind == "list" and "items" in one:
                return one["items"]
            if node.kind == "mapping" and key in one.get("properties", {}):
                return one["properties"][key]
        for one in self._kinds(schema):
            others: list[Any] = [*one.get("patternProperties", {}).values(), one.get("additionalProperties")]
            inner = [cast("Schema", each) for each in others if isinstance(each, dict)]
            if node.kind == "mapping" and inner:
                return inner[0]
        return {}

    def _rank(self, schema: Schema, node: Node) -> dict[str, int] | None:
        keys = {key for key, _, _ in node.items}
        for one in self._kinds(schema):
            properties = one.get("properties", {})
            if one.get("additionalProperties") is False and keys <= properties.keys():
                return {name: place for place, name in enumerate(properties)}
        return None

    def _kinds(self, schema: Schema) -> Iterator[Schema]:
        if "$ref" in schema:
            yield from self._kinds(self._root["$defs"][schema["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(key, []):
                yield from self._kinds(one)
        yield schema


# Indentation


@dataclass
class _Lines:
    """Where each line goes: the column it belongs to, and by how much it moves."""

    text: str
    column: dict[int, int] = field(default_factory=dict[int, int])
    shift: dict[int, int] = field(default_factory=dict[int, int])
    inside: set[int] = field(default_factory=set[int])
    """Lines that continue a text: they move, and nothing else happens to them."""
    gaps: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """Lines with a dash and too many spaces after it: from and to."""

    def __post_init__(self) -> None:
        self._ends = [found.start() for found in re.finditer("\n", self.text)]

    def number(self, position: int) -> int:
        """The line of a position, from 0."""
        return bisect_left(self._ends, position)

    def dash_before(self, position: int) -> int:
        """Where the dash of a list's entry stands."""
        return self.text.rfind("-", 0, position)


def _lines_laid(text: str) -> str:
    """Each line at its column; then the blank lines. Moving a line sideways leaves its number as it was."""
    placed, node = _Lines(text), outline(text)
    _place(placed, node, 0, 0)
    moved = [_moved(placed, number, line) for number, line in enumerate(text.rstrip().split("\n"))]
    return _spaced(placed, moved, node)


def _place(lines: _Lines, node: Node, column: int, first: int) -> None:
    """Give the lines of a block, from `first` on, their column; then those of what is inside."""
    if not node.block:
        start = lines.number(node.start)
        if node.kind == "word":
            lines.inside.update(range(start + 1, lines.number(node.end) + 1))
        for _, _, value in node.items:
            _place(lines, value, column, start)
        return
    for number in range(first, lines.number(node.end) + 1):
        lines.column[number] = column
        lines.shift[number] = column - node.column
    for _, start, value in node.items:
        own = lines.number(start) if node.kind == "mapping" else lines.number(lines.dash_before(value.start))
        follows = own + 1
        if node.kind == "list" and lines.number(value.start) == own:
            dash = node.column
            if value.column != dash + STEP:
                lines.gaps[own] = (dash + 1, value.column)
        _place(lines, value, column + STEP, follows)


def _moved(lines: _Lines, number: int, line: str) -> str:
    shift = lines.shift.get(number, 0)
    if number in lines.gaps and number not in lines.inside:
        begins, ends = lines.gaps[number]
        line = f"{line[:begins]} {line[ends:]}"
    stripped = line.strip()
    if number in lines.inside:
        return _shifted(line, shift) if stripped else ""
    if stripped.startswith("#"):
        return " " * lines.column.get(number, 0) + stripped
    return _shifted(line.rstrip(), shift)


def _shifted(line: str, shift: int) -> str:
    return " " * shift + line if shift >= 0 else line[min(-shift, len(line) - len(line.lstrip())) :]


# Blank lines


def _spaced(placed: _Lines, lines: list[str], node: Node) -> str:
    """At most one blank line at once, and one before each part of the document that is longer than a line."""
    apart = dict(_parts(placed, lines, node))
    kept: list[str] = []
    for number, line in enumerate(lines):
        if number in apart:
            while kept and not kept[-1].strip():
                kept.pop()
            kept += [""] if apart[number] else []
        if number in placed.inside or line.strip() or (kept and kept[-1].strip()):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _parts(placed: _Lines, lines: list[str], node: Node) -> Iterator[tuple[int, bool]]:
    """The first line, comments included, of each part but the first, and whether a blank line stands before it."""
    long_before = False
    for place, (_, start, value) in enumerate(node.items):
        number = placed.number(start)
        is_long = value.block or value.kind == "mapping"
        while number > 0 and lines[number - 1].startswith("#"):
            number -= 1
        is_alone = number == placed.number(start)
        if place and (is_long or long_before or is_alone):
            yield number, is_long or long_before
        long_before = is_long
