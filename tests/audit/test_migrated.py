"""An episode that was moved to a newer version of its protocol: lists, export and conformance follow the move."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.conformance import judged, opened_between
from audit.database import Database
from audit.lists import Comparison, Lists
from audit.store import Store
from audit.verify import Verifier
from protocol.summary import summarise
from tests.audit.bundles import checked, exported, forged
from tests.audit.records import RING
from tests.protocol.specs import compact
from tests.protocol.story import Story
from tests.protocol.test_migrating import QUICK, move, newer, policy

LATER = newer(policy("shorten"), obligations=QUICK)


@pytest.fixture
async def moved(store: Store) -> Story:
    story = Story.begun().later("30m")
    move(story, LATER)
    story.answer(plan="no")
    for spec in (compact(), LATER):
        await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(story.engine.rows, summarise(LATER, story.episode))
    return story


async def test_its_lists_say_what_its_rows_say(moved: Story, records: Database):
    verdict = await Verifier(records, RING).episode("ep-1", moved.engine.head)
    assert [one async for one in Lists(records, RING).compare([verdict])] == [Comparison("ep-1")]


async def test_it_is_judged_by_the_version_in_force(moved: Story, records: Database):
    (one,) = [one async for one in judged(records, RING, await opened_between(records))]
    assert one.conformance is not None, one.why_not
    assert one.conformance.deviations == []
    (owed,) = moved.owed("finish_assessment")
    assert one.conformance.deadlines[owed.obligation_id].due_at == owed.due_at


@pytest.mark.parametrize("redact", [False, True])
async def test_its_export_holds_both_versions(
    moved: Story, records: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], redact: bool
):
    made = await exported(records, path := tmp_path / "bundle.zip", "ep-1", redact=redact)
    assert made.protocols == {compact().content_hash, LATER.content_hash}
    assert checked(path) == 0

    def drop_the_later(entries: dict[str, bytes]) -> None:
        del entries[f"protocols/{LATER.content_hash}.json"]

    assert checked(forged(path, drop_the_later)) == 1
    assert f"the protocol {LATER.content_hash} is not in the bundle" in capsys.readouterr().out
    assert moved.episode.protocol_hash == LATER.content_hash
