"""`evolve(episode, event)`: the one place where an episode changes. Pure; one small function an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from protocol import events as e
from protocol import open_duties
from protocol.episode import DecisionRecord, Episode, Handover, Known, Moment, StepRecord
from protocol.open_duties import Changes, changed, without
from protocol.spec import RANK

V = TypeVar("V")
UNKNOWN = "unknown"
NOBODY_TRIED = frozenset({"automatic_message"})
"""Outcomes in which no person tried anything: recorded, but neither a contact nor an attempt."""


def evolve(episode: Episode | None, event: e.Event) -> Episode:
    """The episode after the event. Raises ValueError when an episode begins with anything but EpisodeOpened."""
    if episode is None:
        if isinstance(event, e.EpisodeOpened):
            return _opened(event)
        raise ValueError(f"an episode begins with EpisodeOpened, not with {event.kind}")
    revision = episode.revision + 1
    changes = CHANGES[type(event)](episode, event, revision)
    changes["revision"] = revision
    if type(event) in EDITS:
        changes["edited"] = revision
    # dataclasses.replace runs every field through __init__; this copy is ten times faster and as safe:
    # nobody else holds the new object yet.
    copy = object.__new__(Episode)
    object.__setattr__(copy, "__dict__", {**episode.__dict__, **changes})
    return copy


def _opened(event: e.EpisodeOpened) -> Episode:
    first = Moment(event.at, 1)
    return Episode(
        episode_id=event.episode_id,
        client_ref=event.client_ref,
        protocol=event.protocol,
        protocol_version=event.protocol_version,
        protocol_hash=event.protocol_hash,
        opened_at=event.at,
        owner=event.owner,
        owner_role=event.owner_role,
        stage=event.stage,
        stage_entered=first,
        risk=event.risk,
        peak_risk=event.risk,
        risk_changed=first,
        risk_confirmed=first,
        drill=event.drill,
        revision=1,
        edited=1,
    )


def _nothing(_episode: Episode, _event: Any, _revision: int) -> Changes:
    return {}


def _facts_recorded(episode: Episode, event: e.FactsRecorded, revision: int) -> Changes:
    """The answer that was given last is the current one, whenever it was written down."""
    facts = dict(episode.facts)
    for name, value in event.facts.items():
        known = facts.get(name)
        if known is not None and known.at > event.at:
            continue
        if value == UNKNOWN:
            facts.pop(name, None)
        else:
            facts[name] = Known(value, event.at, revision)
    return {"facts": facts}


def _step_completed(episode: Episode, event: e.StepCompleted, revision: int) -> Changes:
    """What was done is done, whoever skipped it; done again, the latest time counts."""
    known = episode.steps.get(event.step)
    if known is not None and known.status == "done" and known.at > event.at:
        return {}
    return {"steps": {**episode.steps, event.step: StepRecord("done", event.at, revision)}}


def _step_skipped(episode: Episode, event: e.StepSkipped, revision: int) -> Changes:
    known = episode.steps.get(event.step)
    if known is not None and known.at > event.at:
        return {}
    record = StepRecord("skipped", event.at, revision, by=event.by, cosigned=False)
    return {"steps": {**episode.steps, event.step: record}}


def _cosigned(episode: Episode, event: e.CoSigned, revision: int) -> Changes:
    step = episode.steps.get(event.subject)
    if step is not None and step.sequence == event.entry:
        signed = StepRecord(step.status, step.at, step.sequence, step.by, cosigned=True)
        return {"steps": {**episode.steps, event.subject: signed}}
    decision = episode.unsigned.get(event.subject, episode.decisions.get(event.subject))
    if decision is None or decision.sequence != event.entry:
        return {}
    # Counts from the signature on: evidence needs a sequence after the obligation was opened.
    at = max(event.at, decision.at)
    counted = DecisionRecord(decision.option, decision.by, at, revision, cosigned=True)
    return {
        "decisions": {**episode.decisions, event.subject: counted},
        "unsigned": without(episode.unsigned, event.subject),
    }


def _stage_entered(episode: Episode, event: e.StageEntered, revision: int) -> Changes:
    moment = Moment(event.at, revision)
    return {
        "stage": event.stage,
        "stage_entered": moment,
        "left": {**episode.left, event.left: moment},
    }


def _crisis_type_recorded(episode: Episode, event: e.CrisisTypeRecorded, revision: int) -> Changes:
    if event.crisis_type in episode.crisis_types:
        return {}
    return {"crisis_types": (*episode.crisis_types, event.crisis_type)}


def _latest(known: Mapping[str, Moment], party: str, moment: Moment) -> dict[str, Moment]:
    """The moments with this one, unless a later one is known."""
    before = known.get(party)
    return dict(known) if before is not None and before.at > moment.at else {**known, party: moment}


def _contact_made(episode: Episode, event: e.ContactMade, revision: int) -> Changes:
    """A contact ends the row of failed attempts, but not of those that were made after it."""
    moment, tried = Moment(event.at, revision), episode.tries.get(event.party)
    failed_since = episode.attempts.get(event.party, 0) if tried is not None and tried.at > event.at else 0
    return {
        "contacts": _latest(episode.contacts, event.party, moment),
        "tries": _latest(episode.tries, event.party, moment),
        "attempts": {**episode.attempts, event.party: failed_since},
    }


def was_tried(event: e.Event, party: str) -> bool:
    """Whether somebody tried to reach this party, or reached it."""
    if isinstance(event, e.ContactMade):
        return event.party == party
    return isinstance(event, e.ContactAttempted) and event.party == party and event.outcome not in NOBODY_TRIED


def _contact_attempted(episode: Episode, event: e.ContactAttempted, revision: int) -> Changes:
    if event.outcome in NOBODY_TRIED:
        return {}
    return {
        "tries": _latest(episode.tries, event.party, Moment(event.at, revision)),
        "attempts": {**episode.attempts, event.party: event.number},
    }


def is_current(episode: Episode, event: e.DecisionRecorded) -> bool:
    """Whether nothing was decided otherwise after it; what is written down late stands in the trail alone."""
    known = (episode.decisions.get(event.decision), episode.unsigned.get(event.decision))
    return all(record is None or record.at <= event.at for record in known)


def _decision_recorded(episode: Episode, event: e.DecisionRecorded, revision: int) -> Changes:
    """A decision that still needs a signature takes the place of a signed one only with it."""
    if not is_current(episode, event):
        return {}
    record = DecisionRecord(event.option, event.by, event.at, revision, not event.needs_cosignature)
    standing = episode.decisions.get(event.decision)
    if standing is not None and standing.cosigned and not record.cosigned:
        return {"unsigned": {**episode.unsigned, event.decision: record}}
    return {
        "decisions": {**episode.decisions, event.decision: record},
        "unsigned": without(episode.unsigned, event.decision),
    }


def _risk_raised(episode: Episode, event: e.RiskRaised, revision: int) -> Changes:
    peak = max(episode.peak_risk, event.level, key=RANK.__getitem__)
    return {"peak_risk": peak, **_level(event.level, event.at, revision)}


def _risk_confirmed(episode: Episode, event: e.RiskConfirmed, revision: int) -> Changes:
    return {"risk_confirmed": Moment(event.at, revision)}


def _risk_lowered(episode: Episode, event: e.RiskLowered, revision: int) -> Changes:
    return _level(event.level, event.at, revision)


def _level(level: str, at: datetime, revision: int) -> Changes:
    moment = Moment(at, revision)
    return {"risk": level, "risk_changed": moment, "risk_confirmed": moment}


def _handover_offered(episode: Episode, event: e.HandoverOffered, revision: int) -> Changes:
    return {"handover": Handover(event.to, event.by, event.at)}


def _handover_accepted(episode: Episode, event: e.HandoverAccepted, revision: int) -> Changes:
    return {"handover": None, "owner": event.owner, "owner_role": event.owner_role}


def _handover_declined(episode: Episode, event: e.HandoverDeclined, revision: int) -> Changes:
    return {"handover": None}


def _migrated(episode: Episode, event: e.Migrated, revision: int) -> Changes:
    def moved(section: str, held: Mapping[str, V]) -> dict[str, V]:
        names, gone = event.renamed.get(section, {}), event.forgotten.get(section, ())
        return {names.get(name, name): value for name, value in held.items() if name not in gone}

    kinds = event.renamed.get("obligations", {})
    parties = {name: moved("parties", getattr(episode, name)) for name in ("contacts", "tries", "attempts")}
    return {
        "protocol_version": event.protocol_version,
        "protocol_hash": event.protocol_hash,
        "stage": event.stage,
        "crisis_types": tuple(moved("crisis_types", dict.fromkeys(episode.crisis_types))),
        "facts": moved("facts", episode.facts),
        "steps": moved("steps", episode.steps),
        "decisions": moved("decisions", episode.decisions),
        "unsigned": moved("decisions", episode.unsigned),
        "left": moved("stages", episode.left),
        "obligations": {
            name: changed(owed, obligation=kinds.get(owed.obligation, owed.obligation))
            for name, owed in episode.obligations.items()
        },
        "tallies": moved("obligations", episode.tallies),
        **parties,
    }


def _episode_closed(episode: Episode, event: e.EpisodeClosed, revision: int) -> Changes:
    return {"outcome": event.outcome, "closed_at": event.at}


CHANGES: dict[type, Callable[[Episode, Any, int], Changes]] = {
    e.EpisodeOpened: _nothing,
    e.FactsRecorded: _facts_recorded,
    e.StepCompleted: _step_completed,
    e.StepSkipped: _step_skipped,
    e.CoSigned: _cosigned,
    e.StageEntered: _stage_entered,
    e.EmergencyDeclared: _nothing,
    e.CrisisTypeRecorded: _crisis_type_recorded,
    e.ContactMade: _contact_made,
    e.ContactAttempted: _contact_attempted,
    e.DecisionRecorded: _decision_recorded,
    e.ReferralRequested: _nothing,
    e.RiskRaised: _risk_raised,
    e.RiskConfirmed: _risk_confirmed,
    e.RiskLowered: _risk_lowered,
    e.HandoverOffered: _handover_offered,
    e.HandoverAccepted: _handover_accepted,
    e.HandoverDeclined: _handover_declined,
    e.NoticeRaised: _nothing,
    e.AddendumAdded: _nothing,
    e.Migrated: _migrated,
    e.EpisodeClosed: _episode_closed,
    e.CommandRefused: _nothing,
    **open_duties.CHANGES,
}

EDITS = frozenset(
    {
        e.FactsRecorded,
        e.StepCompleted,
        e.StepSkipped,
        e.CoSigned,
        e.StageEntered,
        e.CrisisTypeRecorded,
        e.DecisionRecorded,
        e.RiskRaised,
        e.RiskLowered,
        e.Migrated,
        e.EpisodeClosed,
    }
)
"""Events that change what people see and edit: a command written before one of them is stale."""
