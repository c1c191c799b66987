"""What the API takes and gives, and its description (OpenAPI). Command bodies are made from the core's commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, cast, get_type_hints

from fastapi import FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, create_model

from practice.accounts import Role
from practice.clients import ClientFile
from practice.facilities import Facility
from protocol.commands import Choices, Facts, HumanCommand, Identifier, Reason, Text, Word
from protocol.directory import Way
from protocol_specs.described import described
from web.acting import COMMANDS, COMMON

CLOSED = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Said(BaseModel):
    """What every command may say besides its own fields."""

    model_config = CLOSED

    occurred_at: AwareDatetime | None = None
    """When it really happened; now when left out."""
    expected_revision: Annotated[int, Field(ge=0)] | None = None
    """The revision that the person saw; or the header If-Match."""
    role: Word | None = None
    """In which of the holder's roles; by default the one that the act is for."""


def _body(command: type[HumanCommand]) -> type[Said]:
    hints = get_type_hints(command, include_extras=True)
    own: dict[str, Any] = {"kind": (Literal[command.__name__], ...)}
    for one in fields(command):
        if one.name in COMMON:
            continue
        if one.default is not MISSING:
            own[one.name] = (hints[one.name], one.default)
        elif one.default_factory is not MISSING:
            own[one.name] = (hints[one.name], Field(default_factory=one.default_factory))
        else:
            own[one.name] = (hints[one.name], ...)
    return create_model(command.__name__, __base__=Said, __doc__=command.__doc__, **own)


BODIES: dict[str, type[Said]] = {command.__name__: _body(command) for command in COMMANDS.values()}
"""By kind."""


def _either(kinds: Iterable[Any]) -> Any:
    found: Any = None
    for kind in kinds:
        found = kind if found is None else found | kind
    return found


_KINDS: Any = _either(BODIES.values())
COMMAND_BODY: TypeAdapter[Said] = cast("Any", TypeAdapter)(Annotated[_KINDS, Field(discriminator="kind")])


CONTACT: TypeAdapter[Said] = TypeAdapter(BODIES["RecordContact"])


class OpeningBody(BaseModel):
    """Report a crisis."""

    model_config = CLOSED

    client_ref: Identifier
    protocol: Word | None = None
    """The usual protocol of a crisis when left out."""
    crisis_types: Choices = ()
    facts: Facts = Field(default_factory=dict)
    said: Text = ""
    """What was said, kept as an addendum to the opening."""
    drill: bool = False
    another: bool = False
    """Open one although the client has an open episode."""
    lead: Literal["therapist", "me"] = "therapist"
    """Who leads it: the client's own therapist or their cover, where there is one, else the caller; or the caller."""
    occurred_at: AwareDatetime | None = None
    """When it was reported; now when left out. An earlier time is a late entry."""


class EmergencyBody(BaseModel):
    """Take the emergency path."""

    model_config = CLOSED

    reason: Text = ""


class ReasonBody(BaseModel):
    """Why."""

    model_config = CLOSED

    reason: Annotated[Reason, Field(min_length=10, max_length=1_000)]


class AccountBody(BaseModel):
    """A new account."""

    model_config = CLOSED

    account_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,47}$")]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=6)]
    password: Annotated[str, Field(min_length=12, max_length=200)] | None = None
    """None for single sign-on alone."""


class RolesBody(BaseModel):
    """Other roles for an account."""

    model_config = CLOSED

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=6)]


class PasswordBody(BaseModel):
    """Another password for an account."""

    model_config = CLOSED

    password: Annotated[str, Field(min_length=12, max_length=200)]


class DraftBody(BaseModel):
    """A draft of a protocol, as text."""

    model_config = CLOSED

    text: Annotated[str, Field(max_length=400_000)]
    revision: Annotated[int, Field(ge=0)] = 0
    """The one that the author saw; for a draft that is there already."""


class TrialBody(BaseModel):
    """What is to be found out about a draft."""

    model_config = CLOSED

    kinds: Annotated[tuple[Literal["proof", "tests", "scenarios"], ...], Field(min_length=1, max_length=3)]


class SubmitBody(BaseModel):
    """Ask for review."""

    model_config = CLOSED

    note: Text = ""
    revision: Annotated[int, Field(ge=1)]


class PublishBody(BaseModel):
    """Approve a version."""

    model_config = CLOSED

    effective_at: AwareDatetime | None = None
    """From when on new episodes take it; at once when left out."""
    exception: Text = ""
    """Why, though it was not found good; whoever publishes answers for it by name."""


class TypedBody(BaseModel):
    """The fields of a form as they were typed."""

    model_config = CLOSED

    fields: Annotated[
        dict[
            Annotated[str, Field(max_length=80)],
            Annotated[tuple[Annotated[str, Field(max_length=8_000)], ...], Field(max_length=60)],
        ],
        Field(max_length=200),
    ]


class CsvBody(BaseModel):
    """Lines of CSV with a heading."""

    model_config = CLOSED

    csv: Annotated[str, Field(max_length=400_000)]


class NumbersBody(BaseModel):
    """Other numbers for an emergency resource."""

    model_config = CLOSED

    resource: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    ways: Annotated[tuple[Way, ...], Field(min_length=1, max_length=4)]
    reason: Annotated[str, Field(min_length=1, max_length=600)]
    """Where the new number was read."""


class VerificationBody(BaseModel):
    """What a verification is to include."""

    model_config = CLOSED

    workflows: bool = False
    """Also ask the engine where each episode ends, as far as it still knows."""


class PeriodBody(BaseModel):
    """Episodes opened from a moment on and before another; without both, all."""

    model_config = CLOSED

    begins: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    purpose: Annotated[str, Field(min_length=3, max_length=500)]
    redact: bool
    """Withhold what tells about substance use (42 CFR Part 2). There is no default: say it."""


class ExportBody(PeriodBody):
    """Episodes for somebody: those named, or those of the period."""

    to: Annotated[str, Field(min_length=1, max_length=500)]
    """Who receives them."""
    episodes: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=1_000)] | None = None


class ConformanceBody(PeriodBody):
    """A period to be judged."""

    files: bool = False
    """Also as files, for the receiver `to`."""
    to: Annotated[str, Field(max_length=500)] = ""


class AnswerBody(BaseModel):
    """The second person's answer."""

    model_config = CLOSED

    approve: bool


class WebhookBody(BaseModel):
    """Who is told what."""

    model_config = CLOSED

    url: Annotated[str, Field(min_length=1, max_length=400)]
    events: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]


OPENING: TypeAdapter[OpeningBody] = TypeAdapter(OpeningBody)
EMERGENCY: TypeAdapter[EmergencyBody] = TypeAdapter(EmergencyBody)
REASON: TypeAdapter[ReasonBody] = TypeAdapter(ReasonBody)
ACCOUNT: TypeAdapter[AccountBody] = TypeAdapter(AccountBody)
DRAFT: TypeAdapter[DraftBody] = TypeAdapter(DraftBody)
TRIAL: TypeAdapter[TrialBody] = TypeAdapter(TrialBody)
SUBMIT: TypeAdapter[SubmitBody] = TypeAdapter(SubmitBody)
PUBLISH: TypeAdapter[PublishBody] = TypeAdapter(PublishBody)
ROLES: TypeAdapter[RolesBody] = TypeAdapter(RolesBody)
PASSWORD: TypeAdapter[PasswordBody] = TypeAdapter(PasswordBody)
TYPED: TypeAdapter[TypedBody] = TypeAdapter(TypedBody)
CSV: TypeAdapter[CsvBody] = TypeAdapter(CsvBody)
NUMBERS: TypeAdapter[NumbersBody] = TypeAdapter(NumbersBody)
WEBHOOK: TypeAdapter[WebhookBody] = TypeAdapter(WebhookBody)
ANSWER: TypeAdapter[AnswerBody] = TypeAdapter(AnswerBody)
VERIFICATION: TypeAdapter[VerificationBody] = TypeAdapter(VerificationBody)
EXPORT: TypeAdapter[ExportBody] = TypeAdapter(ExportBody)
CONFORMANCE: TypeAdapter[ConformanceBody] = TypeAdapter(ConformanceBody)
CLIENT: TypeAdapter[ClientFile] = TypeAdapter(ClientFile)
FACILITY: TypeAdapter[Facility] = TypeAdapter(Facility)

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    "CommandBody": COMMAND_BODY,
    "OpeningBody": OPENING,
    "EmergencyBody": EMERGENCY,
    "ReasonBody": REASON,
    "AccountBody": ACCOUNT,
    "DraftBody": DRAFT,
    "TrialBody": TRIAL,
    "SubmitBody": SUBMIT,
    "PublishBody": PUBLISH,
    "RolesBody": ROLES,
    "PasswordBody": PASSWORD,
    "TypedBody": TYPED,
    "CsvBody": CSV,
    "NumbersBody": NUMBERS,
    "AnswerBody": ANSWER,
    "VerificationBody": VERIFICATION,
    "ExportBody": EXPORT,
    "ConformanceBody": CONFORMANCE,
    "WebhookBody": WEBHOOK,
    "ClientBody": CLIENT,
    "FacilityBody": FACILITY,
}


def takes(name: str) -> dict[str, Any]:
    """What a route says of its body."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def description(app: FastAPI) -> dict[str, Any]:
    """The API in OpenAPI, with the bodies that are read strictly by ourselves."""
    told = app.openapi()
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    for name, adapter in _ADAPTERS.items():
        schema = described(adapter, ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    return told
