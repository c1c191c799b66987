"""Writes documents as people do: short things on one line, long ones spread out. `read_yaml` reads them back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

WIDTH = 116
"""Columns that a mapping or list may take on one line."""

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_ .()/+-]*[A-Za-z0-9_.)])?")
"""Words that mean themselves without quotes, also between brackets."""
_NOT_WORDS = frozenset({"true", "false", "null", "Null", "NULL"})


def yaml_text(document: Mapping[str, Any]) -> str:
    """A document of mappings, lists, words, whole numbers and truths. None stands nowhere in it."""
    return "".join(f"{line}\n" for line in _mapping(document, 0))


def _mapping(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, inner in value.items():
        lead = f"{' ' * indent}{_word(key)}:"
        flat = _flat(inner)
        if not isinstance(inner, (dict, list, tuple)) or indent + len(key) + len(flat) + 2 <= WIDTH:
            yield f"{lead} {flat}"
        else:
            yield lead
            yield from _block(cast("object", inner), indent + 2)


def _block(value: object, indent: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(cast("Mapping[str, Any]", value), indent)
        return
    for item in cast("Sequence[object]", value):
        flat = _flat(item)
        if isinstance(item, dict) and indent + len(flat) + 2 > WIDTH:
            first, *rest = _mapping(cast("Mapping[str, Any]", item), indent + 2)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{' ' * indent}- {flat}"


def _flat(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            pairs = cast("Mapping[str, Any]", value).items()
            return "{" + ", ".join(f"{_word(key)}: {_flat(inner)}" for key, inner in pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flat, cast("Sequence[object]", value))) + "]"
        case _:
            return _word(str(value))


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in _NOT_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
