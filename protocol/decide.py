"""`decide(spec, episode, command, now)`: what a command brings about. Pure and total.

Any well-formed command in any state gives events or a recorded refusal, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from protocol import acts, closing, duty_acts
from protocol import commands as c
from protocol import events as e
from protocol.acts import Act, wrong_time
from protocol.effects import Effect, effects_of
from protocol.episode import Episode
from protocol.facts import Refused, check_facts
from protocol.migrating import migrate
from protocol.program import Program, program
from protocol.spec import ProtocolSpec
from protocol.turn import Turn
from protocol.values import value


@value
class MacroStep:
    """The full account of one step: the command, when it was decided, what happened, what to tell the world."""

    command: c.Command
    now: datetime
    episode: Episode | None
    """The episode afterwards; None only when an opening was refused."""
    events: tuple[e.Event, ...]
    effects: tuple[Effect, ...]

    @property
    def refusal(self) -> e.CommandRefused | None:
        """The refusal, if the command was refused."""
        return next((event for event in self.events if isinstance(event, e.CommandRefused)), None)


def decide(
    spec: ProtocolSpec, episode: Episode | None, command: c.Command, now: datetime, onto: ProtocolSpec | None = None
) -> MacroStep:
    """Decide one command at `now` (aware UTC). `onto` is the version that a `Migrate` names."""
    compiled = program(spec)
    if episode is None:
        return _decide_opening(compiled, command, now)
    turn = Turn(compiled, episode, _moment(episode, command, now), now)
    refused = _forbidden(compiled, episode, command, now) or _act(turn, command, onto)
    if refused is not None:
        turn = _refuse(compiled, episode, command, now, refused)
    turn.settle()
    events = tuple(turn.events)
    return MacroStep(command, now, turn.episode, events, effects_of(turn.episode, events, now))


def _act(turn: Turn, command: c.Command, onto: ProtocolSpec | None) -> Refused | None:
    if type(command) is c.Migrate:
        return migrate(turn, command, onto)
    return ACTS[type(command)](turn, command)


def _moment(episode: Episode, command: c.Command, now: datetime) -> datetime:
    """When it happened, as far as it can be believed: never after now, never long before the opening."""
    if command.occurred_at >= now:
        return now
    return max(command.occurred_at, episode.opened_at - EARLIEST)


def _decide_opening(compiled: Program, command: c.Command, now: datetime) -> MacroStep:
    if not isinstance(command, c.OpenEpisode):
        refused = Refused("not_open", "There is no such episode.", "Open the episode first.")
        return MacroStep(command, now, None, (refusal_event(command, refused, now),), ())
    turn = acts.open_episode(compiled, command, now)
    if isinstance(turn, Refused):
        return MacroStep(command, now, None, (refusal_event(command, turn, now),), ())
    turn.settle()
    events = tuple(turn.events)
    return MacroStep(command, now, turn.episode, events, effects_of(turn.episode, events, now))


def refusal_event(command: c.Command, refused: Refused, now: datetime) -> e.CommandRefused:
    """What is said of a refused command."""
    return e.CommandRefused(
        command.kind, refused.code, refused.message, refused.remedy, refused.missing, min(command.occurred_at, now)
    )


def _refuse(compiled: Program, episode: Episode, command: c.Command, now: datetime, refused: Refused) -> Turn:
    """A refusal; but a disclosure is never lost because a form was incomplete or stale."""
    turn = Turn(compiled, episode, _moment(episode, command, now), now)
    if refused.code not in UNHEARD:
        _hear_disclosure(turn, command)
    turn.emit(refusal_event(command, refused, now))
    return turn


UNHEARD = frozenset({"unknown_role", "already_closed", "already_open", "wrong_role"})
"""Refusals after which nothing of the command is kept: whoever is not authorised is not heard."""


def _hear_disclosure(turn: Turn, command: c.Command) -> None:
    """Keep the answers that fit when they raise or confirm the risk, or call for the emergency stage anew."""
    facts: Mapping[str, object] = getattr(command, "facts", {})
    program, episode = turn.program, turn.episode
    fitting = {name: value for name, value in facts.items() if isinstance(check_facts(program, {name: value}), dict)}
    records = check_facts(program, fitting)
    if not records or isinstance(records, Refused):
        return
    trial = Turn(program, episode, turn.at, turn.now)
    trial.record(records)
    trial.settle()
    if trial.episode.risk_confirmed != episode.risk_confirmed or trial.episode.stage != episode.stage:
        turn.record(records)


def _forbidden(compiled: Program, episode: Episode, command: c.Command, now: datetime) -> Refused | None:
    """What forbids any command, whatever it asks."""
    if isinstance(command, (c.DeadlineReached, c.ReportPage)):
        return None
    if command.role not in compiled.spec.roles:
        known = ", ".join(compiled.spec.roles)
        return Refused("unknown_role", f"The protocol has no role {command.role}.", f"Act as one of: {known}.")
    if episode.closed_at is not None and type(command) is not c.AddAddendum:
        return Refused("already_closed", "The episode is closed.", "Add an addendum, or open a new episode.")
    if type(command) is c.DeclareEmergency:
        return None
    if not episode.opened_at <= command.occurred_at <= now:
        refused = wrong_time(command.occurred_at, episode.opened_at - EARLIEST, now)
        if refused is not None:
            return refused
    return _stale(episode, command)


EARLIEST = timedelta(days=1)
"""How long before its opening something of an episode may have happened (reported the next day)."""

NEVER_STALE = frozenset({c.DeclareEmergency, c.RecordContact, c.Acknowledge, c.AddAddendum})
"""Acts that must never conflict: they add to the record and overwrite nothing."""


def _stale(episode: Episode, command: c.SentCommand) -> Refused | None:
    expected = command.expected_revision
    if expected is None or type(command) in NEVER_STALE or episode.edited <= expected <= episode.revision:
        return None
    return Refused(
        "stale_revision",
        f"The episode has changed since revision {expected}; it is now at {episode.revision}.",
        "Look at what changed, then send your entry again with the new revision.",
    )


ACTS: dict[type, Act] = {**acts.ACTS, **duty_acts.ACTS, **closing.ACTS}
