"""The published JSON Schemas of the documents, for completion and checks while typing in an editor."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter

from protocol.spec import ProtocolSpec
from protocol_specs.described import described
from protocol_specs.schema_words import COMMON, EXAMPLES, VALUES
from rehearsal.scenario import Scenario

Schema = dict[str, Any]

MODELS: dict[str, type] = {"protocol": ProtocolSpec, "scenario": Scenario}
"""The documents with a published schema, by name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def json_schema(model: type) -> Schema:
    """The JSON Schema of a document: every key described, every value explained, nothing that our reader refuses.

    Made once in a process, for every look at a draft's layout asks for it; nobody may change it.
    """
    schema: Schema = described(TypeAdapter[Any](model))
    definitions: dict[str, Schema] = schema.get("$defs", {})
    for part in (schema, *definitions.values()):
        for name, field in part.get("properties", {}).items():
            told = _field(name, field, definitions)
            examples = EXAMPLES.get(f"{part.get('title')}.{name}")
            part["properties"][name] = told | ({"examples": examples} if examples else {})
    _explain(schema)
    return {"$schema": DIALECT, **schema}


MEANINGS = {tuple(meanings): meanings for meanings in VALUES}


def _explain(part: Any) -> None:
    """Give each list of values the meaning of each value, as editors show it beside the value."""
    if isinstance(part, list):
        for one in cast("list[Any]", part):
            _explain(one)
    elif isinstance(part, dict):
        inner = cast("Schema", part)
        if meanings := MEANINGS.get(tuple(inner.get("enum", ()))):
            inner["enumDescriptions"] = list(meanings.values())
            inner["markdownEnumDescriptions"] = list(meanings.values())
        for one in list(inner.values()):
            _explain(one)


def protocol_json_schema() -> Schema:
    """The JSON Schema of a protocol."""
    return json_schema(ProtocolSpec)


def schema_text(name: str) -> str:
    """A published schema as it is written to `docs/<name>.schema.json`."""
    return json.dumps(json_schema(MODELS[name]), indent=2, ensure_ascii=False) + "\n"


def _field(name: str, field: Schema, definitions: dict[str, Schema]) -> Schema:
    """A field as an editor shows it: without machine-made titles and without `null`, which no document may write."""
    field = {key: value for key, value in field.items() if key != "title" and (key, value) != ("default", None)}
    kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    if kinds:
        field.pop("anyOf")
        field |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    described = field.get("description") or COMMON.get(name) or _of_what_it_holds(field, definitions)
    return field | ({"description": described} if described else {})


def _of_what_it_holds(field: Schema, definitions: dict[str, Schema]) -> str:
    """The description of the part that a field, its items or its entries consist of."""
    for schema in (field, field.get("items"), field.get("additionalProperties"), *_patterns(field)):
        if isinstance(schema, dict):
            target = cast("Schema", schema).get("$ref", "").rpartition("/")[2]
            if text := definitions.get(target, {}).get("description", ""):
                return text
    return ""


def _patterns(field: Schema) -> list[Any]:
    return list(field.get("patternProperties", {}).values())
