"""A scenario as clinical operations write it: a fictional episode, what people do and what must be true after.

Times are local to the protocol's time zone unless they end in `Z` (UTC).
The models are strict and closed; `problems` finds what only shows against the protocol.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from protocol.commands import ContactChannel, ContactOutcome, HumanCommand, Identifier, Word
from protocol.elements import Element, Listed, Name, Names, Sentence
from protocol.findings import PartError, did_you_mean
from protocol.rota import Leave, Shift

At = Annotated[
    str, StringConstraints(pattern=r"^(\+[1-9]\d{0,4}[smhd]|(\d{4}-\d{2}-\d{2}[ T])?\d{2}:\d{2}(:\d{2})?Z?)$")
]
"""`2026-12-01 14:05`, `14:20` (the day of the entry before), `+15m` (after the entry before); `Z` for UTC."""
Moment = Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d{2}-\d{2}[ T])?\d{2}:\d{2}(:\d{2})?Z?$")]
"""As `At`, but never relative."""

Answer = str | int | Annotated[tuple[str, ...], Listed]
Answers = Annotated[dict[Name, Answer], Field(max_length=120)]
Texts = Annotated[tuple[str, ...], Listed, Field(max_length=60)]

SETTLED = ("met", "met_late", "waived", "superseded")
COMMANDS: dict[str, type[HumanCommand]] = {}
"""What `do` may say: the snake_case of every command a person may send."""


def snake_case(kind: str) -> str:
    """`CompleteStep` → `complete_step`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


for _command in HumanCommand.__args__:
    COMMANDS[snake_case(_command.__name__)] = _command

COMMON_FIELDS = frozenset({"kind", "command_id", "actor", "role", "occurred_at", "expected_revision"})


SIGNED = "entry"
"""The entry that is signed: a scenario always signs what waits."""


def own_fields(command: type[HumanCommand]) -> dict[str, bool]:
    """The fields of a command beyond what all share, as written in a scenario; True where one must be given."""
    return {
        "obligation" if field.name == "obligation_id" else field.name: (
            field.default is MISSING and field.default_factory is MISSING
        )
        for field in fields(command)
        if field.name not in (*COMMON_FIELDS, SIGNED)
    }


class ExpectedObligation(Element):
    """An obligation that must be open."""

    due: Moment | None = None
    rung: int | None = None
    """The rung paged last, from 0; -1 before the first page."""
    owner: Name | None = None
    """The role that owes it."""
    overdue: Literal["yes", "no"] | None = None
    acknowledged_by: Identifier | None = None


def _due_only(written: object) -> object:
    if written == "any":
        return {}
    return {"due": written} if isinstance(written, str) else written


class ExpectedPage(Element):
    """A page that must have left since the entry before."""

    obligation: Name
    role: Name | None = None
    rung: int | None = None
    at: Moment | None = None
    to: Annotated[tuple[Identifier, ...], Listed] | None = None
    """Exactly these people; empty when nobody could be paged."""


class ExpectedResources(Element):
    """What the directory of emergency resources must offer for the present county."""

    county: Name | None = None
    """The county whose entries are shown."""
    numbers: Texts = ()
    absent: Texts = ()
    """Numbers that must not be offered."""
    warnings: Texts = ()
    """Codes of warnings that must be given, such as `expired` or `no_verified_line`."""


class Expectation(Element):
    """What must be true right after an entry. Lists and mappings are minimums; `no_…` and `never_…` are bans."""

    stage: Name | None = None
    risk: Name | None = None
    owner: Identifier | None = None
    closed: Literal["yes", "no"] | None = None
    refused: Name | None = None
    """The code with which the command must be refused; without it the command must not be refused."""
    missing: Texts = ()
    """What the refusal must list as missing."""
    open: dict[
        Name, Annotated[ExpectedObligation, BeforeValidator(_due_only, json_schema_input_type=str | ExpectedObligation)]
    ] = {}
    """Due time, `any`, or a mapping; of several open ones of a kind the earliest is meant."""
    not_open: Names = ()
    ended: dict[Name, Literal["met", "met_late", "waived", "superseded"]] = {}
    """How an obligation ended since the entry before."""
    pages: Annotated[tuple[ExpectedPage, ...], Listed] = ()
    no_pages: Literal["yes"] | None = None
    """Nobody was paged since the entry before."""
    values: dict[str, str | int] = {}
    """Any name that a condition may read; `unknown` where nothing is known."""
    facts: Answers = {}
    notices: Names = ()
    events: Texts = ()
    never_events: Texts = ()
    resources: ExpectedResources | None = None
    owed: Literal["yes", "no"] | None = None
    """Whether anything is owed by anybody."""
    holds: Names = ()
    """Properties of the protocol that must hold right now."""


class Opening(Element):
    """How the episode is opened."""

    by: Identifier
    owner: Identifier | None = None
    """Who owns it; whoever opens it when left out."""
    crisis_types: Names = ()
    facts: Answers = {}
    drill: Literal["yes", "no"] = "no"
    expect: Expectation | None = None


class Entry(Element):
    """One thing a person does, or time that passes."""

    at: At
    by: Identifier | None = None
    do: Name | None = None
    wait: Literal["yes"] | None = None
    """Nothing is done; deadlines that come due until `at` are kept."""
    occurred: Moment | None = None
    """A late entry: when it really happened."""
    revision: int | None = None
    """The revision the person saw; left out, the command never conflicts."""
    say: Sentence | None = None
    """A line of narration for the transcript."""
    expect: Expectation | None = None

    step: Name | None = None
    facts: Answers | None = None
    note: str | None = None
    reason: str | None = None
    subject: Name | None = None
    to: str | None = None
    crisis_type: Name | None = None
    party: Name | None = None
    channel: ContactChannel | None = None
    outcome: ContactOutcome | Name | None = None
    exception: str | None = None
    decision: Name | None = None
    option: Name | None = None
    rationale: str | None = None
    level: Literal["none", "low", "moderate", "high"] | None = None
    obligation: Name | None = None
    """The kind; of several open ones the earliest due is meant."""
    refers_to: int | None = None
    text: str | None = None

    def given(self) -> dict[str, Any]:
        """The command's own fields that are written here."""
        shared = {"at", "by", "do", "wait", "occurred", "revision", "say", "expect"}
        return {name: getattr(self, name) for name in self.model_fields_set if name not in shared}

    @model_validator(mode="after")
    def _fits_its_command(self) -> Self:
        if self.wait:
            return self._check_wait()
        possible = [name for name in COMMANDS if name != "open_episode"]
        if self.do is None:
            raise ValueError(f"nothing is done here; add `wait: yes`, or `do: …` with one of {', '.join(possible)}")
        if self.do not in possible:
            raise PartError("do", f"nobody can do `{self.do}`; {did_you_mean(self.do, possible)}")
        if self.by is None:
            raise ValueError("nobody is named who does it; add `by: …` with one of `people`")
        wanted = own_fields(COMMANDS[self.do])
        if foreign := sorted(self.given().keys() - wanted.keys()):
            raise PartError(
                foreign[0], f"{self.do} takes no {', '.join(foreign)}; it takes {', '.join(wanted) or 'nothing'}"
            )
        if missing := [name for name, must in wanted.items() if must and getattr(self, name) is None]:
            raise ValueError(f"{self.do} needs {', '.join(missing)}; add `{missing[0]}: …`")
        return self

    def _check_wait(self) -> Self:
        if self.by or self.do or self.occurred or self.revision is not None or self.given():
            raise ValueError("`wait: yes` lets time pass and takes only `at`, `say` and `expect`")
        return self


class Duty(Element):
    """Who of the people is on shift and on leave. A role without any shift is answered by everybody who has it."""

    shifts: Annotated[tuple[Shift, ...], Listed, Field(max_length=100)] = ()
    leave: Annotated[tuple[Leave, ...], Listed, Field(max_length=100)] = ()


class Scenario(Element):
    """A fictional episode with expectations, played on the pure core and through the real workflow."""

    scenario: Word
    title: Sentence
    basis: Sentence | None = None
    """Where the demands come from."""
    protocol: Name
    starts: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?Z?$")]
    people: Annotated[dict[Identifier, Name], Field(min_length=1, max_length=40)]
    """Who acts, with the role of each."""
    rota: Duty = Duty()
    open: Opening
    steps: Annotated[tuple[Entry, ...], Listed, Field(min_length=1, max_length=400)]
