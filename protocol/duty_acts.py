"""What people do about obligations: contacts, decisions, signatures, acknowledgements, hand-overs, waivers."""

from __future__ import annotations

from protocol import commands as c
from protocol import events as e
from protocol.acts import Act, clinical_refusal, may_act
from protocol.episode import DecisionRecord, StepRecord
from protocol.events import FactRecord
from protocol.evolve import NOBODY_TRIED, is_current
from protocol.facts import Refused, check_facts
from protocol.readers import waits_for_signature
from protocol.spec import Decision
from protocol.turn import Turn


def record_contact(turn: Turn, command: c.RecordContact) -> Refused | None:
    """Write down a contact. Only `reached` is one; everything else is an attempt."""
    party = turn.program.spec.parties.get(command.party)
    if party is None:
        known = ", ".join(turn.program.spec.parties)
        return Refused("unknown_party", f"The protocol has no party {command.party}.", f"Use one of: {known}.")
    if not turn.program.permitted[command.party](turn.episode) and not command.exception:
        return Refused(
            "not_permitted",
            party.refusal or f"Contact with {command.party} is not covered by consent.",
            "If you rely on an emergency exception, state its basis; it is then recorded and reviewed.",
        )
    reached = command.outcome == "reached"
    records = check_facts(turn.program, {**(party.on_reached if reached else {}), **command.facts})
    if isinstance(records, Refused):
        return records
    _emit_contact(turn, command, reached)
    turn.record(records)
    return None


def _emit_contact(turn: Turn, command: c.RecordContact, reached: bool) -> None:
    if reached:
        turn.emit(e.ContactMade(command.party, command.channel, command.note, command.exception, turn.at))
        return
    contact = turn.episode.contacts.get(command.party)
    tried = command.outcome not in NOBODY_TRIED and (contact is None or contact.at <= turn.at)
    number = turn.episode.attempts.get(command.party, 0) + tried
    turn.emit(
        e.ContactAttempted(
            command.party, command.channel, command.outcome, number, command.note, command.exception, turn.at
        )
    )


def record_decision(turn: Turn, command: c.RecordDecision) -> Refused | None:
    """Record a decision with the advice of its table and the facts that were seen."""
    decision = turn.program.spec.decisions.get(command.decision)
    if decision is None:
        known = ", ".join(turn.program.spec.decisions) or "none"
        return Refused("unknown_decision", f"There is no decision {command.decision}.", f"Use one of: {known}.")
    if command.option not in decision.options:
        known = ", ".join(decision.options)
        return Refused("unknown_option", f"{command.option} is not an option.", f"Choose one of: {known}.")
    refused = may_act(command.role, decision.roles)
    if refused is not None:
        return refused
    advised = turn.program.readers.reader(decision.advice)(turn.episode) if decision.advice else None
    signature = _needs_signature(decision, command.option, advised)
    recorded = e.DecisionRecorded(
        command.decision,
        command.option,
        command.rationale,
        advised,
        decision.criteria,
        _seen(turn, decision),
        command.actor,
        signature,
        turn.at,
    )
    current = is_current(turn.episode, recorded)
    turn.emit(recorded)
    refused = clinical_refusal(turn, "decided", command.decision, command.option)
    if refused is None and current and not signature:
        _refer(turn, command.decision, command.option)
    return refused


def _needs_signature(decision: Decision, option: str, advised: str | None) -> bool:
    if not decision.cosigned_by or decision.cosign == "always" or advised is None:
        return bool(decision.cosigned_by)
    order = list(decision.options)
    return order.index(option) < order.index(advised)


def _seen(turn: Turn, decision: Decision) -> dict[str, str]:
    facts = turn.episode.facts
    return {name: _words(facts[name].value) if name in facts else "unknown" for name in decision.shows}


def _words(value: FactRecord) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _refer(turn: Turn, decision: str, option: str) -> None:
    service = turn.program.spec.decisions[decision].options[option].refer
    if service is not None:
        referral_id = f"{turn.episode.episode_id}-r{turn.episode.revision}"
        turn.emit(e.ReferralRequested(referral_id, decision, option, service, turn.at))


def cosign(turn: Turn, command: c.CoSign) -> Refused | None:
    """A second person signs a skipped step or a decision: the very entry that they saw."""
    record = waits_for_signature(turn.episode).get(command.subject)
    if record is None:
        return Refused("nothing_to_cosign", f"{command.subject} waits for no signature.", "Check the name.")
    refused = may_act(command.role, _signers(turn, command.subject, record))
    if refused is not None:
        return refused
    if record.by == command.actor:
        return Refused("cosign_self", "Nobody co-signs their own act.", "Ask a second person to sign.")
    if record.sequence != command.entry:
        return Refused(
            "not_what_was_seen",
            f"{command.subject} was recorded anew: entry {record.sequence} waits, not {command.entry}.",
            f"Look at it as it stands now, then sign entry {record.sequence}.",
        )
    turn.emit(e.CoSigned(command.subject, command.entry, command.note, turn.at))
    if isinstance(record, DecisionRecord):
        _refer(turn, command.subject, record.option)
    return None


def _signers(turn: Turn, subject: str, record: StepRecord | DecisionRecord) -> tuple[str, ...]:
    spec = turn.program.spec
    if isinstance(record, StepRecord):
        return spec.steps[subject].skip_cosigned_by
    return spec.decisions[subject].cosigned_by


def acknowledge(turn: Turn, command: c.Acknowledge) -> Refused | None:
    """A lease, not an end: the ladder is silent for a while, then goes on unless the thing was done.

    A lease that runs already is not made longer: only the next page begins a new one.
    """
    owed = turn.episode.obligations.get(command.obligation_id)
    if owed is None:
        return _unknown_obligation(command.obligation_id)
    if owed.rung < 0:
        return Refused(
            "nothing_to_acknowledge", "Nobody has been paged for this yet.", "Do the thing itself; it is not late."
        )
    lease_until = turn.now + owed.ladder_lease()
    if owed.lease_until is not None:
        lease_until = min(lease_until, owed.lease_until)
    turn.emit(e.Acknowledged(owed.obligation_id, owed.obligation, command.actor, command.role, lease_until, turn.at))
    return None


def _unknown_obligation(obligation_id: str) -> Refused:
    return Refused("unknown_obligation", f"{obligation_id} is not open.", "Look at what is open now.")


def waive(turn: Turn, command: c.Waive) -> Refused | None:
    """End an obligation without the thing done: only by its roles, under its condition, with a reason."""
    owed = turn.episode.obligations.get(command.obligation_id)
    if owed is None:
        return _unknown_obligation(command.obligation_id)
    spec = turn.program.spec.obligations[owed.obligation]
    if not spec.waived_by:
        return Refused("not_waivable", f"{owed.obligation} can't be waived.", "Do it and record it.")
    refused = may_act(command.role, spec.waived_by)
    if refused is None and not turn.program.waivable[owed.obligation](turn.episode):
        refused = Refused(
            "not_waivable",
            f"{owed.obligation} can't be waived now.",
            "Its protocol names a condition: re-assess first.",
        )
    if refused is None:
        turn.emit(e.ObligationWaived(owed.obligation_id, owed.obligation, command.reason, turn.at))
    return refused


def offer_handover(turn: Turn, command: c.OfferHandover) -> Refused | None:
    """Nothing changes until the other person accepts. Whether there is such a person, the shell asks the rota."""
    if command.to == turn.episode.owner:
        return Refused("not_addressee", f"{command.to} owns the episode already.", "Name another person.")
    turn.emit(e.HandoverOffered(command.to, command.actor, command.reason, turn.at))
    return None


def accept_handover(turn: Turn, command: c.AcceptHandover) -> Refused | None:
    """The person changes, to one whose role may own the episode; no deadline does."""
    refused = _addressee(turn, command.actor) or may_act(command.role, turn.program.spec.owning_roles)
    if refused is None:
        turn.emit(e.HandoverAccepted(command.actor, command.role, turn.episode.owner, turn.at))
    return refused


def decline_handover(turn: Turn, command: c.DeclineHandover) -> Refused | None:
    """The owner stays the owner."""
    refused = _addressee(turn, command.actor)
    if refused is None:
        turn.emit(e.HandoverDeclined(command.actor, command.reason, turn.at))
    return refused


def _addressee(turn: Turn, actor: str) -> Refused | None:
    offer = turn.episode.handover
    if offer is None:
        return Refused("no_handover", "No hand-over is offered.", "Ask the owner to offer it.")
    if offer.to != actor:
        return Refused("not_addressee", "The hand-over is offered to somebody else.", f"Only {offer.to} can answer.")
    return None


def deadline_reached(turn: Turn, command: c.DeadlineReached) -> Refused | None:
    """Time alone: whatever is due fires when the turn settles."""
    return None


def report_page(turn: Turn, command: c.ReportPage) -> Refused | None:
    """What became of a page. Delivery ends nothing; failure makes the next rung due at once."""
    if command.page_id not in turn.episode.pages_open:
        return Refused("unknown_obligation", "No such page is under way.", "A page is reported once.")
    turn.emit(e.PageReported(command.page_id, command.delivered, command.recipients, command.detail, turn.now))
    return None


ACTS: dict[type, Act] = {
    c.RecordContact: record_contact,
    c.RecordDecision: record_decision,
    c.CoSign: cosign,
    c.Acknowledge: acknowledge,
    c.Waive: waive,
    c.OfferHandover: offer_handover,
    c.AcceptHandover: accept_handover,
    c.DeclineHandover: decline_handover,
    c.DeadlineReached: deadline_reached,
    c.ReportPage: report_page,
}
