"""The version that a report in the browser opens under."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from audit.publications import Publications
from audit.signatures import SigningKeys
from protocol.publishing import Publication
from protocol.spec import ProtocolSpec
from tests.web.desk import Desk
from web.effective import at_hand, usual
from web.errors import NotPublished
from web.parts import Parts

USUAL = "virtual_iop_crisis"
KEYS = SigningKeys([("s1", b"s" * 32)])


def in_production(parts: Parts) -> Parts:
    return replace(parts, settings=parts.settings.model_copy(update={"mode": "production"}))


async def publish(parts: Parts, spec: ProtocolSpec, act: str = "published") -> None:
    now = parts.clock()
    about = (now, spec.protocol, spec.version, spec.content_hash, "dora", "supervisor")
    done = Publication("retired", *about) if act == "retired" else Publication("published", *about, effective_at=now)
    await Publications(parts.database, KEYS).add(spec, lambda _: done)


async def test_a_report_opens_under_the_published_version_and_not_under_the_file(web: Desk) -> None:
    parts = web.parts
    file = parts.shelf.open_now()[USUAL]
    assert await usual(parts, "") == file, "on one's own machine a file may do while nothing was published"
    document = json.loads(file.canonical()) | {"title": "As it was published"}
    published = ProtocolSpec.model_validate_json(json.dumps(document))
    await publish(parts, published)
    assert await usual(parts, "") == published
    assert await usual(in_production(parts), "") == published


async def test_without_a_version_in_effect_nothing_is_opened(web: Desk) -> None:
    parts = web.parts
    with pytest.raises(NotPublished):
        await usual(in_production(parts), "")
    await publish(parts, parts.shelf.open_now()[USUAL])
    await publish(parts, parts.shelf.open_now()[USUAL], "retired")
    with pytest.raises(NotPublished):
        await usual(parts, "")
    async with web.signed_in("maya") as browser:
        answer = await browser.get("/report")
        assert answer.status_code == 409
        assert "paper fallback" in answer.text
        assert (await browser.get("/paper")).status_code == 200


async def test_the_settings_say_which_protocol_is_the_usual_one(web: Desk) -> None:
    parts, other = web.parts, "withdrawal_monitoring"
    assert (await usual(parts, "")).protocol == USUAL
    told = replace(parts, settings=parts.settings.model_copy(update={"usual_protocol": other}))
    assert (await usual(told, "")).protocol == other
    assert at_hand(told).protocol == other
    assert (await usual(told, USUAL)).protocol == USUAL, "whoever names one gets it"
