"""What an event means to the rest of a protocol: the keys by which triggers, evidence and rules wait for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from protocol import events as e
from protocol.evolve import NOBODY_TRIED
from protocol.program import Key

_Keys = Callable[[Any], tuple[Key, ...]]

_remembered = lru_cache(maxsize=4096)
"""The names are a protocol's own and few: the same keys need not be made for every event."""


def happenings(event: e.Event) -> tuple[Key, ...]:
    """Keys of what happened, then ("changed", name) for each name that conditions may now read differently."""
    keys = KEYS.get(type(event))
    return keys(event) if keys is not None else ()


@_remembered
def _changed(*names: str) -> tuple[Key, ...]:
    return tuple([("changed", name) for name in names])


@_remembered
def _happened(happening: str, *changed: str) -> tuple[Key, ...]:
    return ("event", happening), *_changed(*changed)


@_remembered
def _done(step: str) -> tuple[Key, ...]:
    return ("done", step), *_changed(f"step.{step}", "cosignature")


@_remembered
def _skipped(step: str) -> tuple[Key, ...]:
    return ("event", "step_skipped"), ("event", "co_signature_needed"), *_changed(f"step.{step}", "cosignature")


@_remembered
def _entered(left: str, stage: str) -> tuple[Key, ...]:
    return ("left", left), ("entered", stage), *_changed("stage")


@_remembered
def _reached(party: str) -> tuple[Key, ...]:
    return ("reached", party), *_changed(f"contact.{party}", f"attempts.{party}")


@_remembered
def _not_reached(party: str, outcome: str) -> tuple[Key, ...]:
    return () if outcome in NOBODY_TRIED else (("not_reached", party), *_changed(f"attempts.{party}"))


@_remembered
def _decided(decision: str, needs_cosignature: bool) -> tuple[Key, ...]:
    """A decision that still needs its second signature is not yet decided."""
    first = ("event", "co_signature_needed") if needs_cosignature else ("decided", decision)
    return first, *_changed(decision, "cosignature")


@_remembered
def _obligation(what: str, obligation: str) -> tuple[Key, ...]:
    return (what, obligation), *_changed(f"obligation.{obligation}")


KEYS: dict[type, _Keys] = {
    e.FactsRecorded: lambda ev: _changed(*ev.facts),
    e.StepCompleted: lambda ev: _done(ev.step),
    e.StepSkipped: lambda ev: _skipped(ev.step),
    e.CoSigned: lambda ev: _decided(ev.subject, needs_cosignature=False),
    e.StageEntered: lambda ev: _entered(ev.left, ev.stage),
    e.EmergencyDeclared: lambda _: _happened("emergency_declared"),
    e.CrisisTypeRecorded: lambda ev: _changed(f"crisis.{ev.crisis_type}"),
    e.ContactMade: lambda ev: _reached(ev.party),
    e.ContactAttempted: lambda ev: _not_reached(ev.party, ev.outcome),
    e.DecisionRecorded: lambda ev: _decided(ev.decision, needs_cosignature=ev.needs_cosignature),
    e.RiskRaised: lambda _: _happened("risk_raised", "risk", "peak_risk"),
    e.RiskLowered: lambda _: _happened("risk_lowered", "risk"),
    e.ObligationOpened: lambda ev: _obligation("opened", ev.obligation),
    e.ObligationMet: lambda ev: _obligation("met", ev.obligation),
    e.ObligationWaived: lambda ev: _obligation("waived", ev.obligation),
    e.ObligationSuperseded: lambda ev: _changed(f"obligation.{ev.obligation}"),
    e.DeadlineMissed: lambda ev: _obligation("missed", ev.obligation),
    e.Acknowledged: lambda _: _happened("acknowledged"),
    e.HandoverOffered: lambda _: _happened("handover_offered", "handover"),
    e.HandoverAccepted: lambda _: _happened("handover_accepted", "handover"),
    e.HandoverDeclined: lambda _: _happened("handover_declined", "handover"),
}
