"""What people do in an episode: open it, answer, complete and skip steps, move between stages, declare an emergency.

Each act emits its own events into the turn, or says why it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.episode import Known, Moment, StepRecord
from protocol.evolve import evolve
from protocol.facts import Refused, check_facts
from protocol.machine import ADVANCE, BACK
from protocol.program import Program
from protocol.spec import RANK
from protocol.turn import Turn

Act = Callable[[Turn, Any], Refused | None]

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead a person's clock may be: the time is then taken as now."""
OLDEST_REPORT = timedelta(days=30)
"""How long ago a crisis may have been noticed when it is reported."""


def open_episode(program: Program, command: c.OpenEpisode, now: datetime) -> Turn | Refused:
    """The first turn of an episode. `EpisodeOpened` carries `at` = when the crisis was reported, never after now."""
    spec = program.spec
    if command.role not in spec.roles:
        known = ", ".join(spec.roles)
        return Refused("unknown_role", f"The protocol has no role {command.role}.", f"Act as one of: {known}.")
    for crisis_type in command.crisis_types:
        if crisis_type not in spec.crisis_types:
            return _unknown_crisis_type(program, crisis_type)
    refused = wrong_time(command.occurred_at, now - OLDEST_REPORT, now)
    records = refused or check_facts(program, command.facts)
    if isinstance(records, Refused):
        return records
    at = min(command.occurred_at, now)
    opened = e.EpisodeOpened(
        episode_id=command.episode_id,
        client_ref=command.client_ref,
        protocol=spec.protocol,
        protocol_version=spec.version,
        protocol_hash=spec.content_hash,
        owner=command.owner,
        owner_role=command.role,
        stage=spec.initial,
        risk=spec.risk.initial,
        drill=command.drill,
        at=at,
    )
    turn = Turn(program, evolve(None, opened), at, now)
    turn.begin(opened, command.crisis_types, records)
    return turn


def wrong_time(occurred_at: datetime, earliest: datetime, now: datetime) -> Refused | None:
    """Refuses what lies in the future (beyond the skew of a person's clock) or too long ago."""
    if occurred_at > now + CLOCK_SKEW:
        return Refused("future_time", "That lies in the future.", "Give the time at which it happened, with its zone.")
    if occurred_at < earliest:
        return Refused(
            "before_opening",
            "That lies long before the episode was opened.",
            "Check the date; write older history into the note.",
        )
    return None


def already_open(turn: Turn, command: c.OpenEpisode) -> Refused | None:
    """An episode is opened once."""
    return Refused("already_open", "The episode is already open.", "Go on with it, or open another one.")


def record_facts(turn: Turn, command: c.RecordFacts) -> Refused | None:
    """Facts may be written down at any time, by anybody who acts in the episode."""
    if not command.facts:
        return Refused("missing_facts", "Nothing was answered.", "Give at least one fact.")
    return _record(turn, command.facts)


def _record(turn: Turn, facts: Mapping[str, object]) -> Refused | None:
    records = check_facts(turn.program, facts)
    if isinstance(records, Refused):
        return records
    turn.record(records)
    return None


def complete_step(turn: Turn, command: c.CompleteStep) -> Refused | None:
    """Finish a step: its place, who may do it, what comes before, its form, then the clinical rules."""
    step = turn.program.spec.steps.get(command.step)
    if step is None:
        return _unknown_step(turn, command.step)
    refused = (
        _placed(turn, command.step)
        or may_act(command.role, step.roles)
        or _after(turn, command.step)
        or _form(turn, command)
    )
    if refused is not None:
        return refused
    refused = _record(turn, {**step.sets, **command.facts})
    if refused is None:
        refused = clinical_refusal(turn, "done", command.step)
    if refused is None:
        turn.emit(e.StepCompleted(command.step, command.note, turn.at))
    return refused


def _unknown_step(turn: Turn, step: str) -> Refused:
    known = ", ".join(turn.program.missing_steps(turn.episode)) or "none"
    return Refused("unknown_step", f"The protocol has no step {step}.", f"Steps still to do here: {known}.")


def _placed(turn: Turn, step: str) -> Refused | None:
    if turn.program.spec.steps[step].any_stage:
        return None
    for placed in turn.program.placed[turn.episode.stage]:
        if placed.step == step and placed.applies(turn.episode):
            return None
    return Refused(
        "wrong_stage",
        f"{step} does not belong to the stage {turn.episode.stage} now.",
        "Go to the stage it belongs to, or write down what was said with RecordFacts.",
    )


def may_act(role: str, roles: tuple[str, ...]) -> Refused | None:
    """Whether this role may do something that these roles may do."""
    if role in roles:
        return None
    return Refused("wrong_role", f"A {role} may not do this.", f"Ask a {' or '.join(roles) or 'nobody'} to do it.")


def _after(turn: Turn, step: str) -> Refused | None:
    program, episode = turn.program, turn.episode
    after = program.spec.steps[step].after
    missing = [one for one in after if one not in episode.steps and program.comes_before(one, episode)]
    if not missing:
        return None
    first = f"Complete {missing[0]}, then this."
    return Refused("step_order", f"{', '.join(missing)} comes first.", first, tuple(missing))


def _form(turn: Turn, command: c.CompleteStep) -> Refused | None:
    """Form facts count when given now or since the stage was entered. Instruments may stay unfinished."""
    entered = turn.episode.stage_entered.sequence
    step = turn.program.spec.steps[command.step]
    missing = [
        name
        for name in step.form
        if name not in command.facts
        and name not in step.sets
        and not ((known := turn.episode.facts.get(name)) is not None and known.sequence >= entered)
    ]
    if not missing:
        return None
    return Refused(
        "missing_facts",
        f"{len(missing)} answers of {command.step} are missing.",
        "Answer them, with `refused` where the client refuses, or skip the step with a reason.",
        tuple(missing),
    )


def clinical_refusal(turn: Turn, act: str, name: str, option: str = "") -> Refused | None:
    """The first clinical rule that refuses this act, seen with the answers that came with it; `option` was decided."""
    for refusal, holds in turn.program.refusals.get((act, name), ()):
        options = refusal.act.options
        if (not options or option in options) and holds(turn.episode):
            return Refused("clinical_refusal", refusal.because, refusal.remedy)
    return None


def skip_step(turn: Turn, command: c.SkipStep) -> Refused | None:
    """Leave a step out; it takes effect at once, and a second person must sign it."""
    step = turn.program.spec.steps.get(command.step)
    if step is None:
        return _unknown_step(turn, command.step)
    refused = _placed(turn, command.step) or may_act(command.role, step.roles)
    if refused is None and not step.skip_cosigned_by:
        refused = Refused("cannot_skip", f"{command.step} can't be skipped.", "Complete it.")
    done = turn.episode.steps.get(command.step)
    if refused is None and done is not None and done.status == "done":
        refused = Refused("already_done", f"{command.step} is done.", "There is nothing to skip; go on.")
    if refused is None:
        turn.emit(e.StepSkipped(command.step, command.reason, command.actor, turn.at))
    return refused


def advance(turn: Turn, command: c.Advance) -> Refused | None:
    """Go on to the next stage when everything required here is done."""
    stage = turn.program.spec.stages[turn.episode.stage]
    target = command.to or next(iter(stage.next), None)
    arrows = turn.program.stages.get((turn.episode.stage, f"{ADVANCE}{target}"), ())
    if not arrows or target is None:
        ways = ", ".join(name for name in stage.next) or "none"
        return Refused("no_such_stage", f"There is no way from here to {target}.", f"Ways on: {ways}.")
    for arrow in arrows:
        if arrow.open_to(turn.episode):
            return _enter(turn, arrow.to, "")
    return _exit_not_met(turn)


def _exit_not_met(turn: Turn) -> Refused:
    stage = turn.program.spec.stages[turn.episode.stage]
    missing = tuple(turn.program.missing_steps(turn.episode))
    if missing:
        return Refused(
            "exit_not_met",
            f"Required steps of {turn.episode.stage} are not done.",
            "Complete them, or skip them with a reason.",
            missing,
        )
    return Refused(
        "exit_not_met",
        f"{turn.episode.stage} can't be left yet.",
        stage.leave_needs or "Complete what this stage asks for.",
    )


def _enter(turn: Turn, stage: str, reason: str) -> Refused | None:
    refused = clinical_refusal(turn, "entered", stage)
    if refused is None:
        turn.emit(e.StageEntered(stage, turn.episode.stage, reason, turn.at))
    return refused


def go_back(turn: Turn, command: c.GoBack) -> Refused | None:
    """Return to a stage that lies before this one or was left already."""
    order = list(turn.program.spec.stages)
    arrows = turn.program.stages.get((turn.episode.stage, f"{BACK}{command.to}"), ())
    earlier = command.to in turn.episode.left or (
        command.to in order and order.index(command.to) < order.index(turn.episode.stage)
    )
    if not arrows or not earlier:
        return Refused("no_such_stage", f"One can't go back to {command.to}.", "Name an earlier open stage.")
    return _enter(turn, command.to, command.reason)


def declare_emergency(turn: Turn, command: c.DeclareEmergency) -> Refused | None:
    """Never refused in an open episode."""
    turn.emit(e.EmergencyDeclared(command.reason, turn.at))
    level = turn.program.spec.emergency.at
    if RANK[turn.episode.risk] < RANK[level]:
        turn.raise_risk_to(level, "An emergency was declared.", -1)
    else:
        turn.enter_emergency("An emergency was declared.")
    return None


def record_crisis_type(turn: Turn, command: c.RecordCrisisType) -> Refused | None:
    """Crisis types add up; none is taken away."""
    if command.crisis_type not in turn.program.spec.crisis_types:
        return _unknown_crisis_type(turn.program, command.crisis_type)
    turn.emit(e.CrisisTypeRecorded(command.crisis_type, turn.at))
    return None


def _unknown_crisis_type(program: Program, crisis_type: str) -> Refused:
    known = ", ".join(program.spec.crisis_types) or "none"
    return Refused("unknown_crisis_type", f"The protocol has no crisis type {crisis_type}.", f"Use one of: {known}.")


def lower_risk(turn: Turn, command: c.LowerRisk) -> Refused | None:
    """Only a re-assessment since the last evidence lowers a level, and never below what the facts say."""
    lowering, episode = turn.program.spec.risk.lowering, turn.episode
    refused = may_act(command.role, lowering.roles)
    if refused is not None:
        return refused
    if RANK[command.level] >= RANK[episode.risk]:
        return Refused("not_lower", f"The level is {episode.risk} already.", "To raise it, record what was seen.")
    stale = Refused(
        "reassessment_needed",
        f"The level can be lowered only after {lowering.step} was completed since the last evidence for it.",
        lowering.requires_words or f"Complete {lowering.step}, then lower the level.",
    )
    if not _reassessed_since(turn, episode.risk_changed):
        return stale
    floor = turn.program.floor(episode)
    if RANK[command.level] < RANK[floor]:
        return Refused(
            "below_floor", f"The recorded answers mean at least {floor}.", "Ask again and record the new answers first."
        )
    if not _reassessed_since(turn, episode.risk_confirmed):
        return stale
    turn.emit(e.RiskLowered(command.level, episode.risk, command.reason, turn.at))
    return None


def _reassessed_since(turn: Turn, since: Moment) -> bool:
    """Whether the re-assessment was done, and what lowering requires answered, after this moment.

    Both by when it happened and by when it was written down: neither an old screen nor one that is dated back counts.
    """
    step = turn.episode.steps.get(turn.program.spec.risk.lowering.step)
    if step is None or step.status != "done" or not _is_after(step, since):
        return False
    fresh = {name: known for name, known in turn.episode.facts.items() if _is_after(known, since)}
    return turn.program.lowering(replace(turn.episode, facts=fresh))


def _is_after(what: StepRecord | Known, since: Moment) -> bool:
    return what.sequence > since.sequence and what.at >= since.at


def add_addendum(turn: Turn, command: c.AddAddendum) -> Refused | None:
    """Entries are never edited; what is added stands beside them."""
    if command.refers_to > turn.episode.revision:
        return Refused("unknown_entry", f"There is no entry {command.refers_to}.", "Give the number of an entry.")
    turn.emit(e.AddendumAdded(command.refers_to, command.text, turn.at))
    return None


ACTS: dict[type, Act] = {
    c.OpenEpisode: already_open,
    c.RecordFacts: record_facts,
    c.CompleteStep: complete_step,
    c.SkipStep: skip_step,
    c.Advance: advance,
    c.GoBack: go_back,
    c.DeclareEmergency: declare_emergency,
    c.RecordCrisisType: record_crisis_type,
    c.LowerRisk: lower_risk,
    c.AddAddendum: add_addendum,
}
