"""When what ends an obligation came about: the parts of the evidence, each with its time and entry. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from protocol import events as e
from protocol.episode import DecisionRecord, Episode, Known, Moment, OpenObligation, StepRecord
from protocol.evolve import was_tried
from protocol.program import Program, Proof


def done_at(
    program: Program, episode: Episode, owed: OpenObligation, proof: Proof, event: e.Event, sequence: int
) -> datetime | None:
    """When the last part of the evidence came about; None while a part is missing."""
    last = None
    for part in _parts(program, episode, proof, event, sequence, owed):
        if part is None or not owed.comes_before(part.at, part.sequence):
            return None
        if last is None or part.at > last:
            last = part.at
    if not proof.holds(episode):
        return None
    return max(owed.opened_at, event.at if last is None else last)


Part = Moment | StepRecord | DecisionRecord | Known
"""What came about, with its time and entry."""


def _parts(
    program: Program, episode: Episode, proof: Proof, event: e.Event, sequence: int, owed: OpenObligation
) -> Iterator[Part | None]:
    """The parts of the evidence; None for one that is missing.

    What this very entry says happened, even where something later is known and stays the latest.
    """
    evidence = proof.evidence
    told = Moment(event.at, sequence) if owed.comes_before(event.at, sequence) else None
    if evidence.reached is not None:
        reached = told if isinstance(event, e.ContactMade) and event.party == evidence.reached else None
        yield reached or episode.contacts.get(evidence.reached)
    if evidence.attempted is not None:
        trying = told if was_tried(event, evidence.attempted) else None
        yield trying or episode.tries.get(evidence.attempted)
    if evidence.done is not None:
        step = episode.steps.get(evidence.done)
        finished = told if isinstance(event, e.StepCompleted) and event.step == evidence.done else None
        yield finished or (step if step is not None and step.status == "done" else None)
    if evidence.decided is not None:
        yield _decided(episode, evidence.decided, evidence.options)
    if evidence.left is not None:
        yield episode.left.get(evidence.left)
    if evidence.acknowledged is not None:
        by_role = owed.acknowledged_role == evidence.acknowledged
        yield Moment(max(event.at, owed.opened_at), episode.revision) if by_role else None
    for fact in program.refreshed_facts(evidence, episode) if evidence.refreshed else ():
        yield episode.facts.get(fact)


def _decided(episode: Episode, decision: str, options: tuple[str, ...]) -> DecisionRecord | None:
    record = episode.decisions.get(decision)
    if record is None or not record.cosigned or (options and record.option not in options):
        return None
    return record
