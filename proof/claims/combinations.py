"""Conditions over answers, risk and stage alone, looked at in every combination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

from proof.explore import START
from proof.moves import Moves
from proof.reading import untangled
from proof.slices import Interest, cut
from protocol.conditions import Guard
from protocol.decide import decide
from protocol.episode import Episode, Known
from protocol.program import Program, program
from protocol.spec import LEVELS

MOST = 50_000
"""Combinations; more are explored step by step instead."""
ANSWERED = datetime(2026, 12, 1, 18, tzinfo=UTC)


def impossible(whole: Program, guard: Guard, names: Iterable[str]) -> int:
    """How many combinations there are, when the guard holds in none of them; 0 when it does or can't be told so."""
    kept = untangled(whole, frozenset(names))
    built_in = {"risk": LEVELS, "peak_risk": LEVELS, "stage": tuple(whole.spec.stages)}
    facts = [name for name in kept if name in whole.spec.facts or name in whole.spec.tables]
    others = [name for name in kept if name in built_in]
    if len(facts) + len(others) < len(kept):
        return 0
    slice_ = cut(whole, Interest(kept))
    slice_.extra.append(guard)
    reduced = program(slice_.spec)
    moves = Moves(slice_, reduced)
    axes: list[Iterable[Any]] = [moves.values(name) for name in facts]
    axes += [built_in[name] for name in others]
    count = 1
    for axis in axes:
        count *= len(list(axis))
    opened = decide(slice_.spec, None, moves.opening(next(moves.openings()), START), START).episode
    if count > MOST or opened is None:
        return 0
    holds = reduced.readers.predicate(guard)
    for values in product(*axes):
        said = dict(zip([*facts, *others], values, strict=True))
        if holds(_with(opened, {name: said.pop(name) for name in facts}, said)):
            return 0
    return count


def _with(episode: Episode, facts: dict[str, Any], others: dict[str, Any]) -> Episode:
    known = {name: Known(value, ANSWERED, 1) for name, value in facts.items() if value != "unknown"}
    return replace(episode, facts=known, **others)
