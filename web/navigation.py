"""The places that a person may go to from every page."""

from __future__ import annotations

from fnmatch import fnmatchcase
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


OWN_FIRST: dict[Role, str] = {"auditor": "/audit", "clinical_operations": "/protocols", "administrator": "/accounts"}
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


TOPICS = (
    ("/report", "report"),
    ("/episodes/*/plan", "plan"),
    ("/episodes/*/step-up", "step-up"),
    ("/episodes/", "episode"),
    ("/board", "board"),
    ("/signatures", "signatures"),
    ("/reassign", "rota"),
    ("/rota", "rota"),
    ("/clients/*/access", "audit"),
    ("/clients", "clients"),
    ("/resources", "resources"),
    ("/facilities", "resources"),
    ("/protocols", "protocols"),
    ("/studio/", "studio"),
    ("/insight", "insight"),
    ("/audit", "audit"),
    ("/openings", "openings"),
    ("/accounts", "accounts"),
    ("/account", "account"),
    ("/sign-in", "account"),
    ("/webhooks", "webhooks"),
    ("/paper", "away"),
    ("/", "queue"),
)
"""Which part of the help belongs to a page, by how its address begins; `*` is whatever. The first that fits."""


def topic_of(path: str) -> str:
    """The part of the help that belongs to a page."""
    return next(topic for begins, topic in TOPICS if fnmatchcase(path, f"{begins}*"))
