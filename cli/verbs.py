"""The sub-verbs of `holdfast episode do`, made from the commands of the core: a new command needs nothing here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from pydantic_core import to_json

from cli.output import USAGE, AsJson, Trouble
from protocol.answers import read_answers
from protocol.commands import HUMAN_COMMAND, HumanCommand, OpenEpisode
from protocol.episode import Episode
from protocol.findings import did_you_mean
from protocol.local_time import to_utc
from protocol.spec import ProtocolSpec
from rehearsal.scenario import COMMANDS, COMMON_FIELDS

VERBS: dict[str, type[HumanCommand]] = {
    name.replace("_", "-"): command for name, command in COMMANDS.items() if command is not OpenEpisode
}
"""`complete-step` → CompleteStep …; opening has a command of its own."""

As = Annotated[str, typer.Option("--as", help="Who acts: an id from the rota.", show_default=False)]
Role = Annotated[str | None, typer.Option(help="In which of their roles; the first that the protocol knows.")]
At = Annotated[
    str | None,
    typer.Option(help="When it happened, if not now: 14:20, '2026-12-01 14:20', or with Z. Local to the protocol."),
]
Revision = Annotated[int | None, typer.Option(help="Refuse if the episode changed since this revision.", min=0)]
CommandId = Annotated[str | None, typer.Option("--id", help="Id of the command; the same id again changes nothing.")]
Facts = Annotated[list[str] | None, typer.Option("--set", help="An answer, as fact=value. Repeat it.")]


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line, not yet held against an episode."""

    command: type[HumanCommand]
    actor: str
    role: str | None
    at: str | None
    revision: int | None
    command_id: str
    own: Mapping[str, Any]
    """The command's own fields as given; `facts` still as `name=value`."""


Take = Callable[[typer.Context, Order, bool], None]
"""Carries an order out; the last argument asks for JSON."""


def add_verbs(app: typer.Typer, take: Take) -> None:
    """Give the app one sub-verb for each command."""
    for verb, command in VERBS.items():
        app.command(verb, help=(command.__doc__ or verb).strip())(_function(command, take))


def _function(command: type[HumanCommand], take: Take) -> Callable[..., None]:
    """A function whose signature typer reads as the options of the command."""
    hints = get_type_hints(command, include_extras=True)
    own = [field for field in fields(command) if field.name not in COMMON_FIELDS]
    parameters = [_parameter(field, hints[field.name]) for field in own]

    def carry_out(ctx: typer.Context, **given: Any) -> None:
        as_json: bool = given.pop("as_json")
        order = Order(
            command=command,
            actor=given.pop("actor"),
            role=given.pop("role"),
            at=given.pop("at"),
            revision=given.pop("revision"),
            command_id=given.pop("command_id") or str(uuid4()),
            own={name: value for name, value in given.items() if value is not None},
        )
        take(ctx, order, as_json)

    signature = [
        _keyword("ctx", typer.Context),
        *parameters,
        _keyword("actor", As),
        _keyword("role", Role, None),
        _keyword("at", At, None),
        _keyword("revision", Revision, None),
        _keyword("command_id", CommandId, None),
        _keyword("as_json", AsJson, False),
    ]
    carry_out.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    carry_out.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}
    return carry_out


def _keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter(field: Field[Any], hint: Any) -> inspect.Parameter:
    if field.name == "facts":
        return _keyword("facts", Facts, None)
    optional = field.default is not MISSING or field.default_factory is not MISSING
    kind: Any = int if _plain_type(hint) is int else str
    name = "--obligation" if field.name == "obligation_id" else f"--{field.name.replace('_', '-')}"
    option = typer.Option(name, help=_help(field.name, hint), show_default=False)
    annotation: Any = Annotated[kind | None if optional else kind, option]
    return _keyword(field.name, annotation, *((None,) if optional else ()))


def _plain_type(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _help(name: str, hint: Any) -> str:
    plain = _plain_type(hint)
    if get_origin(plain) is Literal:
        return f"One of {', '.join(get_args(plain))}."
    return HELP.get(name, "")


HELP = {
    "step": "Name of the step.",
    "reason": "Why.",
    "subject": "Name of the skipped step or of the decision.",
    "entry": "The number of the entry that is signed, as `episode show` tells it.",
    "to": "Where to, or to whom.",
    "party": "Name of the party.",
    "exception": "The legal basis, when the contact is outside the client's consent.",
    "decision": "Name of the decision.",
    "option": "The option chosen.",
    "rationale": "Why this option.",
    "obligation_id": "The obligation: its name, or its id where several are open.",
    "refers_to": "The number of the entry.",
    "outcome": "How the episode ends.",
    "note": "A note.",
    "text": "What is added.",
    "crisis_type": "Name of the crisis type.",
}


def command_of(order: Order, role: str, spec: ProtocolSpec, episode: Episode, now: datetime) -> HumanCommand:
    """The command that an order means for this episode. Raises Trouble with the remedy."""
    zone = ZoneInfo(spec.time_zone)
    own = dict(order.own)
    if "facts" in own:
        own["facts"] = read_answers(spec, split_facts(own["facts"]), zone, now)
    if "obligation_id" in own:
        own["obligation_id"] = obligation_id_of(episode, own["obligation_id"])
    common = {
        "kind": order.command.__name__,
        "command_id": order.command_id,
        "actor": order.actor,
        "role": role,
        "occurred_at": now if order.at is None else moment_of(order.at, zone, now),
        "expected_revision": order.revision,
    }
    return checked({**common, **own})


def checked(written: Mapping[str, Any]) -> HumanCommand:
    """A command that is well formed. Raises Trouble that names what is not."""
    try:
        return HUMAN_COMMAND.validate_json(to_json(written))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"][1:2])
        raise Trouble(f"{place}: {problem['msg']}", "add --help to the command to see what it takes", USAGE) from None


def split_facts(written: list[str]) -> dict[str, str]:
    """`["danger=yes"]` → `{"danger": "yes"}`. Raises Trouble."""
    facts: dict[str, str] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals:
            raise Trouble(f"{one!r} is no answer", "write --set fact=value", USAGE)
        if name in facts:
            raise Trouble(f"{name} is answered twice", "answer it once", USAGE)
        facts[name.strip()] = value.strip()
    return facts


def obligation_id_of(episode: Episode, named: str) -> str:
    """The open obligation of that id or name. Raises Trouble when it is not clear which one is meant."""
    if named in episode.obligations:
        return named
    kinds = [owed for owed in episode.obligations.values() if owed.obligation == named]
    if len(kinds) == 1:
        return kinds[0].obligation_id
    if kinds:
        ids = ", ".join(owed.obligation_id for owed in kinds)
        raise Trouble(f"{named} is open several times", f"name one of {ids}", USAGE)
    known = [owed.obligation for owed in episode.obligations.values()]
    raise Trouble(f"no obligation {named} is open", did_you_mean(named, known), USAGE)


def moment_of(written: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A time from the command line as aware UTC. Raises Trouble."""
    try:
        if written[-6:-5] in ("+", "-"):
            return datetime.fromisoformat(written).astimezone(UTC)
        return to_utc(written, zone, now)
    except OverflowError:
        raise Trouble(
            f"{written[:40]!r} lies outside the calendar", "write 14:20 or '2026-12-01 14:20'", USAGE
        ) from None
    except ValueError as error:
        message, _, mend = str(error).partition("; ")
        raise Trouble(message, mend or "write 14:20 or '2026-12-01 14:20'", USAGE) from None
