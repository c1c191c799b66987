"""Three-valued conditions over named values.

A condition is data: names, declared values, `all`, `any`, `not`.
There is no code and no expression language, so that every condition can be proved.
Each name reads as one of its declared values or as unknown (`None`).

As written in a protocol::

    when: {risk: {at_least: high}, weapon_present: yes, if_unknown: holds}
    when:
      any: [{cssrs_4: yes}, {cssrs_5: yes}]
      if_unknown: fails
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from protocol.findings import PartError, did_you_mean

Truth = bool | None
"""True, False, or None for unknown."""

IfUnknown = Literal["holds", "fails"]
Operator = Literal["is", "at_least", "at_most", "known"]

MAX_DEPTH = 6
MAX_TERMS = 60
MAX_LITERAL = 64


@dataclass(frozen=True)
class Test:
    """One comparison of a named value with declared values."""

    name: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True)
class AllOf:
    """Holds when every term holds."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """Holds when at least one term holds."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """Holds when the term fails."""

    term: Condition


Condition = Test | AllOf | AnyOf | Not


@dataclass(frozen=True)
class Guard:
    """A condition and the side that counts when it cannot be known.

    `if_unknown` may be left out only where no value it reads can be unknown;
    the checks of a protocol insist on it everywhere else.
    """

    condition: Condition
    if_unknown: IfUnknown | None = None

    def settle(self, truth: Truth) -> bool:
        """Turn a three-valued result into the decision that counts."""
        return self.if_unknown == "holds" if truth is None else truth

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse_guard,
            serialization=core_schema.plain_serializer_function_ser_schema(write_guard),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return GUARD_JSON_SCHEMA


_SCALAR: JsonSchemaValue = {"type": ["string", "integer"]}
GUARD_JSON_SCHEMA: JsonSchemaValue = {
    "type": "object",
    "description": (
        "A condition. Each `name: value` must match (several are joined by `all`). "
        "A value may be one value, a list of values, {at_least: v}, {at_most: v} or {known: yes}. "
        "`if_unknown` says which side counts while something is not known."
    ),
    "properties": {
        "all": {"type": "array", "items": {"type": "object"}, "description": "Each of these conditions must hold."},
        "any": {"type": "array", "items": {"type": "object"}, "description": "One of these conditions must hold."},
        "not": {"type": "object", "description": "This condition must not hold."},
        "if_unknown": {
            "enum": ["holds", "fails"],
            "description": "Which side counts while an answer is unknown: choose the cautious one.",
        },
    },
    "additionalProperties": {
        "anyOf": [
            _SCALAR,
            {"type": "array", "items": _SCALAR, "minItems": 1},
            {
                "type": "object",
                "properties": {
                    "at_least": {**_SCALAR, "description": "This value or one after it, in the declared order."},
                    "at_most": {**_SCALAR, "description": "This value or one before it, in the declared order."},
                    "known": {"enum": ["yes", "no"], "description": "Whether anything is recorded."},
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    },
    "minProperties": 1,
}


def parse_guard(written: object) -> Guard:
    """Read a guard as written in a protocol. Raises ValueError with a remedy."""
    if isinstance(written, Guard):
        return written
    terms = _mapping(written)
    if_unknown = terms.pop("if_unknown", None)
    if if_unknown not in (None, "holds", "fails"):
        raise ValueError("if_unknown must be `holds` or `fails`; write what counts while the answer is unknown")
    return Guard(_parse_terms(terms, depth=1), if_unknown)


def _mapping(written: object) -> dict[str, Any]:
    if not isinstance(written, Mapping) or not written:
        raise ValueError(
            "a condition is written like {risk: {at_least: high}}; name facts and values, there are no formulas"
        )
    mapping = cast(Mapping[object, Any], written)
    if not all(isinstance(key, str) for key in mapping):
        raise ValueError("the names in a condition must be words")
    if len(mapping) > MAX_TERMS:
        raise ValueError(f"a condition may have at most {MAX_TERMS} terms")
    return {str(key): value for key, value in mapping.items()}


JOINERS = {"or": "any", "either": "any", "and": "all", "both": "all", "if": "all", "none": "not", "unless": "not"}
"""What people write for the three words that join conditions."""


def _parse(written: object, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise ValueError(f"a condition may nest at most {MAX_DEPTH} deep; split it into a table")
    terms = _mapping(written)
    if "if_unknown" in terms:
        raise ValueError("if_unknown belongs to the whole condition, not to a part of it")
    return _parse_terms(terms, depth)


def _parse_terms(terms: Mapping[str, Any], depth: int) -> Condition:
    if not terms:
        raise ValueError("the condition has no terms beside if_unknown")
    parsed = tuple(_parse_term(name, value, depth) for name, value in terms.items())
    return parsed[0] if len(parsed) == 1 else AllOf(parsed)


def _parse_term(name: str, value: object, depth: int) -> Condition:
    if name in ("all", "any"):
        items = _listed(value)
        if not items:
            raise PartError(
                name, f"`{name}` takes a list of conditions; put each in braces and all in brackets, `[{{…}}, {{…}}]`"
            )
        if len(items) > MAX_TERMS:
            raise PartError(name, f"`{name}` may have at most {MAX_TERMS} conditions")
        parts = tuple(_parse(item, depth + 1) for item in items)
        return AllOf(parts) if name == "all" else AnyOf(parts)
    if name == "not":
        return Not(_parse(value, depth + 1))
    return _parse_test(name, value)


def _parse_test(name: str, value: object) -> Test:
    if isinstance(value, Mapping):
        operators = cast(Mapping[object, object], value)
        if len(operators) != 1:
            remedy = f"write `{name}: {{at_least: …}}`; two bounds are two conditions under `all`"
            raise PartError(name, f"`{name}` takes exactly one of at_least, at_most, known; {remedy}")
        (operator, operand), *_ = operators.items()
        if operator == "known":
            if operand not in ("yes", "no"):
                raise PartError(name, f"`{name}`: known takes yes or no; write `{{known: yes}}`")
            return Test(name, "known", (str(operand),))
        if operator == "at_least" or operator == "at_most":
            return Test(name, cast(Operator, operator), (_literal(name, operand),))
        unknown = str(operator)[:MAX_LITERAL]
        remedy = did_you_mean(unknown, ("at_least", "at_most", "known"))
        raise PartError(name, f"`{name}`: `{unknown}` is no comparison; {remedy}")
    items = _listed(value)
    if items is not None:
        if not items or len(items) > MAX_TERMS:
            raise PartError(name, f"`{name}` takes one to {MAX_TERMS} values; write `{name}: [one, two]`")
        return Test(name, "is", tuple(_literal(name, item) for item in items))
    return Test(name, "is", (_literal(name, value),))


def _listed(value: object) -> Sequence[object] | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return cast(Sequence[object], value)
    return None


def _literal(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise PartError(name, _no_value(name, value))
    text = str(value)
    if len(text) > MAX_LITERAL:
        raise PartError(name, f"`{name}` is compared with a value longer than {MAX_LITERAL} characters; shorten it")
    return text


def _no_value(name: str, value: object) -> str:
    if name in JOINERS:
        return f"`{name}` is no word of a condition; write `{JOINERS[name]}`"
    if isinstance(value, bool):
        return f"`{name}` is never `{str(value).lower()}`; an answer is a word: write `{'yes' if value else 'no'}`"
    return f"`{name}` must be compared with a declared value; write a word such as yes, no or a level"


def write_guard(guard: Guard) -> dict[str, Any]:
    """The canonical written form; `parse_guard` reads it back to an equal guard."""
    written = _write(guard.condition)
    if guard.if_unknown is not None:
        written["if_unknown"] = guard.if_unknown
    return written


def _write(condition: Condition) -> dict[str, Any]:
    match condition:
        case Test(name, "is", values):
            return {name: values[0] if len(values) == 1 else list(values)}
        case Test(name, operator, values):
            return {name: {operator: values[0]}}
        case AllOf(terms):
            return {"all": [_write(term) for term in terms]}
        case AnyOf(terms):
            return {"any": [_write(term) for term in terms]}
        case Not(term):
            return {"not": _write(term)}


def tests_in(condition: Condition) -> Iterator[Test]:
    """Every comparison in a condition, in writing order."""
    match condition:
        case Test():
            yield condition
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from tests_in(term)
        case Not(term):
            yield from tests_in(term)


def evaluate(condition: Condition, holds: Callable[[Test], Truth]) -> Truth:
    """Kleene's three-valued logic: unknown stays unknown unless the rest decides."""
    match condition:
        case Test():
            return holds(condition)
        case AllOf(terms):
            return all_of(evaluate(term, holds) for term in terms)
        case AnyOf(terms):
            return any_of(evaluate(term, holds) for term in terms)
        case Not(term):
            return negate(evaluate(term, holds))


def all_of(truths: Iterable[Truth]) -> Truth:
    """False if any is false, else unknown if any is unknown, else true. Stops at the first false."""
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def any_of(truths: Iterable[Truth]) -> Truth:
    """True if any is true, else unknown if any is unknown, else false. Stops at the first true."""
    result: Truth = False
    for truth in truths:
        if truth is True:
            return True
        if truth is None:
            result = None
    return result


def negate(truth: Truth) -> Truth:
    """Unknown stays unknown."""
    return None if truth is None else not truth
