"""Which addresses stand for the application's pages: one for each GET route, and its query where that shows more."""

from __future__ import annotations

from web.app import ROUTERS
from web.guard import routes_of

HIGH, CALM, DRILL = "8a40d7b1-demo", "5e1f0c52-demo", "f7b8a914-demo"
WHERE: dict[str, str] = {
    "episode_id": HIGH,
    "client_ref": "client-1001",
    "facility_id": "new",
    "name": "orange_oc_links",
}
"""What stands in an address where the route has a name."""
MORE: tuple[str, ...] = (
    *("/board?level=imminent&drills=0", "/audit?breach=any&from=2026-01-01", f"/audit/episodes/{HIGH}?at=10"),
    *("/resources?county=alameda", "/reassign?owner=maya", f"/episodes/{DRILL}", f"/episodes/{CALM}"),
    *("/audit/retention?show=all", "/nothing-here"),
)
"""Pages that a route shows when it is asked for something."""
OF_PEOPLE: dict[str, str] = {"/accounts": "abel", "/webhooks": "abel", "/studio/": "iris", "/openings/new/": "maya"}
"""Who looks at pages that a supervisor does not see, by how the address begins."""
NO_PAGES: dict[str, str] = {
    "/health": "an answer for machines",
    "/live": "a stream",
    "/sign-in/return": "leads on from the identity provider; test_single_sign_on_browser.py",
    "/resources/numbers.csv": "a file; test_resources.py",
    "/facilities/list.csv": "a file; test_drafts.py",
    "/audit/conformance/{errand_id}": "what came of an errand; looked at in test_auditor_browser.py",
    "/audit/exports/{errand_id}": "what came of an errand; looked at in test_auditor_browser.py",
    "/audit/exports/{errand_id}/{name}": "a file; test_exports.py",
    "/audit/verify/account.txt": "a file; test_verifying.py",
    "/studio/schema.json": "a file",
    "/studio/{draft_id}/trials/{story}.yaml": "a file",
    "/episodes/{episode_id}/plan.pdf": "a file; test_plan.py",
    "/protocols/{content_hash}/review": "needs proofs; looked at in test_studio_browser.py",
    "/protocols/{content_hash}/moving": "needs a second version; looked at in test_studio_browser.py",
    "/studio/{draft_id}/scenarios/{name}": "looked at in test_studio_browser.py",
}
"""GET routes that are not visited, and why."""


def pages() -> list[str]:
    """The path of every route that answers with a page, as the application has it."""
    found = [one.path for one in routes_of(ROUTERS) if "GET" in (one.methods or ())]
    return sorted({path for path in found if not path.startswith("/api/") and path not in NO_PAGES})


def addresses(known: dict[str, str]) -> list[str]:
    """An address for each page. Raises KeyError for a route with a name that nobody gave a value."""
    return [path.format(**WHERE, **known) for path in pages()] + list(MORE)


def person_of(address: str) -> str:
    """Who looks at it."""
    return next((person for begins, person in OF_PEOPLE.items() if address.startswith(begins)), "ruth")
