"""Our compiled stage table does what the `transitions` machine it was compiled from does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transitions import Machine, MachineError

from protocol import machine
from protocol.episode import Episode, Known, StepRecord
from protocol.program import (
    _PROGRAMS,  # pyright: ignore[reportPrivateUsage]
    MOST_PROGRAMS,
    program,
)
from tests.protocol.specs import STAGES, compact, protocol
from tests.protocol.story import START, Story

TRIGGERS = ["advance_to_coping", "advance_to_follow_up", "back_to_assessment", "back_to_coping", "back_to_follow_up"]
TRIGGERS += ["declare_emergency", "close"]


@cache
def declared() -> Any:
    return machine.build(compact(), program(compact())._ready())  # pyright: ignore[reportPrivateUsage]


@cache
def opened() -> Episode:
    return Story.begun().episode


episodes = st.builds(
    lambda stage, steps, told, pain, relapse: replace(
        opened(),
        stage=stage,
        steps={step: StepRecord("done", START, 2) for step in steps},
        facts={name: Known(value, START, 2) for name, value in (("told", told), ("pain", pain)) if value is not None},
        crisis_types=("relapse",) if relapse else (),
    ),
    st.sampled_from(list(compact().stages)),
    st.sets(st.sampled_from(list(compact().steps))),
    st.sampled_from([None, "yes", "no"]),
    st.sampled_from([None, 1, 9]),
    st.booleans(),
)


class Walker:
    """A model that the real machine moves; the guards look at its episode."""

    def __init__(self, episode: Episode) -> None:
        self.episode = episode


def really(episode: Episode, trigger: str) -> str | None:
    """Where `transitions` itself goes; None when it refuses."""
    walker: Any = Walker(episode)
    twin = Machine(walker, states=list(declared().states), initial=episode.stage, auto_transitions=False)
    for name, event in declared().events.items():
        for source, arrows in event.transitions.items():
            for arrow in arrows:
                guards = [_seen_from(walker, condition.func) for condition in arrow.conditions]
                twin.add_transition(name, source, arrow.dest, conditions=guards)
    try:
        return walker.state if walker.trigger(trigger) else None
    except MachineError:
        return None


def _seen_from(walker: Walker, guard: Any) -> Any:
    return lambda: guard(walker.episode)


def compiled(episode: Episode, trigger: str) -> str | None:
    arrows = program(compact()).stages.get((episode.stage, trigger), ())
    return next((arrow.to for arrow in arrows if arrow.open_to(episode)), None)


@given(episodes, st.sampled_from(TRIGGERS))
def test_the_table_steps_as_transitions_does(episode: Episode, trigger: str):
    assert compiled(episode, trigger) == really(episode, trigger)


def test_these_are_the_triggers_of_the_machine():
    assert sorted(declared().events) == sorted(TRIGGERS)


def test_no_model_lives_in_the_machine():
    assert declared().models == []
    assert not any(name.startswith("to_") for name in declared().events)


def test_from_every_open_stage_the_emergency_and_the_end_are_one_arrow_away_without_guards():
    for name, stage in compact().stages.items():
        ways = {trigger: arrows for (source, trigger), arrows in program(compact()).stages.items() if source == name}
        if stage.kind == "closed":
            assert ways == {}
            continue
        assert [(arrow.to, arrow.guards) for arrow in ways[machine.CLOSE]] == [("closed", ())]
        if name != "emergency_response":
            assert [(arrow.to, arrow.guards) for arrow in ways[machine.EMERGENCY]] == [("emergency_response", ())]
        else:
            assert machine.EMERGENCY not in ways


def test_back_leads_to_open_stages_only_and_forward_never_to_a_closed_one():
    targets = {
        (source, arrow.to)
        for (source, trigger), arrows in program(compact()).stages.items()
        if trigger.startswith(machine.BACK)
        for arrow in arrows
    }
    open_stages = {"assessment", "coping", "follow_up"}
    assert targets == {(a, b) for a in {*open_stages, "emergency_response"} for b in open_stages if a != b}
    spec = protocol(stages={**STAGES, "follow_up": {**STAGES["follow_up"], "next": ["closed"]}})
    assert ("follow_up", f"{machine.ADVANCE}closed") not in program(spec).stages


def test_a_protocol_without_an_end_is_refused():
    stages = {name: stage for name, stage in STAGES.items() if name != "closed"}
    with pytest.raises(ValueError, match="no stage of kind `closed`"):
        program(protocol(stages=stages))


def test_a_protocol_is_compiled_once_and_only_the_latest_few_are_kept():
    first = program(compact())
    assert first is program(protocol())
    for number in range(70):
        program(protocol(title=f"Variation {number}"))
    assert len(_PROGRAMS) == MOST_PROGRAMS
    assert program(compact()) is not first
    assert program(compact()) is program(compact())
