"""When what ends an obligation came about: the parts of the evidence, each with its time and entry. Pure."""

from __future__ import annotations

from datetime import datetime

from protocol import events as e
from protocol.episode import Episode, OpenObligation
from protocol.evolve import was_tried
from protocol.program import Program, Proof


def done_at(
    program: Program, episode: Episode, owed: OpenObligation, proof: Proof, event: e.Event, sequence: int
) -> datetime | None:
    """When the last part of the evidence came about; None while a part is missing."""
    moments = _moments(program, episode, proof, event, sequence, owed)
    if any(moment is None or not owed.comes_before(*moment) for moment in moments):
        return None
    if not proof.holds(episode):
        return None
    times = [moment[0] for moment in moments if moment]
    return max(owed.opened_at, *times) if times else max(event.at, owed.opened_at)


def _moments(
    program: Program, episode: Episode, proof: Proof, event: e.Event, sequence: int, owed: OpenObligation
) -> list[tuple[datetime, int] | None]:
    """When and by which entry each part of the evidence came about.

    What this very entry says happened, even where something later is known and stays the latest.
    """
    evidence = proof.evidence
    told = (event.at, sequence) if owed.comes_before(event.at, sequence) else None
    moments: list[tuple[datetime, int] | None] = []
    if evidence.reached is not None:
        contact = episode.contacts.get(evidence.reached)
        reached = told if isinstance(event, e.ContactMade) and event.party == evidence.reached else None
        moments.append(reached or (contact and (contact.at, contact.sequence)))
    if evidence.attempted is not None:
        tried = episode.tries.get(evidence.attempted)
        trying = told if was_tried(event, evidence.attempted) else None
        moments.append(trying or (tried and (tried.at, tried.sequence)))
    if evidence.done is not None:
        step = episode.steps.get(evidence.done)
        finished = told if isinstance(event, e.StepCompleted) and event.step == evidence.done else None
        known = (step.at, step.sequence) if step is not None and step.status == "done" else None
        moments.append(finished or known)
    if evidence.decided is not None:
        moments.append(_decided(episode, evidence.decided, evidence.options))
    if evidence.left is not None:
        left = episode.left.get(evidence.left)
        moments.append(left and (left.at, left.sequence))
    if evidence.acknowledged is not None:
        by_role = owed.acknowledged_role == evidence.acknowledged
        moments.append((max(event.at, owed.opened_at), episode.revision) if by_role else None)
    for fact in program.refreshed_facts(evidence, episode) if evidence.refreshed else ():
        known = episode.facts.get(fact)
        moments.append(known and (known.at, known.sequence))
    return moments


def _decided(episode: Episode, decision: str, options: tuple[str, ...]) -> tuple[datetime, int] | None:
    record = episode.decisions.get(decision)
    if record is None or not record.cosigned or (options and record.option not in options):
        return None
    return record.at, record.sequence
