"""An emergency while it lasts: whom to call, what to say, and what came of it, in one place.

Which steps belong there, what they ask and what is owed meanwhile stands in the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.chronicle import event_of
from protocol.commands import COMMAND, CompleteStep
from protocol.conditions import tests_in
from protocol.episode import Episode
from protocol.events import StageEntered
from protocol.script import spoken
from protocol.spec import RANK
from protocol.trail import TrailRow
from web.face import Look, duty, listed, resources
from web.forms import FACT, Fields, StepForm, step_form

STEP = "step."
POLLED = ("yes_no",)


@dataclass(frozen=True)
class Danger:
    """How it stands with the emergency of an episode."""

    here: bool
    """The episode is in the emergency stage, or the risk is where it belongs there."""
    ended: str = ""
    """What ended it by the protocol, and when: a hand-over, a response called off. Empty while it goes on."""

    @property
    def now(self) -> bool:
        """Somebody is to be called."""
        return self.here and not self.ended


def danger(look: Look, rows: Sequence[TrailRow], *, declared: bool = False) -> Danger:
    """Whether there is an emergency, and whether what the protocol asks for to leave it was written down since.

    When the rows do not tell since when, it goes on. `declared`: somebody just pressed and it was not taken.
    """
    if declared:
        return Danger(here=True)
    program, episode = look.seen.program, look.seen.episode
    stage = program.spec.emergency.stage
    inside = episode.stage == stage
    if episode.closed_at is not None or (not inside and RANK[episode.risk] < program.emergency_rank):
        return Danger(here=False)
    guard = program.spec.stages[stage].leave_when
    began = episode.stage_entered.sequence if inside else _entered(episode, rows, stage)
    if guard is None or began is None or not program.may_leave[stage](episode):
        return Danger(here=True)
    asked = [test.name.removeprefix(STEP) for test in tests_in(guard.condition) if test.name.startswith(STEP)]
    done = {name: one for name in asked if (one := episode.steps.get(name)) is not None and one.sequence > began}
    last = max(done, key=lambda name: done[name].sequence, default="")
    return Danger(here=True, ended=f"{look.seen.words.step(last)}, {look.at(done[last].at)}" if last else "")


def _entered(episode: Episode, rows: Sequence[TrailRow], stage: str) -> int | None:
    """The entry with which the episode last came into a stage that it has left; None where it can't be told.

    Who comes into it leaves another: the state tells so until that one is left again, and by then the rows do.
    """
    gone = episode.left.get(stage)
    told = [row.sequence for row in rows if row.kind == "StageEntered" and _into(row, stage)]
    others = [one.sequence for name, one in episode.left.items() if name != stage]
    return max([*told, *(one for one in others if gone is not None and one < gone.sequence)], default=None)


def _into(row: TrailRow, stage: str) -> bool:
    event = event_of(row) if row.payload is not None else None
    return isinstance(event, StageEntered) and event.stage == stage


def emergency(look: Look) -> dict[str, Any]:
    """Whom to call for the present address, the address, and what to say. Nothing here calls anybody."""
    episode, words = look.seen.episode, look.seen.words
    place = episode.facts.get(look.seen.program.spec.pages.address or "")
    guidance = resources(look)
    first, *rest = guidance.chain
    return {
        "number": first.resource.ways[0].number,
        "service": first.resource.title,
        "address": words.answer(place.value) if place is not None else "",
        "county": guidance.title,
        "script": spoken(look.seen.program.spec, episode.facts),
        "chain": [listed(one) for one in (*rest, *guidance.others)],
        "warnings": [
            one.text for one in guidance.warnings if one.resource in (None, first.name) and one.code != "no_test_call"
        ],
        "untested": "no_test_call" in guidance.codes(),
    }


def stations(
    look: Look,
    typed: Mapping[str, Fields],
    rows: Iterable[TrailRow],
    wanted: str = "",
    errors: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """The steps of the emergency stage, or those named: each with its form, what is owed, and what was written.

    `typed` are the fields that were typed into a step and not taken, by step. `wanted` is shown open, with `errors`.
    """
    spec = look.seen.program.spec
    entries = list(written(look, rows))
    names = names if names is not None else [one.step for one in spec.stages[spec.emergency.stage].steps]
    found = [
        station(look, name, typed.get(name, {}), entries, (errors or {}) if name == wanted else {}) for name in names
    ]
    if not found:
        return []
    undone = next((one for one in found if not one["log"]), found[0])
    first = next((one for one in found if one["duties"]), undone)
    for one in found:
        one["first"] = one is first
        one["open"] = one is first or one["step"] == wanted
    return found


def station(
    look: Look, name: str, typed: Fields, entries: list[dict[str, str]], errors: Mapping[str, str]
) -> dict[str, Any]:
    """One step of the way."""
    program, episode = look.seen.program, look.seen.episode
    form = step_form(program, episode, name, typed, errors)
    met = [owed for owed in episode.obligations.values() if meets(look, name, owed.obligation)]
    log = [one for one in entries if one["step"] == name]
    record = episode.steps.get(name)
    if record is not None and record.at.isoformat() not in {one["iso"] for one in log}:  # the records lag a moment
        known = {"step": name, "iso": "", "at": look.at(record.at), "by": "", "text": answered(look, name)}
        log.append(known)
    return {
        "step": name,
        "title": form.title,
        "purpose": form.purpose,
        "guidance": form.guidance,
        "asked": [_field(look, one, typed) for one in form.fields if not one["optional"]],
        "more": [_field(look, one, typed) for one in form.fields if one["optional"]],
        "quick": polled(form),
        "duties": [duty(look, owed) for owed in met],
        "log": log,
    }


def polled(form: StepForm) -> str:
    """The field of a step that asks for nothing but yes or no: it is answered by a press, again and again."""
    asked = [one for one in form.fields if not one["optional"]]
    return str(asked[0]["name"]) if len(asked) == 1 and asked[0]["type"] in POLLED else ""


def meets(look: Look, step: str, kind: str) -> bool:
    """Whether an obligation waits for this step before anything else that may end it."""
    declared = look.seen.program.spec.obligations.get(kind)
    return declared is not None and bool(declared.met_by) and declared.met_by[0].done == step


def written(look: Look, rows: Iterable[TrailRow]) -> Iterable[dict[str, str]]:
    """What people wrote into steps, oldest first, as far as the records have it."""
    for row in rows:
        said = row.payload.get("command") if row.payload is not None else None
        if said is None or row.kind == "CommandRefused" or said.get("kind") != "CompleteStep":
            continue
        command = COMMAND.validate_json(json.dumps(said))
        assert isinstance(command, CompleteStep)
        yield {
            "step": command.step,
            "iso": command.occurred_at.isoformat(),
            "at": look.at(command.occurred_at),
            "by": look.names(command.actor),
            "text": look.seen.words.answers(command.facts),
        }


def answered(look: Look, step: str) -> str:
    """What is known of the questions of a step."""
    spec, facts = look.seen.program.spec, look.seen.episode.facts
    names = (*spec.steps[step].form, *spec.steps[step].optional)
    return look.seen.words.answers({name: facts[name].value for name in names if name in facts})


def _field(look: Look, field: dict[str, Any], typed: Fields) -> dict[str, Any]:
    """A field in which an answer of the panel stands already."""
    name = str(field["name"]).removeprefix(FACT)
    value = field["value"]
    given = look.seen.program.spec.pages.given
    if value is None and name in given and not typed:
        value = emergency(look)[given[name]]
    return {**field, "value": value}
