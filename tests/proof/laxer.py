"""Every way to make a shipped protocol laxer with one stroke, at every place where it can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from protocol.elements import parse_duration
from protocol.findings import Path
from protocol.spec import LEVELS

GONE = object()
Data = Mapping[str, Any]


class Edit(NamedTuple):
    """What is written at a path instead; `GONE` deletes what stands there."""

    kind: str
    path: Path
    new: Any

    def of(self, written: Any) -> Any:
        """The document with this edit; what is not on its way is shared."""
        return _edited(written, self.path, self.new)


def _edited(value: Any, path: Path, new: Any) -> Any:
    key, *rest = path
    if isinstance(value, dict):
        mapping = cast("dict[str | int, Any]", value)
        inner = _edited(mapping.get(key, {}), tuple(rest), new) if rest else new
        return {name: one for name, one in {**mapping, key: inner}.items() if one is not GONE}
    listed = cast("list[Any]", value)
    inner = _edited(listed[int(key)], tuple(rest), new) if rest else new
    return [one for one in (inner if n == key else each for n, each in enumerate(listed)) if one is not GONE]


def edits(data: Data) -> Iterator[Edit]:
    """All of them, by section."""
    wider = min(data["roles"], key=lambda name: data["roles"][name].get("licensed", False))
    for name, owed in data["obligations"].items():
        yield from _of_obligation(("obligations", name), owed, wider)
    for name, ladder in data["ladders"].items():
        yield from _of_ladder(("ladders", name), ladder, wider)
    for name, stage in data["stages"].items():
        yield from _of_stage(("stages", name), stage)
    for name, step in data["steps"].items():
        yield from _of_step(("steps", name), step, wider)
    for name, decision in data["decisions"].items():
        yield from _of_decision(("decisions", name), decision, wider)
    yield from _of_risk(data["risk"])
    yield from _of_closing(data["closing"], wider)
    yield from _of_the_rest(data)


def _of_the_rest(data: Data) -> Iterator[Edit]:
    for section in ("refusals", "notices", "properties", "crisis_types"):
        yield from _gone(f"one of the {section} removed", (section,), data.get(section, {}))
    for name, party in data["parties"].items():
        if "permitted" in party:
            yield Edit("contact without consent", ("parties", name), _without(party, "permitted", "refusal"))
    for name, instrument in data["instruments"].items():
        yield from _gone("question removed", ("instruments", name, "items"), instrument["items"])
    for name, role in data["roles"].items():
        if not role.get("licensed"):
            yield Edit("counts as licensed", ("roles", name, "licensed"), True)


def _of_obligation(at: Path, owed: Data, wider: str) -> Iterator[Edit]:
    due: str | dict[str, Any] = owed["due"]
    if isinstance(due, str):
        yield Edit("due later", (*at, "due"), _longer(due))
    else:
        for key in ("ceiling", "otherwise"):
            if key in due:
                yield Edit("due later", (*at, "due", key), _longer(due[key]))
        for value, one in due.get("values", {}).items():
            yield Edit("due later", (*at, "due", "values", value), _longer(one))
    yield Edit("obligation removed", at, GONE)
    if owed["concern"] == "safety":
        yield Edit("no longer about safety", (*at, "concern"), "administrative")
    if owed.get("contact"):
        yield Edit("no live contact needed", (*at, "contact"), GONE)
    if owed.get("at_most", 1) > 1:
        yield Edit("opens fewer times", (*at, "at_most"), 1)
    yield from _gone("opens less", (*at, "opens"), owed["opens"])
    if "done" in owed["met_by"][0] and "when" in owed["met_by"][0]:
        yield Edit("ends while its condition fails", (*at, "met_by", 0, "when"), GONE)
    yield from _more("waived by more", (*at, "waived_by"), owed.get("waived_by", []), wider)
    if "waived_when" in owed:
        yield Edit("waived in more cases", (*at, "waived_when"), GONE)
    if owed.get("clock") == "safety" and isinstance(due, str):
        yield Edit("counted in days", at, {**owed, "clock": "calendar", "due": "9d"})


def _of_ladder(at: Path, ladder: Data, wider: str) -> Iterator[Edit]:
    yield from _gone("rung removed", (*at, "rungs"), ladder["rungs"])
    for number, rung in enumerate(ladder["rungs"]):
        path = (*at, "rungs", number)
        if rung["page"] != wider:
            yield Edit("rung for somebody else", (*path, "page"), wider)
        yield Edit("rung waits longer", (*path, "wait"), _longer(rung["wait"]))
        if len(rung["channels"]) > 1:
            yield Edit("channel removed", (*path, "channels"), ["email"])
    for key in ("repeat", "lease"):
        yield Edit(f"{key} longer", (*at, key), _longer(ladder[key]))
    if "lead" in ladder:
        yield Edit("first page at the deadline", at, {**_without(ladder, "lead"), "starts": "at_due"})


def _of_stage(at: Path, stage: Data) -> Iterator[Edit]:
    steps = stage.get("steps", [])
    yield from _gone("step removed", (*at, "steps"), steps)
    for number, one in enumerate(steps):
        if one.get("required", True):
            yield Edit("step not required", (*at, "steps", number, "required"), False)
    if "leave_when" in stage:
        yield Edit("left at any time", at, {**_without(stage, "leave_when", "leave_needs")})


def _of_step(at: Path, step: Data, wider: str) -> Iterator[Edit]:
    yield from _gone("answer not needed", (*at, "form"), step.get("form", []))
    yield from _gone("instrument not given", (*at, "instruments"), step.get("instruments", []))
    yield from _more("done by more", (*at, "roles"), step["roles"], wider)
    yield from _more("skipped by more", (*at, "skip_cosigned_by"), step.get("skip_cosigned_by", []), wider)


def _of_decision(at: Path, decision: Data, wider: str) -> Iterator[Edit]:
    yield from _more("decided by more", (*at, "roles"), decision["roles"], wider)
    if "cosigned_by" in decision:
        yield from _more("signed by more", (*at, "cosigned_by"), decision["cosigned_by"], wider)
        yield Edit("no second signature", at, _without(decision, "cosigned_by", "cosign"))


def _of_risk(risk: Data) -> Iterator[Edit]:
    for number, rule in enumerate(risk["rules"]):
        lower = LEVELS[LEVELS.index(rule["level"]) - 1]
        yield Edit("rule of risk weaker", ("risk", "rules", number, "level"), lower)
    yield from _gone("rule of risk removed", ("risk", "rules"), risk["rules"])
    lowering = risk["lowering"]
    if "requires" in lowering:
        yield Edit("lowered without more", ("risk", "lowering"), _without(lowering, "requires", "requires_words"))
    if risk["initial"] != "none":
        yield Edit("risk lower at first", ("risk", "initial"), "none")


def _of_closing(closing: Data, wider: str) -> Iterator[Edit]:
    requires = closing.get("requires", {})
    for name in requires:
        others = {
            key: {**one, "requires": [each for each in one.get("requires", []) if each != name]}
            for key, one in closing["outcomes"].items()
        }
        without = {**closing, "requires": _without(requires, name), "outcomes": others}
        yield Edit("closes without it", ("closing",), without)
        always = {"risk": list(LEVELS)}
        yield Edit("closes whatever is", ("closing", "requires", name, "when"), always)
    yield from _more("closed by more", ("closing", "roles"), closing["roles"], wider)


def _gone(kind: str, at: Path, listed: Any) -> Iterator[Edit]:
    keys: list[str | int] = list(cast("dict[str, Any]", listed) if isinstance(listed, dict) else range(len(listed)))
    yield from (Edit(kind, (*at, key), GONE) for key in keys)


def _more(kind: str, at: Path, roles: list[str], wider: str) -> Iterator[Edit]:
    if wider not in roles:
        yield Edit(kind, at, [*roles, wider])


def _longer(duration: str) -> str:
    amount, unit = parse_duration(duration)
    return f"{amount * 60 or 9}{unit}"


def _without(one: Data, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key not in keys}
