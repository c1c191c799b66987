"""From a form or a call to a command, and from its receipt to words. What may be done is decided by the core alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import to_json

from protocol.commands import HUMAN_COMMAND, HumanCommand, OpenEpisode
from protocol.engine import Receipt
from protocol.local_time import show_time, to_utc
from protocol.program import Program
from protocol.rota import LICENSED_ACTS, Rota, able_to_own
from protocol.spec import ProtocolSpec
from protocol.words import Words, plain
from web.access import Actor
from web.seen import Seen

COMMANDS: dict[str, type[HumanCommand]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", command.__name__).lower(): command
    for command in get_args(HumanCommand)
    if command is not OpenEpisode
}
"""`complete-step` → CompleteStep …; opening has a place of its own."""

COMMON = ("kind", "command_id", "actor", "role", "occurred_at", "expected_revision")


class Malformed(Exception):
    """What was sent has not the form of a command. `problems` are (field, words)."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {words}" for field, words in problems))
        self.problems = tuple(problems)


def command_id_of(actor: Actor, place: str, key: str) -> str:
    """The id of the command that a person sends with this key: the same key again is the same command.

    Made of a hash, so that nobody can send in another's name, nor in the engine's own.
    """
    return "w-" + hashlib.sha256(f"{actor.account_id}\n{place}\n{key}".encode()).hexdigest()[:40]


def role_of(actor: Actor, rota: Rota, spec: ProtocolSpec, kind: str = "", wanted: Sequence[str] = ()) -> str:
    """The role of the protocol in which somebody acts: one that the act is for, where they have one.

    Raises Malformed where that role needs a licence which the rota does not give them.
    """
    person = rota.by_id.get(actor.account_id)
    held = [*(person.roles if person is not None else ()), *actor.roles]
    usable = [role for role in held if role in spec.roles]
    fitting = [role for role in usable if role in wanted]
    if person is not None and kind in LICENSED_ACTS and not rota.licensed_here(person):
        allowed = [role for role in fitting if not spec.roles[role].licensed]
        if fitting and not allowed:
            words = f"a {plain(fitting[0])} needs a licence in {rota.state}, which the rota does not give you"
            raise Malformed([("role", words)])
        fitting = allowed
    return fitting[0] if fitting else usable[0] if usable else held[0]


def wanted_roles(spec: ProtocolSpec, command: type[HumanCommand], own: Mapping[str, Any]) -> Sequence[str]:
    """Which roles the protocol names for this act, so that somebody with several acts in the right one."""
    step, decision = spec.steps.get(str(own.get("step"))), spec.decisions.get(str(own.get("decision")))
    if step is not None:
        return step.roles
    if decision is not None:
        return decision.roles
    match command.__name__:
        case "LowerRisk":
            return spec.risk.lowering.roles
        case "CloseEpisode":
            return spec.closing.roles
        case "CoSign":
            subject = str(own.get("subject"))
            if subject in spec.steps:
                return spec.steps[subject].skip_cosigned_by
            return spec.decisions[subject].cosigned_by if subject in spec.decisions else ()
        case "Waive":
            owed = spec.obligations.get(str(own.get("obligation_id")).rpartition("-")[0])
            return owed.waived_by if owed is not None else ()
        case _:
            return ()


def check_addressee(rota: Rota, spec: ProtocolSpec, kind: str, own: Mapping[str, Any]) -> None:
    """An episode is offered only to somebody whom a page finds and who may own it. Raises Malformed."""
    able = [one.id for one in able_to_own(rota, spec.owning_roles)]
    if kind == "OfferHandover" and own.get("to") not in able:
        words = f"an episode goes to a {' or '.join(plain(one) for one in spec.owning_roles)} of the rota"
        raise Malformed([("to", words)])


def command_of(kind: str, common: Mapping[str, Any], own: Mapping[str, Any]) -> HumanCommand:
    """A well-formed command. Raises Malformed that names each wrong field."""
    try:
        return HUMAN_COMMAND.validate_json(to_json({"kind": kind, **common, **own}))
    except (ValidationError, ValueError) as error:
        raise Malformed(_problems(error)) from None


def _problems(error: Exception) -> list[tuple[str, str]]:
    if not isinstance(error, ValidationError):
        return [("", "some characters can't be read")]
    found: list[tuple[str, str]] = []
    for one in error.errors(include_url=False, include_input=False, include_context=False)[:20]:
        place = [str(part) for part in one["loc"][1:]]
        name = "fact." + place[1] if len(place) > 1 and place[0] == "facts" else place[0] if place else ""
        found.append((name, said(one["type"], one["msg"])))
    return found


def said(kind: str, message: str) -> str:
    """What is wrong with a field, as one says it to a person."""
    match kind:
        case "missing" | "string_too_short":
            return "write something here"
        case "string_pattern_mismatch":
            return "write something here, in the form that is asked for"
        case "string_too_long":
            return "shorten this: 4000 characters at most"
        case "extra_forbidden":
            return "this act has no such field"
        case _:
            return message


NUMBERS = ("refers_to", "entry")
"""Fields that are written as a number."""


def own_fields(command: type[HumanCommand], written: Mapping[str, list[str]]) -> dict[str, Any]:
    """The command's own fields out of a form, numbers read, empty optional ones left out."""
    own: dict[str, Any] = {}
    for one in fields(command):
        if one.name in COMMON or one.name == "facts" or one.name not in written:
            continue
        value = written[one.name][0].strip()
        optional = one.default is not MISSING
        if value or not optional:
            own[one.name] = int(value) if one.name in NUMBERS and value.isdecimal() and len(value) < 10 else value
    return own


def happened_at(written: str, program: Program, now: datetime) -> datetime:
    """When it happened: the time that was given for a late entry, else now. Raises Malformed."""
    if not written.strip():
        return now
    try:
        return to_utc(written.strip(), program.zone, now).astimezone(UTC)
    except (ValueError, OverflowError, IndexError):
        raise Malformed([("happened_at", "write when it happened as 2026-12-01 14:05 or 14:20")]) from None


def told(seen: Seen, receipt: Receipt, now: datetime) -> list[str]:
    """What a command brought about, a sentence each; or the refusal with its remedy."""
    words = Words(seen.program.spec)
    lines = [line for event in receipt.events if (line := words.line(event, now)) is not None]
    return [f"{line.label[:1].upper()}{line.label[1:]}: {line.text}" for line in lines]


def due_words(receipt: Receipt, words: Words, now: datetime) -> str:
    """When the engine looks at the episode next."""
    return "nothing is due" if receipt.next_deadline is None else show_time(receipt.next_deadline, words.zone, now)
