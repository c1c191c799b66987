"""Two versions of a protocol: each change is found, told in clinical words, and never called harmless when unsure."""

from __future__ import annotations

import contextlib
import re
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from protocol.checks.ground import Ground
from protocol.diff import RULES, as_objects, as_text, compare
from protocol.diffs.change import Change, alike
from protocol.elements import Element
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol, read_yaml

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "tests/specs/minimal.yaml").read_text(encoding="utf-8")
SECTIONS = [one for one in re.split(r"(?m)^(?=[a-z_]+:)", TEXT) if re.match(r"[a-z_]+:", one)]
SHIPPED = sorted(path for path in (ROOT / "protocol_specs").glob("*.yaml") if path.stem not in ("directory", "rota"))


@cache
def written(section: str) -> dict[str, Any]:
    return read_yaml(section, "x.yaml").data


@cache
def minimal() -> ProtocolSpec:
    return ProtocolSpec.model_validate({key: value for one in SECTIONS for key, value in written(one).items()})


def changed(old: str, new: str) -> ProtocolSpec:
    """The fixture with another text in one of its sections, which alone is read again."""
    (section,) = [one for one in SECTIONS if old in one]
    assert section.count(old) == 1
    sections = [one.replace(old, new) if one is section else one for one in SECTIONS]
    return ProtocolSpec.model_validate({key: value for one in sections for key, value in written(one).items()})


def told(changes: list[Change]) -> list[str]:
    return [f"{one.effect}: {one.subject}: {one.text}" for one in changes]


# Old text, new text, and what is told, first change first
CASES = {
    "due later": (
        "imminent: 24h}, otherwise",
        "imminent: 48h}, otherwise",
        "laxer: Call the client back (call_back): due when risk is imminent: 24 h → 48 h — LONGER",
    ),
    "due by default": ("otherwise: 72h", "otherwise: 71h", "stricter: Call the client back (call_back): due when risk"),
    "due in other units": ("due: 4h", "due: 240m", "other: Settle (settle_limit): due: 4 h → 240 min — the same"),
    "due moment": ("plus: 15m", "plus: 20m", "laxer: Call at the agreed time (agreed_call): due after that moment"),
    "calendar days": ("due: 7d", "due: 8d", "laxer: End the follow-up (follow_up_limit): due: end of day 7"),
    "working days to hours": (
        "clock: business\n    due: 2wd",
        "clock: safety\n    due: 24h",
        "stricter: Write to the general practitioner (letter): clock",
    ),
    "hours to a day": (
        "clock: safety\n    due: 2h",
        "clock: calendar\n    due: 0d",
        "laxer: Come to a plan (talk_limit): clock",
    ),
    "obligation removed": (
        TEXT[TEXT.index("  agreed_call:") : TEXT.index("  care_decision:")],
        "",
        "laxer: Call at the agreed time (agreed_call): obligation removed",
    ),
    "opens less": (
        "      - {event: risk_raised, when: {stage: follow_up}}\n",
        "",
        "laxer: Call the client back (call_back): does not open any more when risk raised while stage is follow up",
    ),
    "opens more but re-arms": (
        "opens: [{done: agree_plan}]",
        "opens: [{done: agree_plan}, {done: listen}]",
        "laxer: Call at the agreed time (agreed_call): opens also when listen is done — but a deadline",
    ),
    "opens more and keeps": (
        "opens: [{when: {peak_risk: {at_least: high}}}]",
        "opens: [{when: {peak_risk: {at_least: high}}}, {done: listen}]",
        "stricter: Decide on care (care_decision): opens also when listen is done",
    ),
    "counts anew": (
        "opens: [{done: agree_plan}]",
        "opens: [{done: agree_plan, counts_anew: true}]",
        "laxer: Call at the agreed time (agreed_call): a pending deadline now counts anew the first time that agree",
    ),
    "opens at an earlier moment": (
        "opens: [{when: {peak_risk: {at_least: high}}}]",
        "opens: [{when: {peak_risk: {at_least: moderate}}}]",
        "laxer: Decide on care (care_decision): opens in more cases",
    ),
    "evidence added": (
        "met_by: [{decided: care}]",
        "met_by: [{decided: care}, {done: listen}]",
        "laxer: Decide on care (care_decision): evidence added: can now be ended when listen is done",
    ),
    "evidence with options": (
        "met_by: [{decided: care}]",
        "met_by: [{decided: care, options: [more]}]",
        "stricter: Decide on care (care_decision): ended by the decision for any option → more",
    ),
    "an attempt suffices": (
        "contact: true\n    owner: owner\n    clock: safety\n    due: {by: risk",
        "owner: owner\n    clock: safety\n    due: {by: risk",
        "laxer: Call the client back (call_back): no longer needs a live contact",
    ),
    "waived by more": (
        "waived_by: [supervisor]\n    waived_when",
        "waived_by: [supervisor, therapist]\n    waived_when",
        "laxer: Call the client back (call_back): role widened or narrowed: waived by: now also therapist",
    ),
    "waived in more cases": (
        "waived_when: {risk: {at_most: low}}",
        "waived_when: {risk: {at_most: moderate}}",
        "laxer: Call the client back (call_back): may be waived while: risk is at most low → risk is at most moderate",
    ),
    "opens at most": ("at_most: 3", "at_most: 4", "laxer: Call at the agreed time (agreed_call): opens at most"),
    "concern": (
        "concern: safety\n    contact",
        "concern: care\n    contact",
        "laxer: Call the client back (call_back): concern: safety → care",
    ),
    "another ladder": (
        "met_by: [{left: talk}]\n    ladder: daily",
        "met_by: [{left: talk}]\n    ladder: afterwards",
        "laxer: Come to a plan (talk_limit): first page: before due → at due",
    ),
    "rung removed": (
        "      - {page: supervisor, channels: [webhook, email], wait: 5m}\n",
        "",
        "laxer: By the minute (minutes): rung removed: supervisor is not paged any more (5 min)",
    ),
    "rung later": ("[webhook], wait: 2m", "[webhook], wait: 3m", "laxer: By the minute (minutes): supervisor is paged"),
    "channel removed": ("[webhook, email]", "[email]", "laxer: By the minute (minutes): supervisor is not paged by"),
    "lease longer": (
        "lease: 10m",
        "lease: 15m",
        "laxer: By the minute (minutes): “I am on it” silences it for (lease)",
    ),
    "repeat shorter": ("repeat: 5m", "repeat: 4m", "stricter: By the minute (minutes): last rung repeats every: 5 min"),
    "lead shorter": ("lead: 2h", "lead: 1h", "laxer: During the day (daily): first page before the deadline"),
    "risk rule removed": (
        TEXT[TEXT.index("    - level: high\n") : TEXT.index("    - level: moderate\n")],
        "",
        "laxer: Risk rule “A wish to die and nobody there.”: risk rule removed",
    ),
    "risk rule lower": (
        "- level: imminent",
        "- level: high",
        "laxer: Risk rule “A wish to die with the means at hand.",
    ),
    "risk rule wider": (
        "{wish_to_die: [yes, refused], means_at_hand: yes, if_unknown: fails}",
        "{wish_to_die: [yes, refused], if_unknown: fails}",
        "stricter: Risk rule “A wish to die with the means at hand.”: holds when",
    ),
    "unknown counts as safe": (
        "wish_to_die: yes, if_unknown: holds}",
        "wish_to_die: yes, if_unknown: fails}",
        "laxer: Distress scale (distress), distress 2: asked while: wish to die is yes — unknown now counts as if it",
    ),
    "stand-in for unknown": (
        "unknown_as: {wish_to_die: yes,",
        "unknown_as: {wish_to_die: no,",
        "laxer: Can the client stay alone? (company): unknown wish to die now counts as no instead of yes",
    ),
    "advice more intensive": (
        "{when: {peak_risk: {at_least: moderate}}, then: more, because: Risk was raised in this episode.}\n"
        "      - {when: {peak_risk: {at_most: low}}",
        "{when: {peak_risk: {at_least: low}}, then: more, because: Risk was raised in this episode.}\n"
        "      - {when: {peak_risk: {at_most: none}}",
        "stricter: Advice on care (care_advice): same → more when peak risk is low",
    ),
    "initial risk": ("initial: low", "initial: none", "laxer: Distress during a session: level at the beginning"),
    "lowering by more": (
        "roles: [therapist, supervisor]\n    requires",
        "roles: [therapist, supervisor, coordinator]\n    requires",
        "laxer: Distress during a session: role widened or narrowed: done by: now also coordinator",
    ),
    "answer not required": (
        "form: [wish_to_die]\n    optional: [means_at_hand, substances]",
        "form: []\n    optional: [wish_to_die, means_at_hand, substances]",
        "laxer: Listen (listen): must be answered: no longer wish to die",
    ),
    "step may be skipped": (
        "    title: Send help\n    form: [help_sent]\n",
        "    title: Send help\n    form: [help_sent]\n    skip_cosigned_by: [supervisor]\n",
        "laxer: Send help (send_help): a skip is co-signed by: now supervisor (was: can't be skipped)",
    ),
    "step in fewer cases": (
        "{step: means_safety, when: {risk: {at_least: high}}}",
        "{step: means_safety, when: {risk: imminent}}",
        "laxer: Settle (settle), step Put the means out of reach (means_safety): belongs to the stage while",
    ),
    "leave in more cases": ("    leave_when: {company: alone}\n", "", "laxer: Settle (settle): may be left when"),
    "crisis type asks less": (
        "adds: {talk: [means_safety]}",
        "adds: {}",
        "laxer: Overdose (overdose): step removed in",
    ),
    "contact without consent": (
        "    permitted: {consent_friend: given, if_unknown: fails}\n    refusal: There is no consent.\n",
        "",
        "laxer: Friend (friend): contact permitted when",
    ),
    "no second signature": (
        "    cosigned_by: [supervisor]\n    cosign: below_advice\n",
        "",
        "laxer: Care from now on (care): needs no second signature (was: co-signed by supervisor)",
    ),
    "phrase": (
        "[gun, knife]",
        "[gun]",
        "laxer: A weapon was mentioned. (weapon): phrases listened for: no longer knife",
    ),
    "refuses less": (
        "options: [same], when: {risk: {at_least: high}}}",
        "options: [same], when: {risk: imminent}}",
        "laxer: no less care: refuses while",
    ),
    "ends more easily": (
        "low_enough: {when: {risk: {at_most: moderate}}",
        "low_enough: {when: {risk: {at_most: high}}",
        "laxer: Closing: low enough: fulfilled when",
    ),
    "needed for one outcome alone": (
        "transferred: {title: Transferred, requires: [help_there]}",
        "transferred: {title: Transferred, requires: [help_there, low_enough]}",
        "laxer: Settled (settled): may now end so without: low enough",
    ),
    "holiday": ("Christmas Day}", "Christmas Day, '2026-12-31': Rest}", "laxer: Distress during a session: holidays"),
    "property": ("within: 1h", "within: 2h", "laxer: In an emergency help is owed (danger_is_owed): within: 1 h → 2 h"),
    "risk higher from the start": ("initial: low", "initial: high", "laxer: Distress during a session: level at the"),
    "one more question": (
        "      - {fact: distress_1}\n",
        "      - {fact: distress_1}\n      - {fact: means_at_hand}\n",
        "laxer: Distress scale (distress): question added: means at hand — but its status and score now wait for it",
    ),
    "step that ends something": (
        "steps: [{step: listen}]",
        "steps: [{step: listen}, {step: send_help, required: false}]",
        "laxer: Talk (talk): optional step added: Send help (send_help) — what it ends can now be ended here too",
    ),
    "stage added": (
        "  follow_up:\n    title: Follow-up\n  em",
        "  follow_up:\n    title: Follow-up\n  rest:\n    title: Rest\n  em",
        "laxer: Rest (rest): stage added",
    ),
    "required step added": (
        "steps: [{step: listen}]",
        "steps: [{step: listen}, {step: means_safety}]",
        "stricter: Talk (talk): required step added: Put the means out of reach (means_safety)",
    ),
    "script": ("at another address.", "elsewhere.", "laxer: Distress during a session: what to say to the emergency"),
    "title alone": ("title: Talk", "title: Talk first", "other: Talk first (talk): title changed"),
    "same condition": (
        "when: {risk: {at_most: moderate}}, otherwise",
        "when: {risk: [none, low, moderate]}, otherwise",
        "other: Closing: low enough: fulfilled when: written in another way, with the same meaning",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_told_and_classified(case: str) -> None:
    old, new, expected = CASES[case]
    said = told(compare(minimal(), changed(old, new)))
    assert any(line.startswith(expected) for line in said), said
    assert said[0].partition(":")[0] == expected.partition(":")[0]


@pytest.mark.parametrize("case", [case for case, (_, _, expected) in CASES.items() if expected.startswith("stricter")])
def test_the_way_back_from_stricter_is_laxer(case: str) -> None:
    old, new, _ = CASES[case]
    assert compare(changed(old, new), minimal())[0].effect == "laxer"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_protocol_does_not_differ_from_itself(path: Path) -> None:
    spec = load_protocol(path)
    assert compare(spec, spec.model_copy(deep=True)) == []


def models() -> set[type[Element]]:
    """Every model that a protocol is made of."""
    found: set[type[Element]] = set()

    def walk(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, Element) and annotation not in found:
            found.add(annotation)
            for field in annotation.model_fields.values():
                walk(field.annotation)
        for argument in typing.get_args(annotation):
            walk(argument)

    walk(ProtocolSpec)
    return found


def test_every_field_has_a_rule() -> None:
    """A new field must be compared, or be called `wording`: not safety-relevant."""
    assert {one.__name__ for one in models()} == {one.__name__ for one in RULES}
    for model in models():
        assert set(RULES[model]) == set(model.model_fields), model.__name__


def other_values(value: Any) -> Iterator[Any]:
    """Values near a written one."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case str():
            yield from (f"{value[:-1]}7{value[-1]}" if value[:1].isdigit() else f"{value} too", "safety", "before_due")
            yield from ("at_due", "keep", "holds", "fails", "care", "high", "none", "closed", "yes", "no", "supervisor")
        case list():
            listed = cast("list[Any]", value)
            yield from (listed[1:], listed[::-1])
        case dict():
            pairs = list(cast("dict[str, Any]", value).items())
            yield from (dict(pairs[1:]), dict(reversed(pairs)))
        case _:
            return


def neighbours() -> Iterator[tuple[str, ProtocolSpec]]:
    """For each field that the fixture writes: a protocol in which it alone is different."""
    seen: set[tuple[type[Element], str]] = set()
    for path, element in Ground(minimal()).elements[1:]:
        written = element.model_dump(mode="json", exclude_defaults=True)
        for field in [one for one in written if (type(element), one) not in seen]:
            other = next(others(element, written, field), None)
            if other is not None:
                seen.add((type(element), field))
                yield f"{type(element).__name__}.{field}", replaced(minimal(), path, other)


def others(element: Element, written: dict[str, Any], field: str) -> Iterator[Element]:
    for value in other_values(written[field]):
        with contextlib.suppress(ValidationError):
            other = type(element).model_validate({**written, field: value})
            if not alike(other, element):
                yield other


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A part with another one in it; nothing but the new part is validated."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, Element):
        return value.model_copy(update={str(key): replaced(getattr(value, str(key)), tuple(rest), new)})
    inner = replaced(value[key], tuple(rest), new)
    if isinstance(value, dict):
        return {**cast("dict[Any, Any]", value), key: inner}
    return tuple(inner if number == key else one for number, one in enumerate(value))


def test_no_difference_passes_unseen_and_none_is_stricter_both_ways() -> None:
    seen: set[str] = set()
    for field, other in neighbours():
        seen.add(field)
        there = compare(minimal(), other)
        assert there, field
        if all(one.effect == "stricter" for one in there):
            back = compare(other, minimal())
            assert any(one.effect == "laxer" for one in back), (field, told(there), told(back))
    assert len(seen) > 100, len(seen)


def test_changes_are_told_to_people_and_to_machines() -> None:
    changes = compare(minimal(), changed("lease: 10m", "lease: 15m"))
    assert as_text(changes).splitlines() == [
        "LAXER, or can't be told (1)",
        "  By the minute (minutes): “I am on it” silences it for (lease): 10 min → 15 min — LONGER",
        "",
        "1 laxer, 0 stricter, 0 other",
    ]
    (told_to_machines,) = as_objects(changes)
    assert (told_to_machines["effect"], told_to_machines["path"]) == ("laxer", "ladders.minutes.lease")


def test_of_what_is_laxer_safety_comes_first() -> None:
    newer = read_yaml(re.sub(r"(?m)^    due: \d+[mh]$", "    due: 99h", TEXT)).validate(ProtocolSpec)
    laxer = [str(one.path[1]) for one in compare(minimal(), newer) if one.effect == "laxer"]
    safety = [newer.obligations[name].concern == "safety" for name in laxer]
    assert safety == sorted(safety, reverse=True)
    assert {True, False} <= set(safety)
    assert laxer != [name for name in newer.obligations if name in laxer], "the file has them in another order"
