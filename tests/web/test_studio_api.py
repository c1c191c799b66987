"""The studio over the API: the same functions, the same refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from protocol_specs.starting import of_template
from tests.web.desk import Desk
from tests.web.studio import signing_desk
from web.access import ACTIONS

TEXT = of_template("starter", "evening_line")[0]


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    async with signing_desk(tmp_path) as made:
        yield made


async def calls(web: Desk, person: str, method: str, path: str, body: Any = None) -> httpx.Response:
    token = await web.parts.tokens.add(
        person, "studio", tuple(one for one in ACTIONS if one != "public"), 1, web.clock()
    )
    async with web.browser() as browser:
        return await browser.http.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())},
        )


async def test_from_a_text_to_what_new_episodes_take(web: Desk):
    begun = await calls(web, "iris", "POST", "/protocol-drafts", {"text": TEXT.replace("grade: P", "grade: X", 1)})
    assert begun.status_code == 201
    assert begun.json()["found"][0]["line"] > 1
    place = f"/protocol-drafts/{begun.json()['draft_id']}"
    assert (await calls(web, "iris", "POST", f"{place}/trial", {"kinds": ["proof"]})).json()["code"] == "broken"
    saved = await calls(web, "iris", "PUT", place, {"text": TEXT, "revision": 1})
    assert saved.json()["found"] == []
    stale = await calls(web, "iris", "PUT", place, {"text": TEXT + "\n# more", "revision": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    untried = await calls(web, "iris", "POST", f"{place}/submit", {"revision": 2})
    assert (untried.status_code, untried.json()["code"]) == (422, "not_tried")
    assert (await calls(web, "iris", "POST", f"{place}/trial", {"kinds": ["tests", "proof"]})).status_code == 202
    while any(not job.over for job in web.parts.jobs.everything()):
        await asyncio.sleep(0.05)
    found = (await calls(web, "iris", "GET", f"{place}/trial")).json()
    assert (found["state"], found["proof"]["proved"], found["good"]) == ("done", True, False), "it has no scenario"
    sent = (await calls(web, "iris", "POST", f"{place}/submit", {"revision": 2, "note": "New."})).json()
    version = f"/protocol-versions/{sent['protocol_hash']}"
    assert (await calls(web, "iris", "POST", f"{version}/publish", {})).status_code == 403
    refused = await calls(web, "ruth", "POST", f"{version}/publish", {})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_good")
    done = await calls(web, "ruth", "POST", f"{version}/publish", {"exception": "Needed tonight."})
    assert done.json()["sign_off"]["by"] == "ruth"
    listed = (await calls(web, "maya", "GET", "/protocol-versions")).json()
    assert {one["state"] for one in listed if one["name"] == "evening_line"} == {"in effect"}
    known = (await calls(web, "maya", "GET", "/protocols")).json()
    assert {"protocol": "evening_line", "version": "0.1.0", "hash": sent["protocol_hash"]} in known
    gone = await calls(web, "ruth", "POST", f"{version}/retire", {"reason": "It was only tried."})
    assert gone.json()["act"] == "retired"


async def test_bodies_are_read_strictly_and_texts_are_bounded(web: Desk):
    wrong: tuple[Any, ...] = ({"text": 1}, {"text": "x", "more": 1}, {"text": "x" * 400_001}, [], None)
    for body in wrong:
        assert (await calls(web, "iris", "POST", "/protocol-drafts/lint", body)).status_code == 422
    assert (await calls(web, "iris", "GET", "/protocol-drafts/none")).status_code == 404
    assert (await calls(web, "maya", "POST", "/protocol-drafts/lint", {"text": "x"})).status_code == 403
