"""Everything the pages can do, the API can do: each page route names its route of the API, or why it has none."""

from __future__ import annotations

import re

from fastapi.routing import APIRoute

from web.api_guard import MayCall
from web.app import ROUTERS
from web.guard import needs, routes_of

A_PERSON = "proves who sits there; a token's holder did that when the token was made"
A_FORM = "an empty form, or one with what GET of the same thing gives"
A_VIEW = "another way to look at what a route of the API gives"
MANY = "the same command for several episodes; a program makes a call for each"
SHORTHAND = "a name for filters that a program keeps itself"
STUDIO = re.compile(r"^(GET|POST) (/studio/|/protocols/{content_hash}/(review|publish|retire|send-back|trial|moving)$)")
"""A person's work at an editor; programs use /api/v1/protocol-drafts, /protocol-versions and `holdfast protocol …`."""
BY_COMMAND = "`holdfast audit` does it for programs"
BY_FILE = "programs write the rota's file"
TYPING = "what somebody types into a page outside an episode; a program has its own"
SAYS = "words for people, the same for everybody"

PAGES: dict[str, str] = {
    "GET /": "GET /api/v1/queue",
    "GET /account": A_PERSON,
    "POST /account/password": A_PERSON,
    "POST /account/second-factor": A_PERSON,
    "POST /account/second-factor/remove": A_PERSON,
    "POST /account/sessions/end-others": A_PERSON,
    "POST /account/tokens": A_PERSON,
    "POST /account/tokens/{token_id}/revoke": A_PERSON,
    "GET /accounts": "GET /api/v1/accounts",
    "POST /accounts": "POST /api/v1/accounts",
    "POST /accounts/{account_id}/{act}": "POST /api/v1/accounts/{account_id}/{act}",
    "GET /audit": "GET /api/v1/audit/episodes",
    "GET /audit/episodes/{episode_id}": "GET /api/v1/audit/episodes/{episode_id}",
    "GET /audit/access": "GET /api/v1/audit/access",
    "GET /audit/disclosures": "GET /api/v1/audit/disclosures",
    "GET /audit/verify": "GET /api/v1/audit/verifications",
    "POST /audit/verify": "POST /api/v1/audit/verifications",
    "GET /audit/verify/account.txt": A_VIEW,
    "POST /audit/errands/{errand_id}/stop": "POST /api/v1/audit/errands/{errand_id}/stop",
    "GET /audit/exports": A_FORM,
    "POST /audit/exports": "POST /api/v1/audit/exports",
    "GET /audit/episodes/{episode_id}/export": A_FORM,
    "POST /audit/episodes/{episode_id}/export": "POST /api/v1/audit/exports",
    "GET /audit/exports/{errand_id}": "GET /api/v1/audit/exports/{errand_id}",
    "GET /audit/exports/{errand_id}/{name}": "GET /api/v1/audit/exports/{errand_id}/{name}",
    "GET /audit/conformance": A_FORM,
    "POST /audit/conformance": "POST /api/v1/audit/conformance",
    "GET /audit/conformance/{errand_id}": "GET /api/v1/audit/conformance/{errand_id}",
    "GET /audit/retention": BY_COMMAND,
    "POST /audit/holds": BY_COMMAND,
    "POST /audit/holds/lift": BY_COMMAND,
    "POST /audit/saved": SHORTHAND,
    "POST /audit/saved/forget": SHORTHAND,
    "GET /board": "GET /api/v1/board",
    "GET /clients": "GET /api/v1/clients",
    "GET /clients/new": A_FORM,
    "POST /clients/new": "POST /api/v1/clients",
    "GET /clients/import": A_FORM,
    "POST /clients/import": "POST /api/v1/clients/import",
    "GET /clients/{client_ref}": "GET /api/v1/clients/{client_ref}",
    "GET /clients/{client_ref}/access": A_VIEW,
    "POST /clients/{client_ref}/caseload": "PUT /api/v1/clients/{client_ref}/caseload/{account_id}",
    "GET /clients/{client_ref}/change": A_FORM,
    "POST /clients/{client_ref}/change": "PUT /api/v1/clients/{client_ref}",
    "GET /episodes/{episode_id}": "GET /api/v1/episodes/{episode_id}",
    "POST /episodes/{episode_id}/acts/{act}": "POST /api/v1/episodes/{episode_id}/commands",
    "POST /episodes/{episode_id}/acts/record-contact": "POST /api/v1/episodes/{episode_id}/contacts",
    "POST /episodes/{episode_id}/preview/record-contact": A_VIEW,
    "POST /episodes/{episode_id}/draft": "PUT /api/v1/episodes/{episode_id}/drafts/{place:path}",
    "POST /drafts": TYPING,
    "POST /drafts/forget": TYPING,
    "POST /report/onward/{episode_id}": MANY,
    "POST /episodes/{episode_id}/emergency": "POST /api/v1/episodes/{episode_id}/emergency",
    "POST /episodes/{episode_id}/preview/{act}": "POST /api/v1/episodes/{episode_id}/preview",
    "GET /episodes/{episode_id}/plan": "GET /api/v1/episodes/{episode_id}/plan",
    "GET /episodes/{episode_id}/plan.pdf": "GET /api/v1/episodes/{episode_id}/plan.pdf",
    "GET /episodes/{episode_id}/plan/shared": A_VIEW,
    "GET /episodes/{episode_id}/step-up": "GET /api/v1/episodes/{episode_id}/step-up",
    "GET /episodes/{episode_id}/timeline": "GET /api/v1/episodes/{episode_id}/trail",
    "GET /facilities": "GET /api/v1/facilities",
    "GET /facilities/list.csv": "GET /api/v1/facilities",
    "GET /facilities/new": A_FORM,
    "POST /facilities/new": "PUT /api/v1/facilities/{facility_id}",
    "GET /facilities/import": A_FORM,
    "POST /facilities/import": "POST /api/v1/facilities/import",
    "GET /facilities/{facility_id}": "GET /api/v1/facilities/{facility_id}",
    "POST /facilities/{facility_id}": "PUT /api/v1/facilities/{facility_id}",
    "GET /gallery": SAYS,
    "GET /health": "it needs no token and is for machines already",
    "GET /help": SAYS,
    "GET /insight": "GET /api/v1/insight",
    "GET /live": "tells a tab that something changed; webhooks tell other systems",
    "POST /lock": A_PERSON,
    "GET /openings": "GET /api/v1/openings",
    "GET /openings/new/{episode_id}": A_FORM,
    "POST /openings/new/{episode_id}": "POST /api/v1/openings/new/{episode_id}",
    "POST /openings/{access_id}/review": "POST /api/v1/openings/{access_id}/review",
    "GET /paper": SAYS,
    "GET /protocols": "GET /api/v1/versions",
    "GET /protocols/{content_hash}": "GET /api/v1/versions/{content_hash}",
    "GET /protocols/{content_hash}/compare/{other_hash}": "GET /api/v1/versions/{content_hash}/compare/{other_hash}",
    "GET /reassign": A_FORM,
    "POST /reassign": MANY,
    "GET /report": A_FORM,
    "POST /report": "POST /api/v1/episodes",
    "POST /report/lead": A_FORM,
    "GET /resources": "GET /api/v1/resources",
    "GET /resources/numbers.csv": "GET /api/v1/resources",
    "GET /resources/import": A_FORM,
    "POST /resources/import": "POST /api/v1/resources/changes",
    "GET /resources/{name}/change": A_FORM,
    "POST /resources/{name}/change": "POST /api/v1/resources/changes",
    "POST /resources/changes/{change_id}": "POST /api/v1/resources/changes/{change_id}",
    "GET /rota": "GET /api/v1/rota",
    "GET /webhooks": "GET /api/v1/webhooks",
    "POST /webhooks": "POST /api/v1/webhooks",
    "GET /webhooks/{subscription_id}": "GET /api/v1/webhooks/{subscription_id}/messages",
    "POST /webhooks/{subscription_id}/{act}": "POST /api/v1/webhooks/{subscription_id}/rotate",
    "POST /webhooks/{subscription_id}/messages/{message_id}/again": (
        "POST /api/v1/webhooks/{subscription_id}/messages/{message_id}/again"
    ),
    "GET /signatures": "GET /api/v1/board",
    "POST /rota": BY_FILE,
    "POST /rota/changes/{change_id}/undo": BY_FILE,
    "GET /sign-in": A_PERSON,
    "POST /sign-in": A_PERSON,
    "POST /sign-in/code": A_PERSON,
    "GET /sign-in/done": A_PERSON,
    "POST /sign-in/provider": A_PERSON,
    "GET /sign-in/return": A_PERSON,
    "POST /sign-out": A_PERSON,
}
PREVIEWS = {"/api/v1/episodes/{episode_id}/preview", "/api/v1/protocol-drafts/lint"}
"""Change nothing, although they are sent with POST: they need no key."""


def named(route: APIRoute) -> list[str]:
    return [f"{method} {route.path}" for method in sorted(set(route.methods or ()) - {"HEAD"})]


ALL = routes_of(ROUTERS)
API = {name for route in ALL if route.path.startswith("/api/") for name in named(route)}


def test_every_page_has_its_route_in_the_api_or_a_reason():
    pages = {name for route in ALL if not route.path.startswith("/api/") for name in named(route)}
    assert {one for one in pages if not STUDIO.match(one)} - set(PAGES) == set(), (
        "say which route of the API does the same, or why none does"
    )
    assert set(PAGES) - pages == set(), "no such page any more"
    promised = {told for told in PAGES.values() if "/api/" in told}
    assert promised - API == set()


def test_a_page_and_its_route_of_the_api_need_the_same():
    by_name = {name: route for route in ALL for name in named(route)}
    for page, told in PAGES.items():
        if "/api/" in told and page not in ("GET /facilities/{facility_id}",):  # the page is the form to change it
            one, other = (_action(by_name[name]) for name in (page, told))
            assert one == other, page


def _action(route: APIRoute) -> str:
    return str(needs(route))


def test_every_call_that_changes_something_takes_a_key():
    for route in ALL:
        calls = [one.call for one in route.dependant.dependencies]
        if not any(isinstance(call, MayCall) for call in calls) or "GET" in (route.methods or ()):
            continue
        headers = {one.alias for one in route.dependant.header_params}
        assert ("Idempotency-Key" in headers) == (route.path not in PREVIEWS), route.path
