"""A form of the episode's page that was sent: which one it is, what stood in it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from web.forms import FACT, Fields, answers_of
from web.seen import Seen

TOLD_APART: Mapping[str, str] = {
    "complete-step": "step",
    "skip-step": "step",
    "record-decision": "decision",
    "co-sign": "subject",
    "acknowledge": "obligation_id",
}
"""Acts of which a page has several forms, and the field that tells these apart."""


def first(fields: Fields, name: str) -> str:
    """The first value of a field, empty without one."""
    return fields.get(name, [""])[0].strip()


@dataclass
class Attempt:
    """A form that was sent."""

    act: str
    fields: Fields
    problems: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    conflict: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    preview: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    previewed: bool = False
    key: str = ""
    """The same key again, when it is not known whether the first was taken."""

    @property
    def step(self) -> str:
        """The step that it is about."""
        return first(self.fields, "step")

    @property
    def place(self) -> str:
        """Which form of the page it is: `advance`, `record-decision/step_up`."""
        which = first(self.fields, TOLD_APART.get(self.act, ""))
        if self.act == "advance" and first(self.fields, "to"):
            which = "elsewhere"
        return f"{self.act}/{which}" if which else self.act

    @property
    def form(self) -> str:
        """What the ids of its own fields begin with. There is one form of a step at a time."""
        return self.act if self.act == "complete-step" else form_of(self.place)

    def wrong(self, problems: list[tuple[str, str]], seen: Seen) -> None:
        """Keep what is wrong with its fields, each with the words of its field before it."""
        self.problems += [
            {"field": name, "form": "" if name.startswith(FACT) else self.form, "text": _said(seen, name, text)}
            for name, text in problems
        ]


def form_of(place: str) -> str:
    """What the ids of a form's fields begin with."""
    return place.replace("/", "-")


def _said(seen: Seen, name: str, text: str) -> str:
    fact = seen.program.spec.facts.get(name.removeprefix(FACT))
    return f"{fact.ask if fact else name.replace('_', ' ').capitalize()}: {text}" if name else text


def both_sides(seen: Seen, attempt: Attempt, now: datetime) -> list[dict[str, Any]]:
    """What was typed beside what stands in the episode now: each answer, and what the act itself is about."""
    rows = [*_of_the_act(seen, attempt), *_of_the_answers(seen, attempt.fields, now)]
    return [{"label": label, "mine": mine, "theirs": theirs, "same": mine == theirs} for label, mine, theirs in rows]


def _of_the_answers(seen: Seen, fields: Fields, now: datetime) -> Iterator[tuple[str, str, str]]:
    for name, value in answers_of(seen.program, fields, now).items():
        fact, known = seen.program.spec.facts.get(name), seen.episode.facts.get(name)
        theirs = seen.words.answer(known.value) if known is not None else ""
        yield fact.ask if fact else name, seen.words.answer(value), theirs


def _of_the_act(seen: Seen, attempt: Attempt) -> Iterator[tuple[str, str, str]]:
    """(what it is, mine, as it is now) of a decision, a hand-over, a level, a step, a waiver, a stage."""
    episode, words, fields = seen.episode, seen.words, attempt.fields
    match attempt.act:
        case "record-decision":
            name = first(fields, "decision")
            record = episode.decisions.get(name)
            mine = words.option(name, first(fields, "option")) if first(fields, "option") else ""
            theirs = f"{words.option(name, record.option)}, by {record.by}" if record else ""
            yield words.decision(name), mine, theirs
        case "lower-risk":
            yield "Level", first(fields, "level"), episode.risk
        case "offer-handover" | "accept-handover" | "decline-handover":
            offered = episode.handover.to if episode.handover else f"nobody; {episode.owner} leads the episode"
            yield "Offered to", first(fields, "to"), offered
        case "complete-step" | "skip-step":
            done = episode.steps.get(attempt.step)
            mine = "left out" if attempt.act == "skip-step" else "done"
            yield words.step(attempt.step), mine, done.status if done else "open"
        case "waive":
            obligation_id = first(fields, "obligation_id")
            owed = "owed" if obligation_id in episode.obligations else "not owed any more"
            yield words.obligation(obligation_id.rpartition("-")[0]), "waived", owed
        case "advance" | "go-back":
            to = first(fields, "to")
            yield "Stage", words.stage(to) if to else "the next one", words.stage(episode.stage)
        case "close-episode":
            yield "The episode", "closed", "closed" if episode.closed_at else f"open in {words.stage(episode.stage)}"
        case _:
            return
