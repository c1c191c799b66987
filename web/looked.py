"""Who looked at whom, and what was handed out: the access trail as pages."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from audit.access import WHATS, Access, Sought, What, count, looked
from web.asked import Asked, Word
from web.clients import Ref
from web.guard import May
from web.looks import ITS_CLIENT, SEARCHED, Visit, look, note
from web.pages import page
from web.people import names_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("audit.read", SEARCHED))]

ROWS = 50
SAID: dict[What, str] = {
    "read": "Looked",
    "replayed": "Replayed",
    "searched": "Searched",
    "verified": "Verified the records",
    "exported": "Handed out",
    "destroyed": "Destroyed the key",
    "held": "Placed a hold",
    "released": "Lifted a hold",
    "administered": "Administered",
}
VIEWS = {
    "/": "My queue",
    "/board": "Board",
    "/signatures": "Second signatures",
    "/reassign": "Hand over episodes",
    "/clients": "Clients",
    "/audit": "Audit: search",
    "/audit/access": "Who looked",
    "/audit/disclosures": "Disclosures",
    "/clients/{client_ref}/access": "Who looked",
}
DONE = ("act", "account", "off", "on")
"""What of an administrative act is shown: what was done with whose account, who lost or got a client."""
ANYWHERE = (
    *(("/report", "Report a crisis"), ("/episodes/", "Episode"), ("/clients/", "Client's page")),
    *(("/openings", "Emergency openings"), ("/audit/episodes/", "Replay"), ("/audit/exports", "Exports")),
    *(("/audit/conformance", "Conformance"), ("/audit/retention", "Retention"), ("/audit/holds", "Legal holds")),
    *(("/studio/", "What a draft would have done"), ("/protocols/", "Moving open episodes"), ("/api/", "API")),
)


class LookedAsked(Asked):
    """What is asked of the access trail."""

    who: Word = None
    client: Word = None
    episode: Word = None
    what: Annotated[What | None, BeforeValidator(lambda given: given or None)] = None

    def sought(self, visit: Visit, *, client_ref: str | None = None, what: What | None = None) -> Sought:
        """The same as the records understand it."""
        zone = visit.parts.zone
        return Sought(
            *(client_ref or self.client, self.episode, self.who, what or self.what),
            *(self.begins(zone), self.ends(zone)),
        )


@router.get("/audit/access")
async def access(request: Request, visit: Reader, asked: Annotated[LookedAsked, Query()]) -> Response:
    """The access trail, latest first."""
    await note(visit, look(visit, asked.episode or "", asked.client or "", asked=asked.filters))
    return await shown(request, visit, asked, asked.sought(visit), "/audit/access")


@router.get("/clients/{client_ref}/access")
async def of_client(
    request: Request,
    client_ref: Ref,
    visit: Annotated[Visit, Depends(May("audit.read", ITS_CLIENT))],
    asked: Annotated[LookedAsked, Query()],
) -> Response:
    """Who looked at one client."""
    sought, place = asked.sought(visit, client_ref=client_ref), f"/clients/{client_ref}/access"
    return await shown(request, visit, asked, sought, place, client_ref=client_ref)


@router.get("/audit/disclosures")
async def disclosures(request: Request, visit: Reader, asked: Annotated[LookedAsked, Query()]) -> Response:
    """What was handed out: to whom, for what purpose, with which hash, and what was withheld."""
    await note(visit, look(visit, asked.episode or "", asked.client or "", asked=asked.filters))
    sought = asked.sought(visit, what="exported")
    return await shown(request, visit, asked, sought, "/audit/disclosures", template="disclosures.html")


async def shown(
    request: Request,
    visit: Visit,
    asked: LookedAsked,
    sought: Sought,
    place: str,
    *,
    client_ref: str = "",
    template: str = "looked.html",
) -> Response:
    """A page of looks."""
    database, names = visit.parts.database, await names_of(visit.parts)
    total = await count(database, sought)
    rows = await looked(database, sought, ROWS, (asked.page - 1) * ROWS)
    people = {account.account_id: account.name for account in await visit.parts.accounts.everybody()}
    return await page(
        request,
        template,
        rows=[told(one) for one in rows],
        names=names,
        asked=asked,
        whats=[{"value": what, "label": SAID[what]} for what in WHATS],
        people=[{"value": account_id, "label": name} for account_id, name in people.items()],
        total=total,
        pages=ceil(total / ROWS),
        place=place,
        address=asked.address(place),
        client_ref=client_ref,
        client=(await visit.parts.clients.names([client_ref])).get(client_ref, client_ref) if client_ref else "",
        waiting=len(visit.parts.spool.waiting()),
    )


def place_of(view: str) -> str:
    """The page by its own name; a command of the command line stays as it is."""
    return VIEWS.get(view) or next((said for start, said in ANYWHERE if view.startswith(start)), view)


def told(one: Access) -> dict[str, Any]:
    """A look as a row of the page."""
    return {
        "at": one.at,
        "who": one.who,
        "role": one.role,
        "said": SAID[one.what],
        "where": place_of(str(one.detail.get("view", ""))),
        "client_ref": one.client_ref,
        "episode_id": one.episode_id,
        "purpose": one.purpose,
        "to": one.detail.get("to", ""),
        "did": ", ".join(f"{name} {value}" for name in DONE if (value := one.detail.get(name))),
        "hash": one.detail.get("bundle") or one.detail.get("sha256", ""),
        "of": one.detail.get("of", "bundle" if "bundle" in one.detail else ""),
        "withheld": one.detail.get("withheld", ""),
    }
