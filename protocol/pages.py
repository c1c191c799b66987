"""Which of a protocol's facts and steps the pages of an episode put before a person. No rule reads this."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from protocol.conditions import Guard
from protocol.elements import Element, Listed, Name, Names, Sentence


class PlanPages(Element):
    """The safety plan: its versions, the shared screen, the client's copy."""

    written_in: Name
    """The step that writes the plan; each of its texts is a part of the plan."""
    reviewed_in: Names = ()
    """Steps in which the plan is gone through again; each time makes a version."""
    kept_back: Guard | None = None
    """While this holds, the plan is neither handed out nor shown on a shared screen."""


class StepUpPages(Element):
    """The way to a higher level of care, on one page."""

    decision: Name
    steps: Annotated[Names, Field(min_length=1)]
    """From the criteria to the admission, in this order."""
    search: Name | None = None
    """The step in which facilities are asked. Each place for one is a group of its facts that begin alike, the first
    of which ends in `_name`: `first_name`, `first_asked_at`, `first_answer`."""
    offered: str | None = None
    """The answer that means that a place was offered."""


class Press(Element):
    """An answer that one press records, beside the client's name: for what can't wait for a form."""

    fact: Name
    answer: str
    """What is recorded of the fact."""
    title: Sentence


class Pages(Element):
    """What stands before a person at any moment, and the pages that a protocol may have."""

    banner: Annotated[dict[Name, Sentence], Field(max_length=8)] = {}
    """Facts at the top of every page of the episode, with a label each, in this order."""
    address: Name | None = None
    """Where the client is now: what the emergency service is told."""
    county: Name | None = None
    """In which county: it chooses the emergency numbers. Without it the pages show those that hold everywhere."""
    callback: Name | None = None
    """The number under which the client can be called back."""
    presses: Annotated[tuple[Press, ...], Listed, Field(max_length=4)] = ()
    given: dict[Name, Literal["number", "address"]] = {}
    """Facts of the emergency steps that are filled in already: with the number called, or the present address."""
    plan: PlanPages | None = None
    step_up: StepUpPages | None = None
