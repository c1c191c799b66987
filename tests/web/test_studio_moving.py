"""A draft over recorded episodes, and open episodes moved to another version."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit.publications import Publications
from audit.signatures import SigningKeys
from protocol.publishing import Publication
from protocol.spec import ProtocolSpec
from tests.web.desk import Desk
from tests.web.recorded import recorded
from tests.web.studio import begun, saved, signing_desk, text_in
from web.studio import moving

pytestmark = pytest.mark.full

OPEN = "threat_against_a_neighbour"


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    async with signing_desk(tmp_path) as made:
        yield made


async def published(web: Desk, old: ProtocolSpec) -> ProtocolSpec:
    """A next version in effect that moves everything as it is."""
    document = json.loads(old.canonical()) | {"version": "9.0.0", "migrates_from": {old.version: {}}}
    new = ProtocolSpec.model_validate_json(json.dumps(document))
    about = (web.clock(), new.protocol, new.version, new.content_hash, "dora", "supervisor")
    keys = SigningKeys((key.id, key.secret) for key in web.settings.signing_keys)
    done = Publication("published", *about, effective_at=web.clock())
    await Publications(web.parts.database, keys, web.clock).add(new, lambda _: done)
    return new


async def test_sums_are_for_authors_and_single_episodes_for_who_may_read_them(web: Desk):
    episode = await recorded(web, OPEN)
    spec = web.parts.shelf.open_now()["virtual_iop_crisis"]
    async with web.signed_in("iris") as author, web.signed_in("ruth") as reader:
        address = await begun(author, f"version:{spec.content_hash}", "")
        page = (await author.get(f"{address}/whatif")).text
        assert "<b>1</b>compared" in page
        assert "<b>0</b>would have gone otherwise" in page
        text = await text_in(web, address)
        shorter = re.sub(r"(?m)^(    due: )(1h|30m|15m|4h|24h)$", r"\g<1>2m", text)
        assert shorter != text
        await saved(author, address, shorter)
        page = (await author.get(f"{address}/whatif")).text
        assert "<b>1</b>would have gone otherwise" in page
        assert episode.episode_id[:12] not in page
        assert episode.episode_id[:12] in (await reader.get(f"{address}/whatif")).text


async def test_open_episodes_are_foreseen_and_a_change_meanwhile_is_not_signed_for(web: Desk):
    episode = await recorded(web, OPEN)
    spec = web.parts.shelf.open_now()["virtual_iop_crisis"]
    web.clock.now = max(web.clock.now, episode.opened_at + timedelta(days=2))
    new = await published(web, spec)
    async with web.signed_in("ruth") as browser:
        address = f"/protocols/{new.content_hash}/moving"
        page = (await browser.get(address)).text
        assert episode.episode_id[:12] in page or "<b>1</b>open episodes" in page
        assert "Move 1 episode<" in page
        stale = await browser.post(address, seen="another", key="k")
        assert stale.status_code == 422
        assert "not what you saw" in stale.text
        seen = re.search(r'name="seen" value="([^"]*)"', page)
        assert seen is not None
        assert (await browser.post(address, seen=seen[1], key="k")).status_code == 303
        while not moving._moves[new.content_hash].over:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0.05)
        assert "not moved:" in (await browser.get(address)).text, "the engine is away, and that is said"
    async with web.signed_in("iris") as browser:
        assert (await browser.get(address)).status_code == 403
