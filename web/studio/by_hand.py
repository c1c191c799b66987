"""An episode of a draft tried by hand on a virtual clock: the form behind each thing that can be done, and its answers.

What was done is a list of entries; every page plays them anew on the draft as it is. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protocol.local_time import show_span, show_time
from protocol.spec import ProtocolSpec
from protocol.words import Words, person
from rehearsal.keeping import as_scenario
from rehearsal.menu import Ask, Choice, menu
from rehearsal.simulation import Simulation, SimulationError
from rehearsal.transcript import Teller
from web.forms import FACT, answers_of, fact_field


@dataclass(frozen=True)
class Run:
    """A run as it is kept."""

    starts: datetime
    crisis_types: tuple[str, ...]
    entries: tuple[dict[str, Any], ...] = ()

    def as_document(self) -> dict[str, Any]:
        """As the records keep it."""
        return {
            "starts": self.starts.isoformat(),
            "crisis_types": list(self.crisis_types),
            "entries": list(self.entries),
        }


def run_of(document: Mapping[str, Any]) -> Run:
    """A run from the records."""
    starts = datetime.fromisoformat(document["starts"])
    return Run(starts, tuple(document["crisis_types"]), tuple(document["entries"]))


@dataclass(frozen=True)
class Replayed:
    """A run played anew."""

    simulation: Simulation
    stuck: str
    """Why the rest can't be played on the draft as it is; empty where all of it was."""
    left: int
    """Entries that were not played."""


def replay(spec: ProtocolSpec, run: Run) -> Replayed:
    """Play a run on a protocol, as far as it goes. Raises SimulationError when not even the opening does."""
    types = tuple(one for one in run.crisis_types if one in spec.crisis_types)
    simulation = Simulation(spec, run.starts, types)
    for number, entry in enumerate(run.entries):
        try:
            simulation.take(entry)
        except (SimulationError, ValueError) as error:
            return Replayed(simulation, str(error), len(run.entries) - number)
    return Replayed(simulation, "", 0)


def choices_of(simulation: Simulation) -> list[dict[str, Any]]:
    """Everything that can be done now, each with its form and who does it."""
    found: list[dict[str, Any]] = []
    for number, choice in enumerate(menu(simulation.program, simulation.episode)):
        found.append(
            {
                "number": number,
                "text": choice.text,
                "now": choice.now,
                "by": who(simulation, choice),
                "fields": [field for ask in choice.asks if (field := _field(simulation, ask)) is not None],
                "sos": choice.act == "declare_emergency",
            }
        )
    return found


def _field(simulation: Simulation, ask: Ask) -> dict[str, Any] | None:
    if ask.is_fact:
        return fact_field(simulation.program, simulation.episode, ask.name, {}, optional=not ask.needed)
    if ask.name == "facts":
        return None
    shared = {"name": ask.name, "ask": ask.question, "optional": not ask.needed, "unknown": False}
    if ask.name == "to":
        people = [{"value": one, "label": f"{person(one)}, {role}"} for one, role in simulation.people.items()]
        return {**shared, "type": "select", "choices": people}
    if ask.values:
        words = [{"value": one, "label": one.replace("_", " ").capitalize()} for one in ask.values]
        return {**shared, "type": "choice" if len(words) < 8 else "select", "choices": words}
    return {**shared, "type": "number" if ask.name == "refers_to" else "line"}


def who(simulation: Simulation, choice: Choice) -> str:
    """The first of the people who may do it."""
    if choice.person:
        return choice.person
    people = simulation.people
    return next((one for one, role in people.items() if not choice.roles or role in choice.roles), next(iter(people)))


def do(simulation: Simulation, number: int, typed: Mapping[str, list[str]]) -> None:
    """Do one of the things that can be done. Raises SimulationError."""
    choices = menu(simulation.program, simulation.episode)
    if not 0 <= number < len(choices):
        raise SimulationError("that can't be done any more", "choose again")
    choice = choices[number]
    fields: dict[str, Any] = dict(choice.fields)
    for ask in choice.asks:
        given = (typed.get(ask.name) or [""])[0].strip()
        if ask.is_fact or not given:
            if ask.needed and not ask.is_fact:
                raise SimulationError(f"an answer is missing: {ask.question}", "answer it, then send again")
            continue
        fields[ask.name] = int(given) if ask.name == "refers_to" and given.isdecimal() else given
    facts = answers_of(simulation.program, {n: v for n, v in typed.items() if n.startswith(FACT)}, simulation.now)
    if facts:
        fields["facts"] = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    simulation.do(who(simulation, choice), choice.act, fields)


def story(simulation: Simulation) -> list[dict[str, Any]]:
    """What happened, the latest first; `latest` is what the last entry brought about."""
    words = Words(simulation.program.spec)
    teller, last = Teller(words), len(simulation.played) - 1
    teller.hear(simulation.played)
    acts = [(number == last, told) for number, played in enumerate(simulation.played) for told in teller.acts(played)]
    return [
        {"latest": latest, "at": show_time(told.at, words.zone), "what": told.what, "lines": told.lines}
        for latest, told in reversed(acts)
    ]


def standing(simulation: Simulation) -> dict[str, Any]:
    """Where the episode is, what is owed, and who is paged next."""
    spec, episode, now = simulation.program.spec, simulation.episode, simulation.now
    words = Words(spec)
    owed: list[dict[str, Any]] = []
    for one in sorted(episode.obligations.values(), key=lambda each: each.due_at):
        rungs = one.ladder.rungs
        rung = rungs[min(one.rung + 1, len(rungs) - 1)]
        span = one.due_at - now
        owed.append(
            {
                "title": words.obligation(one.obligation),
                "due": show_time(one.due_at, words.zone, now),
                "left": f"{show_span(abs(span))} {'overdue' if one.missed or span.total_seconds() < 0 else 'left'}",
                "late": one.missed,
                "next": words.role(one.owner if rung.page == "owner" else rung.page),
                "rung": one.rung + 1,
            }
        )
    return {
        "now": show_time(now, words.zone),
        "stage": words.stage(episode.stage) if episode.closed_at is None else f"closed, {episode.outcome}",
        "emergency": spec.stages[episode.stage].kind == "emergency",
        "risk": episode.risk,
        "peak": episode.peak_risk,
        "owner": person(episode.owner),
        "owed": owed,
        "entries": len(simulation.played) - 1,
    }


def kept_as(simulation: Simulation, name: str, title: str) -> Any:
    """The run as a scenario. Raises SimulationError for a bad name."""
    return as_scenario(simulation, name, title or name.replace("_", " ").capitalize())
