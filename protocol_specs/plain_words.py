"""Validation errors of a document in plain sentences with a remedy."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from protocol.findings import Finding, PartError, Path, did_you_mean, dotted
from protocol_specs.described import described
from protocol_specs.schema_words import EXAMPLES
from protocol_specs.writing import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    Entry = tuple[Path, ErrorDetails]
    Schema = dict[str, Any]

MOST_ERRORS = 1000
"""Validation errors looked at; a document with more is reported by its first ones."""

_KEY = "[key]"
"""How pydantic marks an error about a key of a mapping."""

_NAME = r"^[a-z][a-z0-9_]{0,47}$"
_FORMS = {
    _NAME: (
        "is not a name",
        "write lower-case words joined by underscores, at most 48 characters, such as `safety_plan`",
    ),
    r"^[1-9][0-9]{0,4}(s|m|h)$": (
        "is not a span of elapsed time",
        "write a whole number and s, m or h, such as `15m` or `24h`",
    ),
    r"^\d+\.\d+\.\d+$": ("is not a version", "write three numbers, such as `1.0.0`"),
    r"^\d{4}-\d{2}-\d{2}$": ("is not a day", "write it as year-month-day, such as `2026-12-25`"),
    r"^[A-Za-z_]+(/[A-Za-z_+\-0-9]+){0,2}$": (
        "is not a time zone",
        "use a name of the time zone database, with `_` for a space, such as `America/Los_Angeles`",
    ),
    r"(0|[1-9][0-9]{0,4})(s|m|h|d|wd)": ("is not a duration", "write a whole number and a unit, such as `24h` or `7d`"),
    r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?Z?$": (
        "is not a day with a time",
        "write both, such as `2026-12-01 14:05`",
    ),
    r"^(\+[1-9]\d{0,4}[smhd]|(\d{4}-\d{2}-\d{2}[ T])?\d{2}:\d{2}(:\d{2})?Z?)$": (
        "is not a time",
        "write `14:20`, `2026-12-01 14:20`, or how much later, such as `+15m`, `+2h` or `+1d`",
    ),
    r"^(\d{4}-\d{2}-\d{2}[ T])?\d{2}:\d{2}(:\d{2})?Z?$": ("is not a time", "write `14:20` or `2026-12-01 14:20`"),
    r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$": (
        "can't be a name",
        "write letters, digits and `. _ : -` without spaces, at most 64",
    ),
    r"^[A-Z]{2}$": ("is not a state", "write its two capital letters, such as `CA`"),
    r"^[^@\s<>\"',;:\\]{1,64}@[A-Za-z0-9.-]{1,190}$": ("is not an address", "write it as `name@example.org`"),
    r"^(\d{3}|\d{5,6}|\d{3}-\d{3}-\d{4})$": (
        "is not a telephone number",
        "write it as `911`, `741741` or `555-010-0123`, in quotes",
    ),
}

_MAPPING = ("must be made of `name: value` lines", "write them indented below it, or as `{name: value}`")
_SHAPES = {
    "string_type": ("must be a text", "put it in quotes"),
    "int_type": ("must be a whole number", "write digits only, without quotes, unit or decimals"),
    "bool_type": ("must be true or false", "write `true` or `false`, without quotes"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "tuple_type": (
        "must be a list",
        "put it in brackets, such as `[one, two]`, or write `- ` lines below it",
    ),
    "list_type": ("must be a list", "put it in brackets, such as `[one, two]`, or write `- ` lines below it"),
}


def plain_findings(error: ValidationError, data: Any, model: type[Any]) -> list[Finding]:
    """One finding for each thing the author has to mend."""
    details = error.errors(include_url=False)[:MOST_ERRORS]
    entries: list[Entry] = [(detail["loc"], detail) for detail in details]
    schemas = _Schemas(model)
    untangled = list(_untangle(entries, (), data))
    meant = _meant(untangled)
    slips = {(*path[:-1], key) for path, key in meant.items()}
    return [
        _unknown_key(path, schemas, meant.get(path))
        if detail["type"] == "extra_forbidden"
        else _finding(path, detail, schemas)
        for path, detail in untangled
        if not (detail["type"] == "missing" and path in slips)
    ]


def _meant(entries: list[Entry]) -> dict[Path, str]:
    """Unknown keys with the missing one beside them that was meant: one slip is one finding."""
    missing: dict[Path, list[str]] = {}
    for path, detail in entries:
        if detail["type"] == "missing" and isinstance(path[-1], str):
            missing.setdefault(path[:-1], []).append(path[-1])
    unknown: dict[Path, list[str]] = {}
    for path, detail in entries:
        if detail["type"] == "extra_forbidden" and path[:-1] in missing:
            unknown.setdefault(path[:-1], []).append(str(path[-1]))
    found: dict[Path, str] = {}
    for place, slips in unknown.items():
        left = missing[place]
        for slip in slips:
            alone = left[:1] if len(left) == len(slips) == 1 else []
            if near := get_close_matches(slip.lower(), left, 1, 0.7) or alone:
                found[*place, slip] = near[0]
                left = [key for key in left if key != near[0]]
    return found


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
    if detail["type"] == "missing" and isinstance(path[-1], int):
        message = f"`{_subject(path[:-1])}` needs one more entry"
        return Finding(path[:-1], message, "write them in brackets with a comma between, such as `[0, 3]`")
    if detail["type"] == "missing":
        name, place = path[-1], dotted(path[:-1])
        message = f"`{name}` is missing in {place}" if place else f"`{name}` is missing"
        return Finding(path[:-1], message, _what_to_write(name, schemas, path))
    if about_key:
        subject, written = f"`{path[-1]}`", path[-1]
    else:
        subject, written = f"`{_subject(path)}`" if path else "the document", detail["input"]
    if detail["type"] == "string_type" and (pattern := schemas.pattern(path)) in _FORMS:
        message, remedy = _FORMS[pattern]
        return Finding(path, f"{subject}: {_shown(written)} {message}", remedy)
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, PartError):
        message, remedy = _split(str(error))
        return Finding(
            (*path, error.part), f"{subject}: {message}" if message[0] != "`" else message, remedy, about_key=True
        )
    return Finding(path, *_sentence(subject, written, detail), about_key=about_key)


def _split(message: str) -> tuple[str, str]:
    told, _, remedy = message.partition("; ")
    return told, remedy


def _subject(path: Path) -> str:
    """The shortest name a reader recognises: the last word and what follows it."""
    words = [position for position, part in enumerate(path) if isinstance(part, str)]
    return dotted(path[words[-1] :]) if words else "the document"


def _unknown_key(path: Path, schemas: _Schemas, meant: str | None) -> Finding:
    place = dotted(path[:-1]) or "the document"
    if meant is None:
        remedy = did_you_mean(str(path[-1]), schemas.keys(path[:-1]))
    else:
        near = get_close_matches(str(path[-1]).lower(), [meant], 1, 0.7)
        remedy = f"did you mean `{meant}`?" if near else f"`{meant}` is missing here; write that, if you meant it"
    return Finding(path, f"`{path[-1]}` is not a key of {place}", remedy, about_key=True)


def _what_to_write(name: str | int, schemas: _Schemas, path: Path) -> str:
    description = schemas.description(path)
    example = schemas.example(path)
    such_as = f", such as `{example}`" if example else ""
    return f"add `{name}: …`{such_as}" + (f" ({description})" if description else "")


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
        message, remedy = _FORMS.get(pattern, ("does not have the expected form", "the guide shows how it is written"))
        told = _shown(written) if subject == _shown(written) else f"{subject}: {_shown(written)}"
        return f"{told} {message}", _as_name(str(written)) or remedy if pattern == _NAME else remedy
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


def _as_name(written: str) -> str:
    """How a name is written that was nearly one; empty where nobody can tell."""
    if re.search("[,;，]|[a-z0-9] [a-z0-9]", written):
        return "put a comma between two names; one name is lower-case words joined by underscores"
    name = re.sub(r"[^a-z0-9]+", "_", written.lower()).strip("_")
    return f"write `{name}`: lower-case words joined by underscores" if re.fullmatch(_NAME, name) else ""


def _shown(written: Any) -> str:
    if isinstance(written, (list, dict)):
        return "a list" if isinstance(written, list) else "`name: value`"
    text = str(written)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


@cache
def _schema_of(model: type[Any]) -> Schema:
    """Made once: it takes longer than all the rest of a check."""
    return described(TypeAdapter[Any](model))


class _Schemas:
    """The JSON Schema of a document, asked for the keys and descriptions at a path."""

    def __init__(self, model: type[Any]) -> None:
        self._root = _schema_of(model)

    def keys(self, path: Path) -> list[str]:
        """The keys that a mapping at this path may have."""
        return [key for schema in self._at(path) for key in schema.get("properties", {})]

    def description(self, path: Path) -> str:
        """What a key means, in one line."""
        own = [parent.get("properties", {}).get(path[-1], {}) for parent in self._at(path[:-1])]
        kinds = self._at(path)
        texts = [one["description"] for one in (*own, *(kinds if len(kinds) == 1 else ())) if "description" in one]
        return " ".join(texts[0].split("\n\n")[0].split()) if texts else ""

    def example(self, path: Path) -> str:
        """A key with a value that it may have, on one line; empty without an example."""
        for parent in self._at(path[:-1]):
            for one in EXAMPLES.get(f"{parent.get('title')}.{path[-1]}", ()):
                return yaml_text({str(path[-1]): one}).strip()
        return ""

    def pattern(self, path: Path) -> str:
        """The form that a text at this path must have; empty for any, or where it may be something else as well."""
        kinds = [one for one in self._at(path) if one.get("type") != "null"]
        return str(kinds[0].get("pattern", "")) if len(kinds) == 1 else ""

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
