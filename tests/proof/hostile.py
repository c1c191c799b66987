"""Protocols that pass `lint` and are made to wear a proof out."""

from __future__ import annotations

from pathlib import Path

from tests.proof.starter import TEXT

SPECS = Path(__file__).parents[2] / "protocol_specs"


def with_facts(number: int, owed: str, properties: int, once: bool = False) -> str:
    """The starter with yes/no facts, and properties that read all of them; a duty that only all of them open."""
    names = [f"f{n}" for n in range(number)]
    facts = "".join(f"  {name}: {{ask: Which, type: yes_no}}\n" for name in names)
    text = TEXT.replace("NAME", "evening_line").replace("SCHEMA", "protocol.schema.json")
    text = text.replace("facts:\n", "facts:\n" + facts, 1)
    text = text.replace(
        "ask: {title: Ask, instruments", f"ask: {{title: Ask, form: [{', '.join(names)}], instruments", 1
    )
    if once:
        every = ", ".join(f"{name}: yes" for name in names)
        opens = "opens: [{event: risk_raised, when: {risk: {at_least: moderate}}}]"
        text = text.replace(opens, f"opens: [{{when: {{{every}, if_unknown: fails}}}}]", 1)
    stated = "".join(_property(names, n, owed) for n in range(properties))
    return f"{text}\nproperties:\n{stated}"


def _property(names: list[str], number: int, owed: str) -> str:
    terms = ", ".join(f"{name}: {'yes' if (n + number) % 2 else 'no'}" for n, name in enumerate(names))
    always = f"{{{terms}, stage: planning, if_unknown: fails}}"
    return f"  p{number}:\n    title: P\n    always: {always}\n    owed: [{owed}]\n"


def broken_caring() -> str:
    """A shipped protocol whose year has no deadline any more."""
    text = (SPECS / "caring_contacts.yaml").read_text(encoding="utf-8")
    return text.replace(
        "met_by: [{left: caring_year}]", "at_most: 1\n    met_by: [{left: caring_year}, {done: year_end}]", 1
    )


WEARING = {
    "six facts together": with_facts(6, "plan_ends", 4),
    "six facts that matter": with_facts(6, "next_day", 4, once=True),
    "seven facts and ten properties": with_facts(7, "next_day", 10, once=True),
    "twelve facts together": with_facts(12, "next_day", 2, once=True),
    "a broken protocol": broken_caring(),
}
SOUND = "six facts together"
"""The one of them that is proved all the same."""
