"""The stage machine: declared with `transitions`, compiled once to a table, stepped purely.

`transitions` checks and holds the declaration; it never holds an episode.
A machine keeps every model it is given alive and lets anybody write a model's state,
so no model is ever added: the guards bound to its transitions are read out once into a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transitions import Machine

from protocol.episode import Episode
from protocol.readers import Predicate
from protocol.spec import ProtocolSpec

ADVANCE = "advance_to_"
BACK = "back_to_"
EMERGENCY = "declare_emergency"
CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way out of a stage."""

    to: str
    guards: tuple[Predicate, ...]

    def open_to(self, episode: Episode) -> bool:
        """Whether every guard lets the episode through."""
        return all(guard(episode) for guard in self.guards)


Table = Mapping[tuple[str, str], tuple[Arrow, ...]]


def build(spec: ProtocolSpec, ready: Mapping[str, Predicate]) -> Any:
    """The machine as `transitions` sees it; `ready` says for each stage when it may be left forward."""
    kinds = {name: stage.kind for name, stage in spec.stages.items()}
    machine: Any = Machine(model=None, states=list(spec.stages), initial=spec.initial, auto_transitions=False)
    add = machine.add_transition
    for name, stage in spec.stages.items():
        if kinds[name] == "closed":
            continue
        for target in stage.next:
            if kinds[target] != "closed":
                add(f"{ADVANCE}{target}", name, target, conditions=ready[name])
        for target in spec.stages:
            if target != name and kinds[target] == "open":
                add(f"{BACK}{target}", name, target)
        if name != spec.emergency.stage:
            add(EMERGENCY, name, spec.emergency.stage)
        add(CLOSE, name, closed_stage(spec))
    return machine


def closed_stage(spec: ProtocolSpec) -> str:
    """The stage an episode ends in. Raises ValueError when the protocol has none."""
    for name, stage in spec.stages.items():
        if stage.kind == "closed":
            return name
    raise ValueError("the protocol has no stage of kind `closed`")


def compile_table(machine: Any) -> Table:
    """Every (stage, trigger) with its arrows, in the order of declaration."""
    table: dict[tuple[str, str], tuple[Arrow, ...]] = {}
    for trigger, event in machine.events.items():
        for source, transitions in event.transitions.items():
            table[source, trigger] = tuple(
                Arrow(transition.dest, tuple(condition.func for condition in transition.conditions))
                for transition in transitions
            )
    return table
