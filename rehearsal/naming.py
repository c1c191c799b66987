"""Names and answers that an entry's command carries, held against the protocol before anything is played.

One slip there would be refused by the core, and then everything after it goes otherwise than expected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from protocol.answers import TAKE_BACK, read_answer
from protocol.commands import ContactOutcome
from protocol.facts import describe, fits
from protocol.findings import Finding, Path, did_you_mean
from protocol.spec import ProtocolSpec
from rehearsal.scenario import Answer, Entry, Scenario
from rehearsal.script import Cue

UNKNOWN_NAMES = ("unknown_", "invalid_fact", "no_such_stage")
"""How the codes begin with which an unknown name is refused: whoever expects one of them wrote it on purpose."""


def misnamed(spec: ProtocolSpec, scenario: Scenario, cue: Cue) -> Iterator[Finding]:
    """What the command of an entry names though the protocol does not have it, and answers that fit no fact."""
    entry = cue.entry
    if entry.expect is not None and (entry.expect.refused or "").startswith(UNKNOWN_NAMES):
        return
    if isinstance(entry, Entry):
        yield from _names(spec, scenario, cue.path, entry)
    else:
        for place, name in enumerate(entry.crisis_types):
            yield from known((*cue.path, "crisis_types", place), name, spec.crisis_types, "crisis type of the protocol")
        if entry.owner is not None:
            yield from known((*cue.path, "owner"), entry.owner, scenario.people, "person in `people`")
    yield from answers(spec, (*cue.path, "facts"), entry.facts or {}, cue.at)


def _names(spec: ProtocolSpec, scenario: Scenario, path: Path, entry: Entry) -> Iterator[Finding]:
    decision = spec.decisions.get(entry.decision or "")
    closing, to_a_person = entry.do == "close_episode", entry.do == "offer_handover"
    places: dict[str, tuple[Collection[str], str]] = {
        "step": (spec.steps, "step of the protocol"),
        "decision": (spec.decisions, "decision of the protocol"),
        "option": (() if decision is None else decision.options, f"option of {entry.decision}"),
        "party": (spec.parties, "party of the protocol"),
        "crisis_type": (spec.crisis_types, "crisis type of the protocol"),
        "obligation": (spec.obligations, "obligation of the protocol"),
        "outcome": (
            (spec.closing.outcomes, "outcome of the protocol") if closing else (get_args(ContactOutcome), "outcome")
        ),
        "to": (scenario.people, "person in `people`") if to_a_person else (spec.stages, "stage of the protocol"),
        "subject": ((*spec.steps, *spec.decisions), "step or decision of the protocol"),
    }
    for key, (names, what) in places.items():
        name: str | None = getattr(entry, key)
        if name is not None and not (key == "option" and decision is None):
            yield from known((*path, key), name, names, what)


def answers(spec: ProtocolSpec, path: Path, written: Mapping[str, Answer], at: datetime) -> Iterator[Finding]:
    """Answers to facts that the protocol does not have, or that are none of what may be answered."""
    for name, answer in written.items():
        fact = spec.facts.get(name)
        if fact is None:
            remedy = did_you_mean(name, spec.facts)
            yield Finding((*path, name), f"`{name}` is no fact of the protocol", remedy, about_key=True)
        elif answer != TAKE_BACK and not fits(fact, read_answer(fact, answer, ZoneInfo(spec.time_zone), at)):
            near = did_you_mean(str(answer), fact.values())
            remedy = near if near.startswith("did you mean") else f"write {describe(fact)}"
            yield Finding((*path, name), f"{name} can't be {_shown(answer)}", remedy)


def _shown(answer: Answer) -> str:
    text = f"[{', '.join(answer)}]" if isinstance(answer, tuple) else str(answer)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def known(path: Path, name: str, names: Collection[Any], what: str) -> Iterator[Finding]:
    """A finding for a name that is not among those it may be."""
    if name not in names:
        yield Finding(path, f"`{name}` is no {what}", did_you_mean(name, names))
