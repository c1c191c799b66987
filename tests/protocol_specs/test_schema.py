"""The published schemas are current, describe every key, and agree with the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol_specs.loader import read_file
from protocol_specs.schema import MODELS, json_schema, protocol_json_schema, schema_text
from protocol_specs.schema_words import EXAMPLES, PLAIN_VALUES, VALUES

ROOT = Path(__file__).parents[2]
PROTOCOLS = [ROOT / "tests/specs/minimal.yaml", *sorted((ROOT / "protocol_specs").glob("*.yaml"))]
SCENARIOS = sorted((ROOT / "protocol_specs/scenarios").glob("*/*.yaml"))


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schema_is_current(name: str) -> None:
    """When this fails: `holdfast protocol schema` prints the new one."""
    published = ROOT / "docs" / f"{name}.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text(name)


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_described(name: str) -> None:
    schema = json_schema(MODELS[name])
    bare = [
        f"{part}.{key}"
        for part, definition in {name: schema, **schema["$defs"]}.items()
        for key, field in definition.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def parts(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its place."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from parts(one, f"{path}/{number}")
    elif isinstance(value, dict):
        yield path, value
        for key, one in value.items():
            if key != "examples":
                yield from parts(one, f"{path}/{key}")


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_without_a_description(name: str) -> None:
    """Parts, and keys at any depth, conditions included."""
    schema = json_schema(MODELS[name])
    assert schema["description"]
    assert [part for part, one in schema["$defs"].items() if not one.get("description")] == []
    bare = [
        f"{path}.{key}"
        for path, one in parts(schema)
        if isinstance(one.get("properties"), dict) and not path.endswith("/properties")
        for key, field in one["properties"].items()
        if not field.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("name", MODELS)
def test_every_listed_value_is_explained(name: str) -> None:
    for path, one in parts(json_schema(MODELS[name])):
        values = one.get("enum") or ([one["const"]] if "const" in one else [])
        if isinstance(values, list) and values and tuple(values) not in PLAIN_VALUES:
            assert len(one.get("enumDescriptions", ())) == len(values), f"{path}: {values}"
            assert all(one["enumDescriptions"]), path


def test_no_explanation_and_no_example_is_left_over() -> None:
    schemas = [json_schema(model) for model in MODELS.values()]
    listed = {tuple(one.get("enum", ())) for schema in schemas for _, one in parts(schema)}
    assert [meanings for meanings in VALUES if tuple(meanings) not in listed] == []
    known = {
        f"{part['title']}.{key}"
        for schema in schemas
        for part in (schema, *schema["$defs"].values())
        for key in part.get("properties", {})
    }
    assert EXAMPLES.keys() <= known


@pytest.mark.parametrize("name", MODELS)
def test_every_example_may_be_written(name: str) -> None:
    schema = json_schema(MODELS[name])
    shown = [
        (f"{part['title']}.{key}", field, example)
        for part in (schema, *schema["$defs"].values())
        for key, field in part.get("properties", {}).items()
        for example in field.get("examples", ())
    ]
    assert len(shown) > 5
    assert [(key, found) for key, field, example in shown if (found := misfits(field, example, schema))] == []


def misfits(schema: dict[str, Any], value: Any, root: dict[str, Any], path: str = "") -> list[str]:
    """What a JSON Schema validator would say, for the part of JSON Schema that our schemas use."""
    if "$ref" in schema:
        return misfits(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root, path)
    if "anyOf" in schema or "oneOf" in schema:
        kinds = schema.get("anyOf") or schema["oneOf"]
        return min((misfits(kind, value, root, path) for kind in kinds), key=len)
    if "enum" in schema or "const" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{path}: {value} not in enum"]
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    kind = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}[type(value)]
    if wanted and kind not in wanted:
        return [f"{path}: {kind} instead of {wanted}"]
    if kind == "string" and not re.search(schema.get("pattern", ""), value):
        return [f"{path}: {value} does not match"]
    if kind == "array":
        items = schema.get("items", {})
        return [each for n, item in enumerate(value) for each in misfits(items, item, root, f"{path}[{n}]")]
    return misfits_inside(schema, value, root, path) if kind == "object" else []


def misfits_inside(schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], path: str) -> list[str]:
    found = [f"{path}.{key} is missing" for key in schema.get("required", []) if key not in value]
    for key, inner in value.items():
        patterns = [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        known = schema.get("properties", {}).get(key) or next(iter(patterns), schema.get("additionalProperties", {}))
        if known is False:
            found.append(f"{path}.{key} is not allowed")
        elif known is not True:
            found.extend(misfits(known, inner, root, f"{path}.{key}"))
    return found


@pytest.mark.parametrize("path", PROTOCOLS, ids=lambda path: path.stem)
def test_the_schema_accepts_what_the_reader_accepts(path: Path) -> None:
    data = read_file(path).data
    if "stages" in data:
        assert misfits(protocol_json_schema(), data, protocol_json_schema()) == []


SCENARIO_SCHEMA = json_schema(MODELS["scenario"])


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_scenario_schema_accepts_what_the_reader_accepts(path: Path) -> None:
    assert misfits(SCENARIO_SCHEMA, read_file(path).data, SCENARIO_SCHEMA) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("owner", "ownr", ".obligations.call_back.owner is missing"),
        ("due", "24 h", ".obligations.call_back.due: 24 h does not match"),
        ("concern", "safty", ".obligations.call_back.concern: safty not in enum"),
        ("why", None, ".obligations.call_back.why: "),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(old: str, new: str | None, expected: str) -> None:
    data = read_file(ROOT / "tests/specs/minimal.yaml").data
    obligation = data["obligations"]["call_back"]
    if old == "owner":
        obligation[new] = obligation.pop(old)
    else:
        obligation[old] = new if new is not None else ["null has no place in a document"]
    found = misfits(protocol_json_schema(), data, protocol_json_schema())
    assert any(each.startswith(expected) for each in found), found
