"""What a protocol says about time: ladders, obligations, when they open, what ends them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from protocol.conditions import Guard
from protocol.elements import (
    CLOCK_OF_UNIT,
    Clock,
    Duration,
    Elapsed,
    Element,
    Listed,
    Name,
    Names,
    Sentence,
    Source,
    parse_duration,
)
from protocol.findings import PartError

Happening = Literal[
    "episode_opened",
    "emergency_declared",
    "risk_raised",
    "risk_lowered",
    "step_skipped",
    "handover_offered",
    "handover_accepted",
    "handover_declined",
    "co_signature_needed",
]
Channel = Literal["email", "webhook"]


TRIGGER_KEYS = (
    "event",
    "entered",
    "done",
    "decided",
    "opened",
    "met",
    "missed",
    "waived",
    "reached",
    "not_reached",
)
"""The keys of a trigger that name an event."""


class Rung(Element):
    """Whom to page, how, and how long to wait for an acknowledgement before the next rung."""

    page: Name
    """A role of the protocol, `owner` (the person who owns the episode, or their cover) or `addressee` (the person to
    whom a hand-over is offered)."""
    channels: Annotated[tuple[Channel, ...], Listed, Field(min_length=1)]
    wait: Elapsed


class Ladder(Element):
    """An escalation policy. The last rung repeats for ever: a ladder never ends in silence."""

    title: Sentence
    starts: Literal["at_opening", "before_due", "at_due"]
    lead: Elapsed | None = None
    """With `before_due`: how long before the deadline the first page leaves."""
    rungs: Annotated[tuple[Rung, ...], Listed, Field(min_length=1, max_length=12)]
    repeat: Elapsed
    """How often the last rung pages again."""
    lease: Elapsed
    """How long an acknowledgement silences the ladder before it resumes at the next rung."""
    source: Source

    @model_validator(mode="after")
    def _lead_fits(self) -> Self:
        if (self.starts == "before_due") != (self.lead is not None):
            raise PartError("starts", "`lead` goes with `starts: before_due`, and that needs it")
        return self


class Trigger(Element):
    """One event, a condition, or both.

    With an event: fires when it happens while the condition holds.
    With only `when`: fires at the moment the condition becomes true.
    """

    event: Happening | None = None
    entered: Name | None = None
    """A stage."""
    done: Name | None = None
    """A step."""
    decided: Name | None = None
    """A decision; with `options`, one of these."""
    options: Names = ()
    opened: Name | None = None
    """An obligation was opened."""
    met: Name | None = None
    missed: Name | None = None
    waived: Name | None = None
    reached: Name | None = None
    """A party was really spoken to."""
    not_reached: Name | None = None
    """An attempt to reach a party failed."""
    when: Guard | None = None
    counts_anew: bool = False
    """With `entered` or `done`: the first time, a deadline that is pending counts from this event, even if that makes
    it later, such as a follow-up that counts from the safe hand-over. Every later time it makes nothing later."""

    @model_validator(mode="after")
    def _one_event(self) -> Self:
        if len(self.happenings()) > 1:
            raise ValueError("name one event a trigger; write several triggers for several events")
        if not self.happenings() and self.when is None:
            raise ValueError("a trigger needs an event or a `when`")
        if self.options and self.decided is None:
            raise ValueError("`options` goes with `decided`")
        if self.counts_anew and self.entered is None and self.done is None:
            raise ValueError("`counts_anew` goes with `entered` or `done`: only these have a first time")
        return self

    def happenings(self) -> list[tuple[str, str]]:
        """The event this waits for as (key, name); empty when it waits for its condition alone."""
        return [(key, value) for key in TRIGGER_KEYS if (value := getattr(self, key)) is not None]


class DueTable(Element):
    """A due time that depends on one named value."""

    by: str
    """`risk`, `peak_risk`, or a fact, table or decision with declared values."""
    values: dict[str, Duration]
    otherwise: Duration | None = None
    """For values not listed and for unknown: the cautious one."""


class DueMoment(Element):
    """A due time taken from a recorded moment, such as an agreed time to call back."""

    moment: Name
    """A fact of type moment."""
    plus: Elapsed | None = None
    """Added to the moment."""
    ceiling: Elapsed
    """Never later than this after opening; also counts while the moment is unknown."""


class Evidence(Element):
    """What ends an obligation. Every key that is given must have come about since the obligation was opened."""

    reached: Name | None = None
    """A live contact with this party. An attempt, a voicemail or a receipt is never one."""
    attempted: Name | None = None
    """An attempt or a contact with this party was recorded: for duties to try, never for a contact obligation."""
    done: Name | None = None
    """This step was completed."""
    decided: Name | None = None
    """This decision was recorded (and co-signed where it needs that)."""
    options: Names = ()
    """With `decided`: only these options count."""
    refreshed: Names = ()
    """Facts or instruments that must have been answered anew."""
    left: Name | None = None
    """This stage was left."""
    acknowledged: Name | None = None
    """Somebody in this role acknowledged this very obligation: for duties to inform, never for a contact."""
    when: Guard | None = None
    """Must hold at that moment."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        keys = (
            *(self.reached, self.attempted, self.done, self.decided),
            *(self.left, self.acknowledged, self.when),
        )
        if all(key is None for key in keys) and not self.refreshed:
            raise ValueError(
                "evidence needs at least one of reached, attempted, done, decided, refreshed, left, acknowledged, when"
            )
        if self.options and self.decided is None:
            raise ValueError("`options` goes with `decided`")
        return self


class Obligation(Element):
    """A deadline that a named role owes until a person has done the thing and said so."""

    title: Sentence
    why: Sentence | None = None
    concern: Literal["safety", "care", "administrative"]
    """A safety obligation can't run on a business clock."""
    contact: bool = False
    """A contact obligation: only a live contact discharges it."""
    duty_to_try: bool = False
    """What is owed is the attempt itself; needed for a safety obligation that `attempted` may end."""
    owner: Name
    """The role that owes it; `owner` is the person who owns the episode."""
    clock: Clock
    due: Duration | DueTable | DueMoment
    opens: Annotated[tuple[Trigger, ...], Listed, Field(min_length=1, max_length=20)]
    met_by: Annotated[tuple[Evidence, ...], Listed, Field(min_length=1, max_length=20)]
    reopening: Literal["supersede", "keep"] = "supersede"
    """When it opens again while open and not yet overdue: `supersede` takes the new deadline if it is sooner, if the
    risk rose with it, or if its trigger says `counts_anew`; otherwise, and with `keep`, the open one stays as it is.
    An overdue obligation is never superseded: it stays owed."""
    at_most: Annotated[int, Field(ge=1, le=400)] | None = None
    """How many times it opens in one episode."""
    ladder: Name
    waived_by: Names = ()
    """Roles that may waive it with a reason; empty: nobody."""
    waived_when: Guard | None = None
    """Waiving is refused unless this holds."""
    source: Source

    @model_validator(mode="after")
    def _clock_fits(self) -> Self:
        for duration in self.durations():
            clock = CLOCK_OF_UNIT[parse_duration(duration)[1]]
            if clock != self.clock:
                raise PartError(
                    "due",
                    f"{duration} runs on the {clock} clock, but the obligation says {self.clock}; "
                    "use s, m, h for safety, d for calendar, wd for business",
                )
        if self.concern == "safety" and self.clock == "business":
            raise PartError(
                "clock", "a safety deadline can't run on a business clock, which stops at night; write `clock: safety`"
            )
        if self.reopening == "keep" and any(trigger.counts_anew for trigger in self.opens):
            raise ValueError("with `reopening: keep` nothing counts anew; leave one of the two out")
        if self.contact and not all(evidence.reached for evidence in self.met_by):
            raise PartError(
                "met_by", "a contact obligation is met only by a live contact; give each `met_by` a `reached`"
            )
        if self.contact and self.duty_to_try:
            raise ValueError("a contact obligation is no duty to try; delete `duty_to_try` or `contact`")
        return self

    def durations(self) -> tuple[str, ...]:
        """Every duration it may be due after."""
        if isinstance(self.due, str):
            return (self.due,)
        if isinstance(self.due, DueMoment):
            return (self.due.ceiling,)
        others = () if self.due.otherwise is None else (self.due.otherwise,)
        return (*self.due.values.values(), *others)
