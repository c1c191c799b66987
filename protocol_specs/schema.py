"""The published JSON Schemas of the documents, for completion and checks while typing in an editor."""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import TypeAdapter

from protocol.spec import ProtocolSpec
from rehearsal.scenario import Scenario

Schema = dict[str, Any]

MODELS: dict[str, type] = {"protocol": ProtocolSpec, "scenario": Scenario}
"""The documents with a published schema, by name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

COMMON = {
    "title": "What people read.",
    "purpose": "What it is for, in one sentence.",
    "source": "Where the number or rule comes from: a grade and references.",
    "roles": "Who may do it.",
    "because": "The reason a person reads.",
    "when": "The condition under which it counts.",
    "then": "The outcome of this row.",
    "clock": "safety: elapsed time (s, m, h); calendar: local days (d); business: working days (wd).",
    "due": "When it is due: a duration such as 24h, a table by a named value, or a recorded moment.",
    "opens": "What opens it: one or more triggers.",
    "met_by": "What ends it: any one of these pieces of evidence.",
    "ladder": "Who is paged, and when.",
    "wait": "How long to wait for an acknowledgement before the next rung.",
    "channels": "How the page travels.",
    "starts": "When the first page leaves.",
    "rungs": "Whom to page, one after the other.",
    "choices": "The values of a choice, in the order people see.",
    "minimum": "The lowest number.",
    "maximum": "The highest number.",
    "values": "The due time for each value.",
    "protocol": "The name of the protocol.",
    "version": "Three numbers; raise the first when something gets less strict.",
    "time_zone": "A name of the time zone database.",
    "initial": "The stage an episode begins in, or the risk it begins with.",
    "rules": "The highest rule that holds sets the least level.",
    "rows": "Each combination of facts has exactly one row.",
    "guidance": "Advice shown beside the form.",
    "question": "What the person decides.",
    "references": "Published texts that sources cite, by key.",
    "holidays": "Days that are no working days: date and name.",
    "working_days": "The days of the week that count.",
    "summary": "What the protocol is for, in a few sentences.",
    "signals": "What a person may notice.",
    "stage": "The name of a stage.",
    "step": "The name of a step.",
    "fact": "The name of a fact.",
    "facts": "Answers: the name of a fact and its value.",
    "unit": "What the number counts, as people read it.",
    "help": "What to know before asking.",
    "edition": "Which edition of the instrument, and which items.",
    "licence": "Who may use it, and on which terms.",
    "requires_words": "What `requires` asks for, in words.",
    "text": "What people read.",
    "why": "Why it is owed, in one sentence.",
    "within": "How soon it is due at the latest.",
    "url": "Where it is published.",
    "remedy": "What to do instead.",
    "level": "A risk level.",
    "note": "A remark for the reader.",
    "kind": "open, emergency (exactly one stage) or closed (exactly one stage).",
    "required": "The stage can't be left forward before it is done or skipped.",
    "techniques": "De-escalation guidance shown beside the form.",
    "event": "Something that happened to the episode as a whole.",
    "options": "Only these options count.",
    "met": "An obligation was met.",
    "missed": "An obligation was not met in time.",
    "waived": "An obligation was waived.",
    "scenario": "The name of the scenario.",
    "at": "When: 14:20 on the same day, +15m after the entry before, or a full date and time.",
    "by": "Who acts: one of `people`.",
    "do": "What is done.",
    "reason": "Why, in words.",
    "subject": "The step or decision that is signed.",
    "to": "The stage to go to, or the person to hand over to.",
    "crisis_type": "One of the protocol's crisis types.",
    "crisis_types": "The protocol's crisis types that are known at the beginning.",
    "party": "Whom somebody tried to reach.",
    "outcome": "How it went; only `reached` is a contact.",
    "channel": "How somebody was contacted.",
    "exception": "Why a contact that is not permitted was made.",
    "decision": "One of the protocol's decisions.",
    "option": "What was decided.",
    "rationale": "Why it was decided.",
    "refers_to": "The sequence of the entry that is commented or corrected.",
    "risk": "The level after this entry.",
    "owner": "Who owns it after this entry.",
    "closed": "Whether the episode is closed after this entry.",
    "not_open": "Obligations that are not open after this entry.",
    "notices": "Notices raised by this entry.",
    "events": "Kinds of events that happen in this entry.",
    "never_events": "Kinds of events that do not happen in this entry.",
    "overdue": "Whether its deadline has passed.",
    "acknowledged_by": "Who acknowledged it.",
    "obligation": "The name of an obligation.",
    "role": "The role that is paged, or that is on shift.",
    "rung": "The rung of the ladder, counted from 0.",
    "numbers": "Telephone numbers that are shown.",
    "drill": "An exercise, marked as one everywhere.",
    "person": "One of `people`.",
    "first": "The first day.",
    "last": "The last day.",
    "cover": "Who stands in.",
    "begins": "When it begins, local time.",
    "ends": "When it ends, local time.",
    "days": "The days of the week.",
}
"""Descriptions of keys that are told the same wherever they appear and have no text of their own."""


def json_schema(model: type) -> Schema:
    """The JSON Schema of a document: every key described, nothing that our reader refuses."""
    schema: Schema = TypeAdapter[Any](model).json_schema()
    definitions: dict[str, Schema] = schema.get("$defs", {})
    for part in (schema, *definitions.values()):
        for name, field in part.get("properties", {}).items():
            part["properties"][name] = _field(name, field, definitions)
    return {"$schema": DIALECT, **schema}


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
