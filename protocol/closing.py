"""Ending an episode: only when nothing is owed any more. The refusal lists all that is missing."""

from __future__ import annotations

from protocol import commands as c
from protocol import events as e
from protocol.acts import Act, may_act
from protocol.facts import Refused
from protocol.machine import CLOSE
from protocol.readers import waits_for_signature
from protocol.turn import Turn


def close_episode(turn: Turn, command: c.CloseEpisode) -> Refused | None:
    """Close with one of the protocol's outcomes."""
    closing = turn.program.spec.closing
    if command.outcome not in closing.outcomes:
        known = ", ".join(closing.outcomes)
        return Refused("unknown_outcome", f"{command.outcome} is not an outcome.", f"Choose one of: {known}.")
    refused = may_act(command.role, closing.roles)
    if refused is not None:
        return refused
    missing = (*_owed(turn, command), *_unsigned(turn), *unmet_requirements(turn, command.outcome))
    if missing:
        return Refused(
            "closing_not_met", "The episode can't close yet.", "Do or record what is listed, then close.", missing
        )
    _leave(turn, command)
    return None


def _leave(turn: Turn, command: c.CloseEpisode) -> None:
    for arrow in turn.program.stages.get((turn.episode.stage, CLOSE), ()):
        turn.emit(e.StageEntered(arrow.to, turn.episode.stage, command.reason, turn.at))
        turn.emit(e.EpisodeClosed(command.outcome, command.reason, arrow.to, turn.at))


def _owed(turn: Turn, command: c.CloseEpisode) -> list[str]:
    """What would still be owed after the end: all that leaving the last stage does not fulfil, and what it opens."""
    trial = Turn(turn.program, turn.episode, turn.at, turn.now)
    _leave(trial, command)
    trial.settle()
    return [
        f"open: {turn.program.spec.obligations[owed.obligation].title}" for owed in trial.episode.obligations.values()
    ]


def _unsigned(turn: Turn) -> list[str]:
    return [f"unsigned: {name}" for name in waits_for_signature(turn.episode)]


def unmet_requirements(turn: Turn, outcome: str) -> list[str]:
    """The protocol's own requirements for this outcome that do not hold, in its words."""
    closing = turn.program.spec.closing
    only_elsewhere = {name for key, one in closing.outcomes.items() if key != outcome for name in one.requires} - set(
        closing.outcomes[outcome].requires
    )
    return [
        requirement.otherwise
        for name, requirement in closing.requires.items()
        if name not in only_elsewhere and not turn.program.requirements[name](turn.episode)
    ]


ACTS: dict[type, Act] = {c.CloseEpisode: close_episode}
