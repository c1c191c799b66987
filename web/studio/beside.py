"""Beside the editor: the diagram, what changed in clinical words, the tables explained, sources and grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from protocol.diff import HEADINGS, ORDER, compare, summary
from protocol.diffs.change import Change, Effect
from protocol.elements import Element, Source
from protocol.explain import Explanation, explain_all
from protocol.findings import dotted
from protocol.spec import ProtocolSpec
from protocol.words import cited, plain
from web.guard import Visit
from web.protocols import picture
from web.studio.desk import OnDesk, compared_with
from web.thread import in_thread

Side = Literal["diagram", "changes", "tables", "sources"]
SIDES: dict[Side, str] = {"diagram": "Diagram", "changes": "What changes", "tables": "Tables", "sources": "Sources"}
GRADES = {
    "A": "official or primary text",
    "B": "secondary text",
    "C": "to be checked against the primary",
    "P": "program policy, needs clinical sign-off",
}


@dataclass(frozen=True, slots=True)
class Sourced:
    """Something in the protocol that names a source."""

    place: str
    title: str
    grade: str
    cited: str


async def beside(visit: Visit, desk: OnDesk, side: Side, nonce: str) -> dict[str, Any]:
    """What one side shows of a draft; nothing while the draft is no protocol."""
    spec = desk.reading.spec
    if spec is None:
        return {}
    match side:
        case "diagram":
            return {"diagram": picture(spec, nonce)}
        case "changes":
            return await changes(await compared_with(visit, desk.draft), spec)
        case "tables":
            return {"tables": await in_thread(explained, spec)}
        case "sources":
            return {"sourced": (listed := list(sourced(spec))), "grades": graded(listed), "meanings": GRADES}


async def changes(old: ProtocolSpec | None, new: ProtocolSpec) -> dict[str, Any]:
    """What a draft changes, laxer first."""
    if old is None:
        return {"old": None}
    found = await in_thread(compare, old, new)
    by_effect: dict[Effect, list[Change]] = {effect: [one for one in found if one.effect == effect] for effect in ORDER}
    groups = [(effect, HEADINGS[effect].capitalize(), changed) for effect, changed in by_effect.items()]
    return {"old": old, "summary": summary(found), "groups": [one for one in groups if one[2]]}


def explained(spec: ProtocolSpec) -> list[tuple[str, str, Explanation | None]]:
    """Every table with its explanation; None where its rows can't be compared case by case."""
    return [(name, spec.tables[name].title, told) for name, told in explain_all(spec).items()]


def sourced(spec: ProtocolSpec) -> Iterator[Sourced]:
    """Everything that names a source, in the order of the document."""
    yield from _sourced(spec, (), "")


def _sourced(part: object, path: tuple[str | int, ...], title: str) -> Iterator[Sourced]:
    if isinstance(part, Source):
        place = path[:-1]
        yield Sourced(dotted(place), title or plain(str(place[-1])), part.grade, cited(part))
    elif isinstance(part, Element):
        title = _title(part) or title
        for name in type(part).model_fields:
            yield from _sourced(getattr(part, name), (*path, name), title if path else "")
    elif isinstance(part, Mapping):
        for name, one in cast("Mapping[str, object]", part).items():
            yield from _sourced(one, (*path, name), plain(name).capitalize())
    elif isinstance(part, tuple):
        for number, one in enumerate(cast("tuple[object, ...]", part)):
            yield from _sourced(one, (*path, number), title)


def _title(part: Element) -> str:
    names = ("title", "ask", "because")
    return next((str(getattr(part, name)) for name in names if getattr(part, name, None)), "")


def graded(listed: list[Sourced]) -> list[tuple[str, int]]:
    """How many of each grade."""
    return sorted(Counter(one.grade for one in listed).items())


def laxer(found: Sequence[tuple[Effect, str, list[Change]]]) -> int:
    """How many changes make a protocol laxer."""
    return sum(len(changed) for effect, _, changed in found if effect == "laxer")
