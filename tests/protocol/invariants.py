"""What must hold after every step of every episode, and of the whole trail: the safety rules of the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from protocol import commands as c
from protocol import events as e
from protocol.decide import decide
from protocol.effects import Effect, Page, RequestReferral
from protocol.engine import Engine, Receipt
from protocol.episode import Episode
from protocol.evolve import evolve
from protocol.open_duties import MOST_PAGES_OPEN, SOON
from protocol.program import program
from protocol.readers import waits_for_signature
from protocol.spec import LEVELS, RANK, ProtocolSpec
from protocol.trail import TrailRow, verify


@dataclass(frozen=True, slots=True)
class Step:
    """One input to the engine and all that came of it."""

    engine: Engine
    before: Episode | None
    owed: datetime | None
    """The next deadline before."""
    command: c.Command | None
    """None when only the timer fired."""
    now: datetime
    receipt: Receipt | None
    rows: list[TrailRow]
    effects: list[Effect]


def check(step: Step) -> None:
    """All invariants of one step."""
    if step.receipt is not None and step.command is not None:
        _life_saving_is_never_blocked(step, step.command, step.receipt)
        _whoever_may_not_act_changes_nothing(step, step.command, step.receipt)
        _a_contact_outside_consent_is_recorded(step, step.command, step.receipt)
        _each_accepted_command_leaves_its_rows(step, step.command, step.receipt)
    if step.engine.episode is not None:
        _every_deadline_is_watched(step, step.engine.episode)
        _risk_only_rises_by_itself(step, step.engine.episode)
        _nothing_is_owed_after_the_end(step.engine.episode)
        _what_waits_is_bounded(step.engine.episode)
        _effects_follow_from_events(step, step.engine.episode)
        _whoever_was_not_reached_is_not_left_alone(step, step.engine.episode)


def _life_saving_is_never_blocked(step: Step, command: c.Command, receipt: Receipt) -> None:
    """I1: no missing form, stale view or wrong clock stands between anybody and the emergency path."""
    open_before = step.before is not None and step.before.closed_at is None
    if not open_before or command.role not in step.engine.spec.roles or step.engine.episode is None:
        return
    if isinstance(command, c.DeclareEmergency):
        emergency = step.engine.spec.emergency
        assert receipt.refusal is None
        assert step.engine.episode.stage == emergency.stage
        assert RANK[step.engine.episode.risk] >= RANK[emergency.at]
    elif isinstance(command, c.RecordContact | c.Acknowledge) and receipt.refusal is not None:
        assert receipt.refusal.code != "stale_revision"


def _whoever_may_not_act_changes_nothing(step: Step, command: c.Command, receipt: Receipt) -> None:
    """I8: when unauthorised, deny; the refusal is all that is recorded."""
    human = not isinstance(command, c.SystemCommand)
    refusal = receipt.refusal
    if human and command.role not in step.engine.spec.roles:
        assert refusal is not None
    if refusal is not None and refusal.code in ("unknown_role", "wrong_role", "already_closed", "already_open"):
        assert receipt.events[0] is refusal
        assert {event.kind for event in receipt.events} <= {"CommandRefused", "DeadlineMissed", "PageRequested"}


def _a_contact_outside_consent_is_recorded(step: Step, command: c.Command, receipt: Receipt) -> None:
    """I6: an emergency disclosure leaves a record of whom, when, by whom and on which ground."""
    if not isinstance(command, c.RecordContact) or receipt.refusal is not None or step.before is None:
        return
    made = receipt.events[0]
    assert isinstance(made, e.ContactMade | e.ContactAttempted)
    assert (made.party, made.exception) == (command.party, command.exception)
    permitted = program(step.engine.spec).permitted[command.party](_swept(step))
    assert permitted or made.exception


def _swept(step: Step) -> Episode:
    """The episode after what was due had fired and before the command."""
    assert step.before is not None
    episode = step.before
    for row in step.rows:
        if step.command is not None and row.command_id == step.command.command_id:
            break
        episode = evolve(episode, read_event(row))
    return episode


def _each_accepted_command_leaves_its_rows(step: Step, command: c.Command, receipt: Receipt) -> None:
    """I7: what was answered is in the trail, once."""
    if step.engine.episode is None:
        assert not step.rows
        return
    own = [row for row in step.rows if row.command_id == command.command_id]
    assert [row.kind for row in own] == [event.kind for event in receipt.events]
    assert receipt.revision == step.engine.head.sequence == step.engine.episode.revision


def _every_deadline_is_watched(step: Step, episode: Episode) -> None:
    """I4 and R3: whatever is open has an owner, a ladder and a next moment, which lies ahead."""
    for owed in episode.obligations.values():
        assert owed.owner
        assert owed.ladder.rungs
        assert owed.next_at() > step.now or step.receipt is None
        assert owed.missed or owed.due_at > step.now or step.receipt is None
    assert episode.owner
    handed_over = step.before is not None and step.before.owner != episode.owner
    assert not handed_over or episode.owner_role in step.engine.spec.owning_roles
    due = step.engine.next_deadline()
    assert (due is None) == (not episode.obligations)
    swept = step.receipt is not None or (step.owed is not None and step.owed <= step.now)
    assert not swept or due is None or due > step.now


def _risk_only_rises_by_itself(step: Step, episode: Episode) -> None:
    """I2, I3, I8: never below what the answers say; lowered only by the command that does it."""
    changed = step.before is None or step.before.edited != episode.edited
    if changed and episode.closed_at is None:
        assert RANK[episode.risk] >= RANK[program(step.engine.spec).floor(episode)]
    assert RANK[episode.peak_risk] >= RANK[episode.risk]
    before = step.before.risk if step.before is not None else LEVELS[0]
    if RANK[episode.risk] < RANK[before]:
        assert isinstance(step.command, c.LowerRisk)
        assert step.command.role in step.engine.spec.risk.lowering.roles
        assert [row.kind for row in step.rows].count("RiskLowered") == 1
        _was_reassessed(step)
    if step.before is not None:
        assert RANK[episode.peak_risk] >= RANK[step.before.peak_risk]


def _was_reassessed(step: Step) -> None:
    """The re-assessment was done after the level last changed and after the last evidence for it."""
    before = _swept(step)
    done = before.steps[step.engine.spec.risk.lowering.step]
    assert done.status == "done"
    assert done.sequence > before.risk_confirmed.sequence >= before.risk_changed.sequence
    assert done.at >= before.risk_confirmed.at


def _whoever_was_not_reached_is_not_left_alone(step: Step, episode: Episode) -> None:
    """A page that reached nobody is followed by another at once or within minutes, and never later than planned."""
    if not isinstance(step.command, c.ReportPage) or step.command.delivered or step.before is None:
        return
    for before in _swept(step).obligations.values():
        owed = episode.obligations.get(before.obligation_id)
        if owed is None or before.page_id != step.command.page_id or before.lease_until is not None:
            continue
        if before.page_id in step.before.pages_open and owed.page_id == before.page_id:
            assert owed.next_page_at <= min(step.now + SOON, before.next_page_at)
            assert owed.next_at() <= step.now + SOON


def _what_waits_is_bounded(episode: Episode) -> None:
    """Reports that never come are forgotten, so that an episode stays as small as its protocol."""
    assert len(episode.pages_open) <= MOST_PAGES_OPEN


def _nothing_is_owed_after_the_end(episode: Episode) -> None:
    """I5."""
    if episode.closed_at is not None:
        assert not episode.obligations
        assert not waits_for_signature(episode)


def _effects_follow_from_events(step: Step, episode: Episode) -> None:
    """I9 and R2: the engine pages people and asks for places, nothing else, once for each event that says so."""
    pages = [effect.page_id for effect in step.effects if isinstance(effect, Page)]
    referrals = [effect for effect in step.effects if isinstance(effect, RequestReferral)]
    assert len(pages) + len(referrals) == len(step.effects)
    assert len(pages) == sum(row.kind == "PageRequested" for row in step.rows)
    assert len(referrals) == sum(row.kind == "ReferralRequested" for row in step.rows)
    assert pages == [f"{episode.episode_id}-p{episode.pages - len(pages) + 1 + n}" for n in range(len(pages))]


def read_event(row: TrailRow) -> e.Event:
    """The event of a row."""
    assert row.payload is not None
    return e.EVENT.validate_json(json.dumps(row.payload["event"]))


def check_chain(engine: Engine, rows: list[TrailRow]) -> None:
    """The rows hang together up to the head that the engine knows."""
    assert verify(rows, engine.episode_id, engine.head) is None


def check_trail(spec: ProtocolSpec, engine: Engine, rows: list[TrailRow], newer: Sequence[ProtocolSpec] = ()) -> None:
    """R1: the trail alone gives the episode back, event by event and command by command."""
    episode: Episode | None = None
    events = [read_event(row) for row in rows]
    place = 0
    while place < len(rows):
        row = rows[place]
        assert row.payload is not None
        command = c.COMMAND.validate_json(json.dumps(row.payload["command"]))
        onto = _version_named(command, events[place], newer)
        step = decide(spec, episode, command, row.recorded_at, onto)
        recorded = tuple(events[place : place + len(step.events)])
        assert step.events == recorded
        if any(isinstance(event, e.Migrated) for event in recorded):
            _nothing_is_put_off_without_a_name(episode, step.episode, recorded)
        else:
            _nothing_is_put_off(spec, episode, recorded)
        for event in recorded:
            before, episode = episode, evolve(episode, event)
            if before is not None:
                _what_happened_last_counts(before, event, episode)
                _a_signature_stands(before, event, episode, events)
        assert episode is not None
        assert episode == step.episode
        place += len(recorded)
        spec = onto if onto is not None and onto.content_hash == episode.protocol_hash else spec
    assert episode == engine.episode
    _every_obligation_ends_once(events, engine.episode)


def _version_named(command: c.Command, said: e.Event, newer: Sequence[ProtocolSpec]) -> ProtocolSpec | None:
    """The version that came with a command, unless it was refused because none came."""
    if not isinstance(command, c.Migrate) or (isinstance(said, e.CommandRefused) and said.code == "protocol_missing"):
        return None
    return next((one for one in newer if one.content_hash == command.protocol_hash), None)


LATEST = ("facts", "contacts", "tries", "decisions", "steps")


def _what_happened_last_counts(before: Episode, event: e.Event, after: Episode) -> None:
    """Nothing that is known of a later moment gives way to what is written down late."""
    if isinstance(event, e.Migrated):
        return
    for section in LATEST:
        for name, known in getattr(before, section).items():
            now = getattr(after, section).get(name)
            skipped = section == "steps" and known.status == "skipped"
            assert skipped or now is None or now.at >= known.at
            assert now is not None or section == "facts"
            assert now is None or not (section == "steps" and known.status == "done") or now.status == "done"


def _a_signature_stands(before: Episode, event: e.Event, after: Episode, events: list[e.Event]) -> None:
    """What two people signed gives way only to what two people signed; and they sign the entry that they saw."""
    if isinstance(event, e.Migrated):
        return
    assert all(after.decisions[name].cosigned for name, one in before.decisions.items() if one.cosigned)
    if isinstance(event, e.CoSigned):
        signed = events[event.entry - 1]
        assert isinstance(signed, e.DecisionRecorded | e.StepSkipped)
        if isinstance(signed, e.DecisionRecorded):
            assert signed.decision == event.subject
            assert after.decisions[event.subject].option == signed.option
        else:
            assert signed.step == event.subject


def _nothing_is_put_off_without_a_name(
    before: Episode | None, after: Episode | None, events: tuple[e.Event, ...]
) -> None:
    """A migration that nobody signs for moves no deadline later and drops none; the risk never falls."""
    moved = next(event for event in events if isinstance(event, e.Migrated))
    assert before is not None
    assert after is not None
    assert RANK[after.risk] >= RANK[before.risk]
    by = {event.obligation_id: event.by for event in events if isinstance(event, e.ObligationSuperseded)}
    for name, owed in before.obligations.items():
        heir = after.obligations.get(by.get(name, name))
        if owed.missed and moved.policies[name] != "waive":
            assert heir == owed or heir is not None
        if not moved.sign_off_by:
            assert heir is not None
            assert heir.due_at <= owed.due_at


def _nothing_is_put_off(spec: ProtocolSpec, before: Episode | None, events: tuple[e.Event, ...]) -> None:
    """What takes the place of a pending deadline is due no later.

    Unless the risk rose, the protocol counts anew, or somebody signed for it in a migration.
    """
    due = {name: owed.due_at for name, owed in before.obligations.items()} if before is not None else {}
    due |= {event.obligation_id: event.due_at for event in events if isinstance(event, e.ObligationOpened)}
    if any(isinstance(event, e.RiskRaised | e.Migrated) for event in events):
        return
    for event in events:
        if isinstance(event, e.ObligationSuperseded) and not _counts_anew(spec, event.obligation, before, events):
            assert due[event.by] <= due[event.obligation_id]


def _counts_anew(spec: ProtocolSpec, obligation: str, before: Episode | None, events: tuple[e.Event, ...]) -> bool:
    """Whether a stage was entered or a step done for the first time that puts this obligation off on purpose."""
    entered = {event.stage for event in events if isinstance(event, e.StageEntered)}
    done = {event.step for event in events if isinstance(event, e.StepCompleted)}
    if before is not None:
        entered -= set(before.left)
        done -= {name for name, step in before.steps.items() if step.status == "done"}
    return any(
        one.counts_anew and (one.entered in entered or one.done in done) for one in spec.obligations[obligation].opens
    )


def _every_obligation_ends_once(events: list[e.Event], episode: Episode | None) -> None:
    """R3: opened once; met, waived or superseded once, or still open and escalating."""
    opened = [event.obligation_id for event in events if isinstance(event, e.ObligationOpened)]
    ended = [
        event.obligation_id
        for event in events
        if isinstance(event, e.ObligationMet | e.ObligationWaived | e.ObligationSuperseded)
    ]
    still_open = list(episode.obligations) if episode is not None else []
    assert len(set(opened)) == len(opened)
    assert sorted(ended + still_open) == sorted(opened)
    commands = [event.obligation_id for event in events if isinstance(event, e.DeadlineMissed)]
    assert len(set(commands)) == len(commands)
