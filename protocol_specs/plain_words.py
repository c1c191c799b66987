"""Validation errors of a document in plain sentences with a remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from protocol.findings import Finding, Path, did_you_mean, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

    Entry = tuple[Path, ErrorDetails]
    Schema = dict[str, Any]

MOST_ERRORS = 1000
"""Validation errors looked at; a document with more is reported by its first ones."""

_KEY = "[key]"
"""How pydantic marks an error about a key of a mapping."""

_FORMS = {
    r"^[a-z][a-z0-9_]{0,47}$": (
        "is not a name",
        "write lower-case words joined by underscores, at most 48 characters, such as `safety_plan`",
    ),
    r"^[1-9][0-9]{0,4}(s|m|h)$": (
        "is not a span of elapsed time",
        "write a whole number and s, m or h, such as `15m` or `24h`",
    ),
    r"^\d+\.\d+\.\d+$": ("is not a version", "write three numbers, such as `1.0.0`"),
    r"^\d{4}-\d{2}-\d{2}$": ("is not a day", "write it as year-month-day, such as `2026-12-25`"),
}

_SHAPES = {
    "string_type": ("must be a text", "put it in quotes"),
    "int_type": ("must be a whole number", "write digits only, without quotes, unit or decimals"),
    "bool_type": ("must be true or false", "write `true` or `false`, without quotes"),
    "dict_type": ("must be a mapping", "write `name: value` lines, indented below it"),
    "model_type": ("must be a mapping", "write `name: value` lines, indented below it"),
    "model_attributes_type": ("must be a mapping", "write `name: value` lines, indented below it"),
    "dataclass_type": ("must be a mapping", "write `name: value` lines, indented below it"),
    "tuple_type": (
        "must be a list",
        "put it in brackets, such as `[one, two]`, or write `- ` lines below it",
    ),
    "list_type": ("must be a list", "put it in brackets, such as `[one, two]`, or write `- ` lines below it"),
}


def plain_findings(error: ValidationError, data: Any, adapter: TypeAdapter[Any]) -> list[Finding]:
    """One finding for each thing the author has to mend."""
    details = error.errors(include_url=False)[:MOST_ERRORS]
    entries: list[Entry] = [(detail["loc"], detail) for detail in details]
    schemas = _Schemas(adapter)
    return [_finding(path, detail, schemas) for path, detail in _untangle(entries, (), data)]


def _untangle(entries: list[Entry], path: Path, value: Any) -> Iterator[Entry]:
    """Turn pydantic's locations into paths of the document.

    Where a value may be one of several kinds, pydantic reports each kind it tried;
    only the kind that fits best is kept.
    """
    inside: dict[str | int, list[Entry]] = {}
    kinds: dict[str | int, list[Entry]] = {}
    for rest, detail in entries:
        if not rest or rest[0] == _KEY or (len(rest) == 1 and detail["type"] == "missing"):
            yield (*path, *rest), detail
        elif _contains(value, rest[0]):
            inside.setdefault(rest[0], []).append((rest[1:], detail))
        else:
            kinds.setdefault(rest[0], []).append((rest[1:], detail))
    for part, below in inside.items():
        yield from _untangle(below, (*path, part), value[part])
    if kinds:
        yield from _untangle(min(kinds.values(), key=_misfit), path, value)


def _contains(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)  # pyright: ignore[reportUnknownArgumentType]


def _misfit(entries: list[Entry]) -> tuple[bool, bool, int]:
    """How badly a kind fits: wrong shape first, then wrong as a whole, then the number of errors."""
    wrong_shape = any(not rest and detail["type"] in _SHAPES for rest, detail in entries)
    wrong_as_whole = any(not rest for rest, _ in entries)
    return wrong_shape, wrong_as_whole, len(entries)


def _finding(path: Path, detail: ErrorDetails, schemas: _Schemas) -> Finding:
    about_key = path[-1:] == (_KEY,)
    path = path[:-1] if about_key else path
    if detail["type"] == "extra_forbidden":
        return _unknown_key(path, schemas)
    if detail["type"] == "missing":
        name, place = path[-1], dotted(path[:-1])
        message = f"`{name}` is missing in {place}" if place else f"`{name}` is missing"
        return Finding(path[:-1], message, _what_to_write(name, schemas.description(path)))
    if about_key:
        subject, written = f"`{path[-1]}`", path[-1]
    else:
        subject, written = f"`{_subject(path)}`", detail["input"]
    return Finding(path, *_sentence(subject, written, detail), about_key=about_key)


def _subject(path: Path) -> str:
    """The shortest name a reader recognises: the last word and what follows it."""
    words = [position for position, part in enumerate(path) if isinstance(part, str)]
    return dotted(path[words[-1] :]) if words else "the document"


def _unknown_key(path: Path, schemas: _Schemas) -> Finding:
    known = schemas.keys(path[:-1])
    place = dotted(path[:-1]) or "the document"
    return Finding(path, f"`{path[-1]}` is not a key of {place}", did_you_mean(str(path[-1]), known), about_key=True)


def _what_to_write(name: str | int, description: str) -> str:
    return f"add `{name}: …`" + (f" ({description})" if description else "")


def _sentence(subject: str, written: Any, detail: ErrorDetails) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _SHAPES:
        message, remedy = _SHAPES[kind]
        return f"{subject} {message}", remedy
    if kind == "value_error":
        message, _, remedy = str(context.get("error", detail["msg"])).partition("; ")
        return (
            f"{subject}: {message}",
            remedy or "mend this part; the guide on writing a protocol explains its keys",
        )
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"{subject} can't be {_shown(written)}", did_you_mean(str(written), choices)
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        message, remedy = _FORMS.get(pattern, ("does not have the expected form", f"it must match {pattern}"))
        return f"{subject}: {_shown(written)} {message}", remedy
    return _counted(subject, kind, context) or (f"{subject}: {detail['msg']}", "mend this part")


def _counted(subject: str, kind: str, context: dict[str, Any]) -> tuple[str, str] | None:
    match kind:
        case "too_long":
            return (
                f"{subject} has more than {context['max_length']} entries",
                "remove some, or split the document",
            )
        case "too_short":
            return f"{subject} needs at least {context['min_length']}", "add what is missing"
        case "string_too_long":
            return f"{subject} is longer than {context['max_length']} characters", "shorten it"
        case "string_too_short":
            return f"{subject} is empty", "write a text or delete the line"
        case "greater_than_equal":
            return f"{subject} is too small", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"{subject} is too large", f"write {context['le']} or less"
        case _:
            return None


def _shown(written: Any) -> str:
    text = str(written)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


class _Schemas:
    """The JSON Schema of a document, asked for the keys and descriptions at a path."""

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        self._root: Schema = adapter.json_schema()

    def keys(self, path: Path) -> list[str]:
        """The keys that a mapping at this path may have."""
        return [key for schema in self._at(path) for key in schema.get("properties", {})]

    def description(self, path: Path) -> str:
        """What a key means, in one line."""
        own = [parent.get("properties", {}).get(path[-1], {}) for parent in self._at(path[:-1])]
        texts = [schema["description"] for schema in (*own, *self._at(path)) if "description" in schema]
        return texts[0].splitlines()[0] if texts else ""

    def _at(self, path: Path) -> list[Schema]:
        found = list(self._kinds(self._root))
        for part in path:
            found = [kind for schema in found for inner in _inner(schema, part) for kind in self._kinds(inner)]
        return found

    def _kinds(self, schema: Schema) -> Iterator[Schema]:
        """The schema itself, or each of the kinds it may be."""
        if "$ref" in schema:
            yield from self._kinds(self._root["$defs"][schema["$ref"].rpartition("/")[2]])
        elif others := schema.get("anyOf") or schema.get("oneOf"):
            for other in others:
                yield from self._kinds(other)
        else:
            yield schema


def _inner(schema: Schema, part: str | int) -> list[Schema]:
    if isinstance(part, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(part) or schema.get("additionalProperties")
        found = found or next(iter(schema.get("patternProperties", {}).values()), None)
    return [found] if isinstance(found, dict) else []
