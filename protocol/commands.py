"""What people and the engine may ask of an episode: imperatives, one frozen dataclass each.

Every command carries its identity, who asks in which role, and when the thing really happened (aware UTC).
`expected_revision` is the revision the person saw; leave it out for acts that must never conflict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, TypeAdapter

MAX_FACTS = 120
MAX_TEXT = 4000

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
LONGEST_EPISODE_ID = 48
EpisodeId = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._:-]{{0,{LONGEST_EPISODE_ID - 1}}}$")]
"""Shorter than an identifier, because the ids of its pages and of their reports are made from it."""
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
Choices = Annotated[tuple[Word, ...], Field(max_length=60)]
FactValue = Text | Annotated[int, Field(ge=-(10**9), le=10**9)] | Choices
"""yes, no, a choice, a text or a moment as text; a whole number; several choices. `unknown` takes an answer back."""
Facts = Annotated[Mapping[Word, FactValue], Field(max_length=MAX_FACTS)]

ContactOutcome = Literal[
    "reached",
    "no_answer",
    "voicemail",
    "message_sent",
    "message_read",
    "automatic_message",
    "wrong_person",
    "declined_to_talk",
]
"""Only `reached` is a contact: a live two-way exchange with the party itself. Everything else is an attempt,
except that an automatic message is not even that: no person tried."""

ContactChannel = Literal["video", "phone", "text", "portal", "in_person", "letter"]

STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, kw_only=True)
class _Command:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    command_id: Identifier
    actor: Identifier
    role: Word
    occurred_at: AwareDatetime
    expected_revision: Annotated[int, Field(ge=0)] | None = None


@dataclass(frozen=True, kw_only=True)
class OpenEpisode(_Command):
    """Report a crisis: the first command of every episode."""

    kind: Literal["OpenEpisode"] = "OpenEpisode"
    episode_id: EpisodeId
    client_ref: Identifier
    owner: Identifier
    """The person who owns the episode until a hand-over is accepted."""
    crisis_types: Choices = ()
    facts: Facts = field(default_factory=dict[str, Any])
    drill: bool = False
    """An exercise: marked everywhere, never counted."""


@dataclass(frozen=True, kw_only=True)
class RecordFacts(_Command):
    """Write down what was said or seen, at any time and outside any form."""

    kind: Literal["RecordFacts"] = "RecordFacts"
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class CompleteStep(_Command):
    """Finish a step with the answers of its form."""

    kind: Literal["CompleteStep"] = "CompleteStep"
    step: Word
    facts: Facts = field(default_factory=dict[str, Any])
    note: Text = ""


@dataclass(frozen=True, kw_only=True)
class SkipStep(_Command):
    """Leave a step out, with a reason; a co-signature is then owed."""

    kind: Literal["SkipStep"] = "SkipStep"
    step: Word
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class CoSign(_Command):
    """A second person signs a skipped step or a decision."""

    kind: Literal["CoSign"] = "CoSign"
    subject: Word
    """The name of the skipped step or of the decision."""
    entry: Annotated[int, Field(ge=1)]
    """The sequence number of the entry that is signed, as the signer saw it."""
    note: Text = ""


@dataclass(frozen=True, kw_only=True)
class Advance(_Command):
    """Go on to the next stage, or to the one named."""

    kind: Literal["Advance"] = "Advance"
    to: Word | None = None


@dataclass(frozen=True, kw_only=True)
class GoBack(_Command):
    """Return to an earlier stage."""

    kind: Literal["GoBack"] = "GoBack"
    to: Word
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class DeclareEmergency(_Command):
    """Take the emergency path. Any role, any stage, nothing to fill in."""

    kind: Literal["DeclareEmergency"] = "DeclareEmergency"
    reason: Text = ""


@dataclass(frozen=True, kw_only=True)
class RecordCrisisType(_Command):
    """Add a crisis type to the episode."""

    kind: Literal["RecordCrisisType"] = "RecordCrisisType"
    crisis_type: Word


@dataclass(frozen=True, kw_only=True)
class RecordContact(_Command):
    """Write down a contact or an attempt, and what it brought."""

    kind: Literal["RecordContact"] = "RecordContact"
    party: Word
    channel: ContactChannel
    outcome: ContactOutcome
    facts: Facts = field(default_factory=dict[str, Any])
    note: Text = ""
    exception: Text = ""
    """The legal basis when the contact is outside the client's consent."""


@dataclass(frozen=True, kw_only=True)
class RecordDecision(_Command):
    """Record a decision with its rationale."""

    kind: Literal["RecordDecision"] = "RecordDecision"
    decision: Word
    option: Word
    rationale: Reason


@dataclass(frozen=True, kw_only=True)
class LowerRisk(_Command):
    """Lower the level after a documented re-assessment."""

    kind: Literal["LowerRisk"] = "LowerRisk"
    level: Literal["none", "low", "moderate", "high"]
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Acknowledge(_Command):
    """Say "I am on it": silences the ladder for its lease, ends nothing."""

    kind: Literal["Acknowledge"] = "Acknowledge"
    obligation_id: Identifier


@dataclass(frozen=True, kw_only=True)
class Waive(_Command):
    """End an obligation without the thing done, with a reason."""

    kind: Literal["Waive"] = "Waive"
    obligation_id: Identifier
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class OfferHandover(_Command):
    """Offer the episode to another person. Nothing changes until they accept."""

    kind: Literal["OfferHandover"] = "OfferHandover"
    to: Identifier
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class AcceptHandover(_Command):
    """Accept an offered episode: the person changes, no deadline does."""

    kind: Literal["AcceptHandover"] = "AcceptHandover"


@dataclass(frozen=True, kw_only=True)
class DeclineHandover(_Command):
    """Decline an offered episode."""

    kind: Literal["DeclineHandover"] = "DeclineHandover"
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class AddAddendum(_Command):
    """Add to or correct an earlier entry, which itself stays as it is."""

    kind: Literal["AddAddendum"] = "AddAddendum"
    refers_to: Annotated[int, Field(ge=1)]
    """The sequence number of the entry."""
    text: Reason


@dataclass(frozen=True, kw_only=True)
class CloseEpisode(_Command):
    """End the episode, once nothing is owed any more."""

    kind: Literal["CloseEpisode"] = "CloseEpisode"
    outcome: Word
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Migrate(_Command):
    """Move the episode to a newer version of its protocol, as that version says under `migrates_from`."""

    kind: Literal["Migrate"] = "Migrate"
    protocol_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The content hash of the newer version. Its document travels beside the command."""
    sign_off_by: Identifier | None = None
    """Who answers for it clinically, where a deadline comes later or is dropped."""
    sign_off_role: Word | None = None
    sign_off_reason: Text = ""


@dataclass(frozen=True, kw_only=True)
class DeadlineReached(_Command):
    """The engine's own: time has come for everything due at or before now."""

    kind: Literal["DeadlineReached"] = "DeadlineReached"


@dataclass(frozen=True, kw_only=True)
class ReportPage(_Command):
    """The engine's own: what became of a page. Delivery closes nothing."""

    kind: Literal["ReportPage"] = "ReportPage"
    page_id: Identifier
    delivered: bool
    recipients: Annotated[tuple[Identifier, ...], Field(max_length=50)] = ()
    detail: Annotated[str, StringConstraints(max_length=300)] = ""


HumanCommand = (
    OpenEpisode
    | RecordFacts
    | CompleteStep
    | SkipStep
    | CoSign
    | Advance
    | GoBack
    | DeclareEmergency
    | RecordCrisisType
    | RecordContact
    | RecordDecision
    | LowerRisk
    | Acknowledge
    | Waive
    | OfferHandover
    | AcceptHandover
    | DeclineHandover
    | AddAddendum
    | CloseEpisode
)
SystemCommand = DeadlineReached | ReportPage
SentCommand = HumanCommand | Migrate
"""What a person sends to an episode: what its protocol provides for, or the move to another version of it."""
Command = SentCommand | SystemCommand

SYSTEM_ACTOR = "holdfast"
DEADLINE_ID, REPORT_ID = "deadline-", "report-"
"""How the ids of the engine's own commands begin. A person who used such an id would be taken for the engine."""
SYSTEM_ROLE = "system"
"""In which role the engine acts, and nobody else: whoever reads the trail takes its entries for the engine's."""

COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
"""Reads and writes any command; strict, closed."""
HUMAN_COMMAND: TypeAdapter[HumanCommand] = TypeAdapter(Annotated[HumanCommand, Field(discriminator="kind")])
"""Reads and writes what a person may send."""

STAMPED = frozenset({"command_id", "occurred_at", "expected_revision"})


def fingerprint(command: Command) -> str:
    """What a command asks for, by whom and in which role, as 32 hex digits; the same when it is sent again.

    Not when it happened and which revision was seen: whoever sends a command again may stamp these anew.
    """
    told = {name: value for name, value in vars(command).items() if name not in STAMPED}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
