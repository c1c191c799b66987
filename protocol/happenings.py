"""What an event means to the rest of a protocol: the keys by which triggers, evidence and rules wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import events as e
from protocol.evolve import NOBODY_TRIED
from protocol.program import Key

_Keys = Callable[[Any], list[Key]]


def happenings(event: e.Event) -> list[Key]:
    """Keys of what happened, then ("changed", name) for each name that conditions may now read differently.

    Opening an episode changes everything: `Program.at_opening` has its keys.
    """
    keys = KEYS.get(type(event))
    return keys(event) if keys is not None else []


def _changed(*names: str) -> list[Key]:
    return [("changed", name) for name in names]


KEYS: dict[type, _Keys] = {
    e.FactsRecorded: lambda ev: _changed(*ev.facts),
    e.StepCompleted: lambda ev: [("done", ev.step), *_changed(f"step.{ev.step}", "cosignature")],
    e.StepSkipped: lambda ev: [
        ("event", "step_skipped"),
        ("event", "co_signature_needed"),
        *_changed(f"step.{ev.step}", "cosignature"),
    ],
    e.CoSigned: lambda ev: [("decided", ev.subject), *_changed("cosignature", ev.subject)],
    e.StageEntered: lambda ev: [("left", ev.left), ("entered", ev.stage), *_changed("stage")],
    e.EmergencyDeclared: lambda _: [("event", "emergency_declared")],
    e.CrisisTypeRecorded: lambda ev: _changed(f"crisis.{ev.crisis_type}"),
    e.ContactMade: lambda ev: [
        ("reached", ev.party),
        *_changed(f"contact.{ev.party}", f"attempts.{ev.party}"),
    ],
    e.ContactAttempted: lambda ev: _attempted(ev),
    e.DecisionRecorded: lambda ev: _decided(ev),
    e.RiskRaised: lambda _: [("event", "risk_raised"), *_changed("risk", "peak_risk")],
    e.RiskLowered: lambda _: [("event", "risk_lowered"), *_changed("risk")],
    e.ObligationOpened: lambda ev: [("opened", ev.obligation), *_changed(f"obligation.{ev.obligation}")],
    e.ObligationMet: lambda ev: [("met", ev.obligation), *_changed(f"obligation.{ev.obligation}")],
    e.ObligationWaived: lambda ev: [("waived", ev.obligation), *_changed(f"obligation.{ev.obligation}")],
    e.ObligationSuperseded: lambda ev: _changed(f"obligation.{ev.obligation}"),
    e.DeadlineMissed: lambda ev: [("missed", ev.obligation), *_changed(f"obligation.{ev.obligation}")],
    e.Acknowledged: lambda _: [("event", "acknowledged")],
    e.HandoverOffered: lambda _: [("event", "handover_offered"), *_changed("handover")],
    e.HandoverAccepted: lambda _: [("event", "handover_accepted"), *_changed("handover")],
    e.HandoverDeclined: lambda _: [("event", "handover_declined"), *_changed("handover")],
}


def _attempted(event: e.ContactAttempted) -> list[Key]:
    if event.outcome in NOBODY_TRIED:
        return []
    return [("not_reached", event.party), *_changed(f"attempts.{event.party}")]


def _decided(event: e.DecisionRecorded) -> list[Key]:
    """A decision that still needs its second signature is not yet decided."""
    changed = _changed(event.decision, "cosignature")
    if event.needs_cosignature:
        return [("event", "co_signature_needed"), *changed]
    return [("decided", event.decision), *changed]
