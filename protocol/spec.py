"""A protocol as clinical operations write it: stages, steps, facts, risk, decisions, obligations, ladders.

The models are strict and closed; a spec is identified by the SHA-256 of its canonical form.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from protocol.conditions import Guard
from protocol.duties import Ladder, Obligation, Trigger
from protocol.elements import (
    Elapsed,
    Element,
    Fact,
    Instrument,
    Listed,
    Name,
    Names,
    Paragraph,
    Reference,
    Sentence,
    Source,
    Table,
)
from protocol.migration import Migration, Version
from protocol.pages import Pages

Level = Literal["none", "low", "moderate", "high", "imminent"]
LEVELS: tuple[Level, ...] = ("none", "low", "moderate", "high", "imminent")
"""The unified risk levels, least first."""

RANK: dict[str, int] = {level: rank for rank, level in enumerate(LEVELS)}


class Role(Element):
    """Who somebody is in the program."""

    title: Sentence
    licensed: bool = False
    """May lower a risk level and sign clinical decisions."""


class Technique(Element):
    """De-escalation guidance shown beside a form."""

    title: Sentence
    text: Annotated[tuple[Paragraph, ...], Listed, Field(min_length=1, max_length=20)]
    source: Source | None = None


class Step(Element):
    """A unit of work: a form, a checklist, guidance; and who may do it."""

    title: Sentence
    purpose: Sentence | None = None
    form: Names = ()
    """Facts that must be answered."""
    optional: Names = ()
    """Facts that may be answered."""
    instruments: Names = ()
    """Instruments that are given here. An unfinished one does not block the step: it counts as positive."""
    sets: dict[Name, str] = {}
    """Facts that completing the step records by itself."""
    guidance: Annotated[tuple[Paragraph, ...], Listed] = ()
    techniques: Names = ()
    roles: Annotated[Names, Field(min_length=1)]
    after: Names = ()
    """Steps that must be done before; never put one before a life-saving step."""
    any_stage: bool = False
    """May be done in every open stage: re-assessment, lost contact, disclosure records."""
    skip_cosigned_by: Names = ()
    """Roles whose co-signature a skip needs; empty: the step can't be skipped."""


class StageStep(Element):
    """A step's place in a stage."""

    step: Name
    required: bool = True
    when: Guard | None = None
    """The step belongs to the stage only while this holds."""


class Stage(Element):
    """A state of the protocol's machine."""

    title: Sentence
    purpose: Sentence | None = None
    kind: Literal["open", "emergency", "closed"] = "open"
    steps: Annotated[tuple[StageStep, ...], Listed, Field(max_length=60)] = ()
    next: Names = ()
    """Stages one may advance to; the first is the usual one."""
    leave_when: Guard | None = None
    """Must hold before the stage can be left forward. Never guards the way to the emergency stage."""
    leave_needs: Sentence | None = None
    """What to do when `leave_when` fails, in words."""


class RiskRule(Element):
    """The level is at least this one while the condition holds."""

    level: Level
    when: Guard
    because: Sentence
    source: Source


class Lowering(Element):
    """How a level may be lowered: never by the engine, only by a documented re-assessment."""

    step: Name
    """This step must have been completed since the level last changed and since the last evidence for it."""
    roles: Annotated[Names, Field(min_length=1)]
    requires: Guard | None = None
    """Must hold as well by what was answered since then, such as a complete screen. An old screen lowers nothing."""
    requires_words: Sentence | None = None


class Risk(Element):
    """One unified level; the highest rule that holds, the engine may raise it and never lowers it."""

    initial: Level
    rules: Annotated[tuple[RiskRule, ...], Listed, Field(min_length=1, max_length=100)]
    lowering: Lowering


class Emergency(Element):
    """The way to life-saving help; one act from every open stage, with nothing to fill in."""

    stage: Name
    at: Level = "imminent"
    """The level that opens the emergency stage by itself, and to which declaring an emergency raises the risk."""
    script: Annotated[tuple[Sentence, ...], Listed, Field(min_length=1)]
    """What to say to the emergency service, line by line. `{present_address}` stands for what is recorded of a fact."""


class Option(Element):
    """One choice of a decision."""

    title: Sentence
    refer: Sentence | None = None
    """Choosing it asks this service for a place."""


class Decision(Element):
    """A decision that a person must record, with the advice of a table and the facts that were seen."""

    title: Sentence
    question: Sentence
    options: Annotated[dict[Name, Option], Field(min_length=1, max_length=20)]
    """From the least to the most intensive."""
    advice: Name | None = None
    """A table whose outcomes are the options."""
    shows: Names = ()
    """Facts kept with the decision as seen."""
    roles: Annotated[Names, Field(min_length=1)]
    cosigned_by: Names = ()
    """Roles of a second person whose signature it needs before it counts; empty: none."""
    cosign: Literal["always", "below_advice"] = "always"
    """With `cosigned_by`: for every option, or only for one less intensive than the advice."""
    criteria: Sentence
    """Name and edition of the criteria."""
    source: Source


class Party(Element):
    """Somebody who may be contacted."""

    title: Sentence
    permitted: Guard | None = None
    """Contact outside this needs a stated exception, which is recorded and raises a notice."""
    refusal: Sentence | None = None
    """What to say when contact is not permitted."""
    on_reached: dict[Name, str] = {}
    """Facts that a live contact records by itself."""


class CrisisType(Element):
    """Adds steps to the common stages instead of copying them. Conditions read it as `crisis.<name>`."""

    title: Sentence
    signals: Annotated[tuple[Sentence, ...], Listed] = ()
    adds: dict[Name, Annotated[tuple[Name, ...], Listed]] = {}
    """Stage → steps that this type makes required there."""


class Notice(Element):
    """Something a person must see now; it blocks nothing."""

    text: Sentence
    when: Guard | None = None
    """Raised when this becomes true."""
    mentions: Annotated[tuple[str, ...], Listed] = ()
    """Raised when a recorded text contains one of these phrases."""
    source: Source | None = None


class Refusal(Element):
    """A clinical rule that refuses an act. It can't refuse an emergency, a contact record or a deadline."""

    act: Trigger
    """`done` (a step), `decided` (a decision) or `entered` (a stage)."""
    because: Sentence
    remedy: Sentence
    source: Source | None = None


class Requirement(Element):
    """Something that closing an episode needs."""

    when: Guard
    otherwise: Sentence
    """What is missing, in words, when it fails."""


class Outcome(Element):
    """A way an episode may end."""

    title: Sentence
    requires: Names = ()
    """Names of further requirements for this outcome only."""


class Closing(Element):
    """When an episode may end. Open obligations always forbid it."""

    roles: Annotated[Names, Field(min_length=1)]
    outcomes: Annotated[dict[Name, Outcome], Field(min_length=1)]
    requires: Annotated[dict[Name, Requirement], Field(max_length=40)] = {}
    """Needed for every outcome, except those named by an outcome, which are needed for it alone."""


class WorkCalendar(Element):
    """Working days for the business clock."""

    title: Sentence
    working_days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Listed, Field(min_length=1)
    ]
    holidays: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")], Sentence], Field(max_length=400)
    ]
    source: Source


class Property(Element):
    """A safety property that clinical operations state themselves; `prove` checks it."""

    title: Sentence
    never: Guard | None = None
    """This never holds in an open episode; where it names a closed stage, nor in one that has closed."""
    always: Guard | None = None
    """Whenever this holds …"""
    within: Elapsed | None = None
    owed: Names = ()
    """… one of these obligations is open, due within the time (where given)."""


class ProtocolSpec(Element):
    """A versioned protocol document. See the guide on writing one."""

    protocol: Name
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
    title: Sentence
    summary: Paragraph
    time_zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]+(/[A-Za-z_+\-0-9]+){0,2}$")] = (
        "America/Los_Angeles"
    )
    sud: bool = False
    """About substance use as a whole (42 CFR Part 2): that an episode runs under it tells of that."""
    references: Annotated[dict[str, Reference], Field(max_length=400)] = {}
    roles: Annotated[dict[Name, Role], Field(min_length=1, max_length=40)]
    owners: Names = ()
    """Roles in which somebody may take over an episode; left out: every licensed role."""
    facts: Annotated[dict[Name, Fact], Field(max_length=800)]
    instruments: Annotated[dict[Name, Instrument], Field(max_length=40)] = {}
    tables: Annotated[dict[Name, Table], Field(max_length=60)] = {}
    risk: Risk
    techniques: Annotated[dict[Name, Technique], Field(max_length=60)] = {}
    steps: Annotated[dict[Name, Step], Field(min_length=1, max_length=200)]
    stages: Annotated[dict[Name, Stage], Field(min_length=2, max_length=30)]
    initial: Name
    emergency: Emergency
    crisis_types: Annotated[dict[Name, CrisisType], Field(max_length=40)] = {}
    parties: Annotated[dict[Name, Party], Field(max_length=30)]
    decisions: Annotated[dict[Name, Decision], Field(max_length=40)] = {}
    ladders: Annotated[dict[Name, Ladder], Field(min_length=1, max_length=40)]
    obligations: Annotated[dict[Name, Obligation], Field(min_length=1, max_length=150)]
    notices: Annotated[dict[Name, Notice], Field(max_length=60)] = {}
    refusals: Annotated[dict[Name, Refusal], Field(max_length=60)] = {}
    closing: Closing
    calendar: WorkCalendar | None = None
    """Needed as soon as an obligation runs on the business clock."""
    pages: Pages = Pages()
    """What the pages of an episode show of it; no rule reads this."""
    properties: Annotated[dict[Name, Property], Field(max_length=60)] = {}
    migrates_from: Annotated[dict[Version, Migration], Field(max_length=20)] = {}
    """Older versions whose open episodes may be moved to this one, and how."""

    def canonical(self) -> str:
        """The one written form that the content hash covers."""
        document: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(document, sort_keys=False, separators=(",", ":"), ensure_ascii=False)

    @property
    def owning_roles(self) -> tuple[str, ...]:
        """In which roles somebody may own an episode by a hand-over. Opening one is never refused for the role."""
        return self.owners or tuple(name for name, role in self.roles.items() if role.licensed)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the canonical form, in hex. Order counts: it is the order people see."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


ProtocolSpec.model_rebuild()  # now and not at its first use, which may be in a workflow, whose steps must be short
