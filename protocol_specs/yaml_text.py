"""The small and safe part of YAML 1.2 that documents are written in.

Mappings, lists, words, whole numbers, `true` and `false`.
`yes`, `no`, `on` and `12:30` stay words. Keys are always words. An empty value is an error.
Anchors, aliases, tags, merge keys, duplicate keys and several documents are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

from ruamel.yaml import cyaml, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from protocol.findings import Finding
from protocol_specs.located import Located, SpecErrors
from protocol_specs.syntax_words import broken


@dataclass(frozen=True)
class Limits:
    """How large a document may be."""

    size: int = 1_000_000
    """Bytes."""
    depth: int = 40
    nodes: int = 60_000
    """Keys, values and list items together."""
    findings: int = 100
    """Errors reported for one document."""


LIMITS = Limits()


def _nothing_inside() -> dict[str | int, Mark]:
    return {}


@dataclass(slots=True)
class Mark:
    """Where a value stands, where its key stands, and the marks of what is inside; counted from 0."""

    line: int
    column: int
    key_line: int
    key_column: int
    inner: dict[str | int, Mark] = field(default_factory=_nothing_inside)


_PARSER = cast("Any", cyaml.CParser)  # pyright: ignore[reportPrivateImportUsage, reportUnknownMemberType]
"""libyaml's own parser: twenty times faster than one written in Python."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_TRUTHS = {"true": True, "false": False}
_NOTHING = ("", "~", "null", "Null", "NULL")
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\u200a\u2010-\u2029\u202f-\u205f\u2070-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    "\U00010000-\U0010ffff]"
)
"""Control characters, and the invisible ones that make a text look different from what it says."""

_INDENTING = re.compile("^ *[\u00a0\u2000-\u200a\u202f\u205f\u3000]", re.MULTILINE)
"""Spaces that only look like one: a line that begins with them is not indented."""


def parse(text: str | bytes, file: str, limits: Limits = LIMITS) -> tuple[Any, Mark]:
    """Plain data of the only document in a text, and where each part stands.

    Raises SpecErrors with every error found; takes time and memory proportional to the limits.
    """
    return _Reader(file, limits).read(text)


def _end_of(text: str) -> tuple[int, int]:
    return text.count("\n"), len(text) - text.rfind("\n") - 1


class _Reader:
    """Builds data and marks from parser events, counting as it goes."""

    def __init__(self, file: str, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._found: list[Located] = []
        self._nodes = 0

    def read(self, text: str | bytes) -> tuple[Any, Mark]:
        clean = self._decode(text)
        try:
            result = self._document(_PARSER(clean))
        except MarkedYAMLError as error:
            self._stop(*broken(error, clean))
        except YAMLError as error:
            self._stop((0, 0), "this is not YAML", str(error)[:200])
        if self._found:
            raise SpecErrors(self._found)
        return result

    def _note(self, place: tuple[int, int], message: str, remedy: str) -> None:
        """Remember an error and read on, so that the author sees all of them."""
        line, column = place
        self._found.append(Located(self._file, line + 1, column + 1, Finding((), message, remedy)))
        if len(self._found) >= self._limits.findings:
            raise SpecErrors(self._found)

    def _stop(self, place: tuple[int, int], message: str, remedy: str) -> NoReturn:
        """Remember an error after which reading on makes no sense."""
        self._note(place, message, remedy)
        raise SpecErrors(self._found)

    def _decode(self, text: str | bytes) -> str:
        if len(text) > self._limits.size:
            self._stop((0, 0), f"the file is larger than {self._limits.size} bytes", "split it or shorten its texts")
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                before = text[: error.start].decode("utf-8", "replace")
                self._stop(_end_of(before), "this is not UTF-8 text", "save the file with the encoding UTF-8")
        if (match := _UNPRINTABLE.search(text)) is not None:
            place = _end_of(text[: match.start()])
            message = f"the invisible character U+{ord(match[0]):04X} is not allowed"
            self._stop(place, message, "delete it; it often comes in with pasted text")
        if (match := _INDENTING.search(text)) is not None:
            place = _end_of(text[: match.end() - 1])
            self._stop(place, f"U+{ord(match[0][-1]):04X} only looks like a space", "indent with plain spaces")
        return text

    def _document(self, parser: Any) -> tuple[Any, Mark]:
        parser.get_event()
        start = parser.get_event()
        if isinstance(start, events.StreamEndEvent):
            self._stop((0, 0), "the file is empty", "write the document")
        result = self._value(parser, parser.get_event(), 1, None)
        parser.get_event()
        end = parser.get_event()
        if not isinstance(end, events.StreamEndEvent):
            self._stop(_place(end), "a second document begins here", "keep one document a file: remove this `---`")
        return result

    def _value(self, parser: Any, event: Any, depth: int, key: tuple[int, int] | None) -> tuple[Any, Mark]:
        place = _place(event)
        self._count(place, depth)
        mark = Mark(*place, *(key or place))
        match event:
            case events.ScalarEvent():
                self._plain(event, place)
                return self._scalar(event), mark
            case events.MappingStartEvent():
                self._plain(event, place)
                return self._mapping(parser, mark, depth, flow=bool(cast("Any", event).flow_style)), mark
            case events.SequenceStartEvent():
                self._plain(event, place)
                return self._list(parser, mark, depth), mark
            case _:
                message = f"`*{event.anchor}` is an alias, which is not allowed"
                return self._stop(place, message, "write the value out")

    def _count(self, place: tuple[int, int], depth: int) -> None:
        self._nodes += 1
        if self._nodes > self._limits.nodes:
            self._stop(place, f"more than {self._limits.nodes} keys and values", "split the document")
        if depth > self._limits.depth:
            self._stop(
                place,
                f"nested more than {self._limits.depth} deep",
                "a document is never so deep; check the brackets",
            )

    def _plain(self, event: Any, place: tuple[int, int]) -> None:
        if event.anchor is not None:
            self._note(
                place,
                f"`&{event.anchor}` is an anchor, which is not allowed",
                "remove it and write values out",
            )
        if event.tag is not None:
            self._note(place, f"the tag `{str(event.tag)[:40]}` is not allowed", "remove it; put a text in quotes")

    def _scalar(self, event: Any) -> str | int | bool:
        text: str = event.value
        if event.style:
            return text
        if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        return _TRUTHS.get(text, text)

    def _list(self, parser: Any, mark: Mark, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := parser.get_event(), events.SequenceEndEvent):
            if _is_nothing(event):
                self._note(_place(event), "nothing is written here", "write a value, or delete it; put null in quotes")
            item, mark.inner[len(items)] = self._value(parser, event, depth + 1, None)
            items.append(item)
        return items

    def _mapping(self, parser: Any, mark: Mark, depth: int, *, flow: bool) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        empty: list[tuple[str, tuple[int, int]]] = []
        while not isinstance(event := parser.get_event(), events.MappingEndEvent):
            place = _place(event)
            key = self._key(event, place, depth)
            written = parser.get_event()
            if _is_nothing(written):
                empty.append((key, _place(written)))
                if not flow:
                    self._note_empty(mark, empty, 0)
                    empty.clear()
            value, inner = self._value(parser, written, depth + 1, place)
            if key in mapping:
                first = mark.inner[key].key_line + 1
                self._note(
                    place,
                    f"`{key[:40]}` is written twice; first in line {first}",
                    "delete or rename one of them",
                )
            mapping[key], mark.inner[key] = value, inner
        self._note_empty(mark, empty, len(mapping))
        return mapping

    def _note_empty(self, mark: Mark, empty: list[tuple[str, tuple[int, int]]], keys: int) -> None:
        if len(empty) == keys > 1:
            self._note(
                (mark.line, mark.column), "none of these has a value", "put a list in `[ ]`; `{ }` holds `name: value`"
            )
            return
        for key, place in empty:
            if keys and " " in key.strip():
                message = f"`{key[:40]}` has no colon and no value"
                self._note(place, message, "write `name: value`; put a text that contains a comma in quotes")
                continue
            remedy = "write its value, or further in below it what belongs to it; put `#` and null in quotes"
            self._note(place, f"nothing is written behind `{key[:40]}`", remedy)

    def _key(self, event: Any, place: tuple[int, int], depth: int) -> str:
        self._count(place, depth)
        if not isinstance(event, events.ScalarEvent):
            remedy = "write `name: value`; put a text with brackets in quotes"
            self._stop(place, "a key must be one word", remedy)
        self._plain(event, place)
        key, style = _scalar_of(event)
        if key == "<<" and not style:
            self._note(place, "merging with `<<` is not allowed", "write the keys out")
        return key


def _scalar_of(event: Any) -> tuple[str, str]:
    return event.value, event.style


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line, event.start_mark.column


def _is_nothing(event: Any) -> bool:
    return _is_word(event) and not event.style and event.value in _NOTHING


@dataclass(slots=True)
class Node:
    """A value with its place in the text: where a formatter may cut. Positions count characters from 0."""

    start: int
    end: int
    """After the last character of what is written; a block goes to the end of its last value."""
    column: int
    block: bool = False
    """A mapping or list without brackets."""
    items: list[tuple[str, int, Node]] = field(default_factory=list["tuple[str, int, Node]"])
    """Of a mapping: key, where the key begins, value. Of a list: an empty key, where the value begins, value."""
    kind: Literal["word", "mapping", "list"] = "word"


def outline(text: str) -> Node:
    """The shape of a document that `parse` accepts."""
    parser = _PARSER(text)
    for _ in range(2):
        parser.get_event()
    return _node(parser, parser.get_event(), text)


def _is_word(event: Any) -> bool:
    return isinstance(event, events.ScalarEvent)


def _is_end(event: Any) -> bool:
    return isinstance(event, (events.MappingEndEvent, events.SequenceEndEvent))


def _is_mapping(event: Any) -> bool:
    return isinstance(event, events.MappingStartEvent)


def _node(parser: Any, event: Any, text: str) -> Node:
    start, column = event.start_mark.index, event.start_mark.column
    if _is_word(event):
        written = text[start : event.end_mark.index]
        return Node(start, start + len(written.rstrip("\n ")), column)
    node = Node(start, start, column, block=not event.flow_style)
    node.kind = "mapping" if _is_mapping(event) else "list"
    inner: Any = parser.get_event()
    while not _is_end(inner):
        key, at = "", inner.start_mark.index
        if node.kind == "mapping":
            key, inner = inner.value, parser.get_event()
        node.items.append((key, at, _node(parser, inner, text)))
        inner = parser.get_event()
    node.end = node.items[-1][2].end if node.block else inner.end_mark.index
    return node
