"""What people do with each other: contacts, decisions, second signatures, hand-overs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof.walk import Walk
from protocol.episode import StepRecord
from protocol.readers import waits_for_signature

if TYPE_CHECKING:
    from proof.pilot import Pilot

MOST_TRIES = 6
REASON = "as the protocol asks"


class People:
    """The part of a pilot that knows people."""

    def __init__(self, pilot: Pilot) -> None:
        self.pilot, self.spec = pilot, pilot.spec

    def reach(self, walk: Walk, what: str, party: str, values: list[str]) -> Walk | None:
        """Bring `contact.<party>` or `attempts.<party>` to one of some values."""
        if what == "contact" or "0" in values:
            return self.contact(walk, party, "reached") if what == "attempts" or "yes" in values else None
        current: Walk | None = walk
        for _ in range(MOST_TRIES):
            if current is None or str(min(current.episode.attempts.get(party, 0), 5)) in values:
                return current
            current = self.contact(current, party, "no_answer")
        return current

    def contact(self, walk: Walk, party: str, outcome: str) -> Walk | None:
        """Record a contact or an attempt; without consent under a stated exception."""
        permitted = self.pilot.program.permitted[party](walk.episode)
        exception = {} if permitted else {"exception": "emergency exception, stated"}
        return self.pilot.act(walk, "record_contact", party=party, channel="phone", outcome=outcome, **exception)

    def decide(self, walk: Walk, decision: str, option: str, signed: bool = True) -> Walk | None:
        """Record a decision and, unless it shall stay unsigned, have it signed where it needs that."""
        spec = self.spec.decisions[decision]
        fields = {"decision": decision, "option": option, "rationale": REASON}
        taken = self.pilot.act(walk, "record_decision", spec.roles, **fields)
        if taken is None:
            cleared = self.pilot.unrefused(walk, "decided", decision)
            taken = self.pilot.act(cleared, "record_decision", spec.roles, **fields) if cleared is not None else None
        return self.sign(taken) if taken is not None and signed else taken

    def sign(self, walk: Walk) -> Walk | None:
        """Sign all that waits for a second signature."""
        current: Walk | None = walk
        for subject in waits_for_signature(walk.episode):
            if current is not None:
                current = self._signed(current, subject)
        return current

    def _signed(self, walk: Walk, subject: str) -> Walk | None:
        waiting = waits_for_signature(walk.episode)[subject]
        skipped = isinstance(waiting, StepRecord)
        roles = self.spec.steps[subject].skip_cosigned_by if skipped else self.spec.decisions[subject].cosigned_by
        return walk.act("co_sign", self.pilot.cast.one_of(roles, but=waiting.by), subject=subject)

    def signatures(self, walk: Walk, what: str, values: list[str]) -> Walk | None:
        """Bring `cosignature` or `handover` to one of some values."""
        if what == "cosignature":
            return self.sign(walk) if "none" in values else None
        if "offered" in values:
            return self.offer(walk)
        return self.answer_offer(walk)

    def offer(self, walk: Walk) -> Walk | None:
        """Offer the episode to somebody else."""
        other = next((name for name in self.pilot.cast.people if name != walk.episode.owner), None)
        return None if other is None else self.pilot.act(walk, "offer_handover", to=other, reason=REASON)

    def answer_offer(self, walk: Walk, accept: bool = False) -> Walk | None:
        """Decline the offered episode, or accept it."""
        offer = walk.episode.handover
        if offer is None:
            return None
        if accept:
            return walk.act("accept_handover", offer.to)
        return walk.act("decline_handover", offer.to, reason=REASON)
