"""What happened to an episode: past tense, one frozen dataclass each. `evolve` folds them.

`at` is when the thing happened (aware UTC); when it was recorded is the trail's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from protocol.commands import STRICT
from protocol.moves import Migrated, ObligationRescheduled
from protocol.snapshots import LadderSnapshot
from protocol.values import value

FactRecord = str | int | tuple[str, ...]


@value
class EpisodeOpened:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    episode_id: str
    client_ref: str
    protocol: str
    protocol_version: str
    protocol_hash: str
    owner: str
    owner_role: str
    stage: str
    risk: str
    drill: bool
    at: datetime
    kind: Literal["EpisodeOpened"] = "EpisodeOpened"


@value
class FactsRecorded:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    facts: Mapping[str, FactRecord]
    at: datetime
    kind: Literal["FactsRecorded"] = "FactsRecorded"


@value
class StepCompleted:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    step: str
    note: str
    at: datetime
    kind: Literal["StepCompleted"] = "StepCompleted"


@value
class StepSkipped:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    step: str
    reason: str
    by: str
    at: datetime
    kind: Literal["StepSkipped"] = "StepSkipped"


@value
class CoSigned:
    """A second person signed a skip or a decision."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    subject: str
    entry: int
    """The sequence of the entry that was signed."""
    note: str
    at: datetime
    kind: Literal["CoSigned"] = "CoSigned"


@value
class StageEntered:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    stage: str
    left: str
    reason: str
    at: datetime
    kind: Literal["StageEntered"] = "StageEntered"


@value
class EmergencyDeclared:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    reason: str
    at: datetime
    kind: Literal["EmergencyDeclared"] = "EmergencyDeclared"


@value
class CrisisTypeRecorded:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    crisis_type: str
    at: datetime
    kind: Literal["CrisisTypeRecorded"] = "CrisisTypeRecorded"


@value
class ContactMade:
    """A live two-way contact with the party itself."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    party: str
    channel: str
    note: str
    exception: str
    at: datetime
    kind: Literal["ContactMade"] = "ContactMade"


@value
class ContactAttempted:
    """An attempt: discharges nothing."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    party: str
    channel: str
    outcome: str
    number: int
    """How many attempts in a row have failed to reach this party."""
    note: str
    exception: str
    at: datetime
    kind: Literal["ContactAttempted"] = "ContactAttempted"


@value
class DecisionRecorded:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    decision: str
    option: str
    rationale: str
    advised: str | None
    """What the table advised, with the facts as they were seen."""
    criteria: str
    seen: Mapping[str, str]
    by: str
    needs_cosignature: bool
    at: datetime
    kind: Literal["DecisionRecorded"] = "DecisionRecorded"


@value
class ReferralRequested:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    referral_id: str
    decision: str
    option: str
    service: str
    at: datetime
    kind: Literal["ReferralRequested"] = "ReferralRequested"


@value
class RiskRaised:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    level: str
    previous: str
    because: str
    rule: int
    """Number of the risk rule in the protocol, from 0; -1 when an emergency was declared."""
    at: datetime
    kind: Literal["RiskRaised"] = "RiskRaised"


@value
class RiskConfirmed:
    """New evidence for the present level: no re-assessment from before it lowers the level."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    level: str
    because: str
    rule: int
    """Number of the risk rule in the protocol, from 0."""
    at: datetime
    kind: Literal["RiskConfirmed"] = "RiskConfirmed"


@value
class RiskLowered:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    level: str
    previous: str
    reason: str
    at: datetime
    kind: Literal["RiskLowered"] = "RiskLowered"


@value
class ObligationOpened:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    owner: str
    """The role that owes it."""
    due_at: datetime
    first_page_at: datetime
    ladder: LadderSnapshot
    at: datetime
    kind: Literal["ObligationOpened"] = "ObligationOpened"


@value
class ObligationMet:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    late: bool
    """The thing happened after it was due (by when it happened, not by when it was written down)."""
    at: datetime
    kind: Literal["ObligationMet"] = "ObligationMet"


@value
class ObligationWaived:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    reason: str
    at: datetime
    kind: Literal["ObligationWaived"] = "ObligationWaived"


@value
class ObligationSuperseded:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    by: str
    """The obligation that takes its place."""
    at: datetime
    kind: Literal["ObligationSuperseded"] = "ObligationSuperseded"


@value
class DeadlineMissed:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    due_at: datetime
    at: datetime
    kind: Literal["DeadlineMissed"] = "DeadlineMissed"


@value
class PageRequested:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    page_id: str
    obligation_id: str
    obligation: str
    rung: int
    role: str
    channels: tuple[str, ...]
    due_at: datetime
    next_page_at: datetime
    at: datetime
    kind: Literal["PageRequested"] = "PageRequested"


@value
class PageReported:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    page_id: str
    delivered: bool
    recipients: tuple[str, ...]
    detail: str
    at: datetime
    kind: Literal["PageReported"] = "PageReported"


@value
class Acknowledged:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    by: str
    role: str
    lease_until: datetime
    at: datetime
    kind: Literal["Acknowledged"] = "Acknowledged"


@value
class HandoverOffered:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    to: str
    by: str
    reason: str
    at: datetime
    kind: Literal["HandoverOffered"] = "HandoverOffered"


@value
class HandoverAccepted:
    """The owner changed: every open obligation is transferred with its deadline unchanged."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    owner: str
    owner_role: str
    previous: str
    at: datetime
    kind: Literal["HandoverAccepted"] = "HandoverAccepted"


@value
class HandoverDeclined:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    by: str
    reason: str
    at: datetime
    kind: Literal["HandoverDeclined"] = "HandoverDeclined"


@value
class NoticeRaised:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    notice: str
    text: str
    at: datetime
    kind: Literal["NoticeRaised"] = "NoticeRaised"


@value
class AddendumAdded:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    refers_to: int
    text: str
    at: datetime
    kind: Literal["AddendumAdded"] = "AddendumAdded"


@value
class EpisodeClosed:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    outcome: str
    reason: str
    stage: str
    at: datetime
    kind: Literal["EpisodeClosed"] = "EpisodeClosed"


@value
class CommandRefused:
    """A refusal is recorded like everything else."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    command: str
    code: str
    message: str
    remedy: str
    missing: tuple[str, ...]
    at: datetime
    kind: Literal["CommandRefused"] = "CommandRefused"


Event = (
    EpisodeOpened
    | FactsRecorded
    | StepCompleted
    | StepSkipped
    | CoSigned
    | StageEntered
    | EmergencyDeclared
    | CrisisTypeRecorded
    | ContactMade
    | ContactAttempted
    | DecisionRecorded
    | ReferralRequested
    | RiskRaised
    | RiskConfirmed
    | RiskLowered
    | ObligationOpened
    | ObligationMet
    | ObligationWaived
    | ObligationSuperseded
    | ObligationRescheduled
    | DeadlineMissed
    | PageRequested
    | PageReported
    | Acknowledged
    | HandoverOffered
    | HandoverAccepted
    | HandoverDeclined
    | NoticeRaised
    | AddendumAdded
    | Migrated
    | EpisodeClosed
    | CommandRefused
)

EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
"""Reads and writes any event."""
