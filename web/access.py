"""Who may do what: one function for pages and API, deny by default. Pure.

A person's relation to the thing says how far their roles reach: their own clients and episodes, those they cover,
those they were asked into, or none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from practice.accounts import Role

Action = Literal[
    "public",
    "self",
    "queue.read",
    "episode.open",
    "episode.read",
    "episode.act",
    "episode.contact",
    "episode.export",
    "episode.emergency",
    "board.read",
    "insight.read",
    "client.list",
    "client.read",
    "client.write",
    "caseload.write",
    "directory.read",
    "directory.write",
    "protocol.read",
    "protocol.study",
    "protocol.write",
    "protocol.approve",
    "audit.read",
    "audit.export",
    "audit.hold",
    "access.break_glass",
    "access.review",
    "account.manage",
    "webhook.manage",
]
"""`public` needs nobody signed in; `self` is one's own account; `protocol.study` is drafts, and trying them by hand;
`protocol.approve` is what changes the protocols that episodes run under. The rest speaks for itself."""
ACTIONS: tuple[Action, ...] = get_args(Action)

ABOUT_CLIENTS: frozenset[Action] = frozenset(
    {
        *("queue.read", "episode.open", "episode.read", "episode.act", "episode.emergency", "board.read"),
        *("episode.contact", "episode.export", "caseload.write", "audit.read", "audit.export", "audit.hold"),
        *("client.list", "client.read", "client.write", "access.break_glass", "access.review"),
    }
)
"""What shows something of clients, or may: such a route says what it reads."""

Relation = Literal["own", "covered", "asked", "broke_glass", "none"]
"""`own`: my client or my episode. `covered`: of somebody I stand in for. `asked`: a hand-over or a page names me or
my role on shift. `broke_glass`: opened in an emergency with a reason, reviewed afterwards."""
RELATIONS: tuple[Relation, ...] = get_args(Relation)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks."""

    account_id: str
    name: str
    roles: tuple[Role, ...]
    scopes: frozenset[Action] | None = None
    """What a token may be used for; None for somebody who signed in."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about: of which client it is, as far as that matters, is said by the relation alone."""

    relation: Relation = "none"


NOWHERE = Target()
"""Something that belongs to no client."""


def _set(*actions: Action) -> frozenset[Action]:
    return frozenset(actions)


_ANYBODY = _set("public", "self")
_READING = _set("directory.read", "protocol.read")
_CARE = _READING | _set("queue.read", "episode.open", "client.list")
_THROUGH_GLASS = _set("episode.read", "episode.contact", "client.read")
"""What a clinician may do where they opened a client in an emergency: look, and write down that they tried."""
_NEAR = _THROUGH_GLASS | _set("episode.act", "episode.export", "client.write")
"""What a clinician may do where they have a relation to the client."""

_EVERYWHERE: dict[Role, frozenset[Action]] = {
    "therapist": _CARE | _set("episode.emergency", "access.break_glass"),
    "on_call": _CARE | _set("episode.emergency", "access.break_glass", "board.read"),
    "supervisor": _CARE
    | _NEAR
    | _set("episode.emergency", "board.read", "insight.read", "access.review", "audit.read", "directory.write")
    | _set("audit.export", "audit.hold", "caseload.write", "protocol.study", "protocol.approve"),
    "clinical_operations": _READING | _set("insight.read", "protocol.study", "protocol.write", "directory.write"),
    "auditor": _READING
    | _set("episode.read", "client.list", "client.read", "board.read", "insight.read", "access.review")
    | _set("audit.read", "audit.export", "audit.hold"),
    "administrator": _READING | _set("account.manage", "webhook.manage"),
}
"""What a role may do whatever its relation."""

_RELATED: frozenset[Role] = frozenset({"therapist", "on_call"})
"""Roles that may do besides what their relation allows."""


def authorize(actor: Actor | None, action: Action, target: Target = NOWHERE) -> bool:
    """Whether the actor may do this to that."""
    if actor is None:
        return action == "public"
    if action in _ANYBODY:
        return True
    if actor.scopes is not None and action not in actor.scopes:
        return False
    return any(_role_may(role, action, target.relation) for role in actor.roles)


def _role_may(role: Role, action: Action, relation: Relation) -> bool:
    if action in _EVERYWHERE[role]:
        return True
    near = {"none": _set(), "broke_glass": _THROUGH_GLASS}.get(relation, _NEAR)
    return role in _RELATED and action in near
