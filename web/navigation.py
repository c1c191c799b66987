"""The places that a person may go to from every page."""

from __future__ import annotations

from typing import Any

from practice.accounts import Role
from web.access import Action, Actor, authorize

PLACES: tuple[tuple[str, str, Action], ...] = (
    ("My queue", "/", "queue.read"),
    ("Report a crisis", "/report", "episode.open"),
    ("Board", "/board", "board.read"),
    ("Clients", "/clients", "client.list"),
    ("Resources", "/resources", "directory.read"),
    ("Facilities", "/facilities", "directory.read"),
    ("Rota", "/rota", "directory.read"),
    ("Protocols", "/protocols", "protocol.read"),
    ("Insight", "/insight", "insight.read"),
    ("Audit", "/audit", "audit.read"),
    ("Emergency openings", "/openings", "access.review"),
    ("Accounts", "/accounts", "account.manage"),
    ("Webhooks", "/webhooks", "webhook.manage"),
)
"""Label, address, and what one must be allowed to do there."""


BELONGS = {"/studio/": "/protocols/"}
"""Where pages have another address than the place they belong to."""


def _home_of(path: str) -> str:
    return next((home + path for begins, home in BELONGS.items() if path.startswith(begins)), path)


OWN_FIRST: dict[Role, str] = {"auditor": "/audit"}
"""Where the work of somebody with this role alone begins; it stands first, and is where they come to."""


def _places(actor: Actor | None) -> list[tuple[str, str, Action]]:
    first = OWN_FIRST.get(actor.roles[0]) if actor is not None and len(actor.roles) == 1 else None
    return sorted(PLACES, key=lambda place: place[1] != first)


def navigation(actor: Actor | None, path: str) -> list[dict[str, Any]]:
    """The places for this person, the present one marked."""
    return [
        {
            "label": label,
            "href": href,
            "current": path == href or (href != "/" and _home_of(path).startswith(f"{href}/")),
        }
        for label, href, action in _places(actor)
        if authorize(actor, action)
    ]
