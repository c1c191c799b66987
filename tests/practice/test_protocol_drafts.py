"""Drafts of protocols: every save is kept, and nobody writes over another's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.database import Database
from practice.protocol_drafts import (
    LONGEST,
    LONGEST_SCENARIO,
    MOST_SAVES,
    MOST_SCENARIOS,
    TOGETHER,
    About,
    ConflictError,
    DraftError,
    ProtocolDrafts,
)
from practice.protocol_results import Found, ProtocolResults, Simulations

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
LATER = NOW + TOGETHER + timedelta(seconds=1)
NONE = About("", "", "")
LINE = About("evening_line", "An evening line", "a" * 64)


@pytest.fixture
def drafts(records: Database) -> ProtocolDrafts:
    return ProtocolDrafts(records)


async def test_what_is_saved_is_there_again_and_in_the_history(drafts: ProtocolDrafts):
    made = await drafts.start("one", NONE, "iris", NOW, "b" * 64)
    saved = await drafts.save(made.draft_id, "two", LINE, made.revision, "iris", LATER)
    assert await drafts.get(made.draft_id) == saved
    assert (saved.text, saved.protocol, saved.content_hash, saved.based_on) == (
        *("two", LINE.protocol, LINE.content_hash),
        "b" * 64,
    )
    history = await drafts.history(made.draft_id)
    assert [(one.revision, one.what, one.by) for one in history] == [(2, "typed", "iris"), (1, "begun", "iris")]
    assert await drafts.text_of(made.draft_id, 1) == "one"
    assert await drafts.text_of(made.draft_id, 9) is None


async def test_typing_on_is_one_save_and_a_pause_or_another_person_begins_the_next(drafts: ProtocolDrafts):
    made = await drafts.start("0", NONE, "iris", NOW)

    async def types(text: str, by: str, after: timedelta) -> int:
        there = await drafts.get(made.draft_id)
        assert there is not None
        saved = await drafts.save(made.draft_id, text, NONE, there.revision, by, NOW + after)
        return saved.revision

    await types("1", "iris", timedelta(seconds=1))
    await types("12", "iris", TOGETHER)
    assert [one.revision for one in await drafts.history(made.draft_id)] == [3, 1]
    await types("123", "iris", TOGETHER + timedelta(seconds=2))
    await types("1234", "ruth", TOGETHER + timedelta(seconds=3))
    assert [one.revision for one in await drafts.history(made.draft_id)] == [5, 4, 3, 1]


async def test_nobody_writes_over_what_another_saved_meanwhile(drafts: ProtocolDrafts):
    made = await drafts.start("one", NONE, "iris", NOW)
    await drafts.save(made.draft_id, "of ruth", NONE, made.revision, "ruth", LATER)
    with pytest.raises(ConflictError) as told:
        await drafts.save(made.draft_id, "of iris", NONE, made.revision, "iris", LATER)
    assert (told.value.there.text, told.value.there.saved_by) == ("of ruth", "ruth")
    same = await drafts.save(made.draft_id, "of ruth", NONE, made.revision, "iris", LATER)
    assert (same.revision, same.saved_by) == (2, "ruth"), "the same text is no conflict and no save"
    with pytest.raises(LookupError):
        await drafts.save("none", "text", NONE, 1, "iris", NOW)


async def test_a_draft_has_limits(drafts: ProtocolDrafts, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DraftError, match="400 kB"):
        await drafts.start("é" * (LONGEST // 2 + 1), NONE, "iris", NOW)
    made = await drafts.start("one", NONE, "iris", NOW)
    with pytest.raises(DraftError, match="400 kB"):
        await drafts.save(made.draft_id, "x" * (LONGEST + 1), NONE, 1, "iris", NOW)
    monkeypatch.setattr("practice.protocol_drafts.MOST_DRAFTS", 1)
    with pytest.raises(DraftError, match="1 drafts already"):
        await drafts.start("two", NONE, "iris", NOW)
    await drafts.put_away(made.draft_id, NOW)
    assert await drafts.listed() == ()
    await drafts.start("two", NONE, "iris", NOW)


async def test_the_oldest_saves_go_first(drafts: ProtocolDrafts):
    made = await drafts.start("0", NONE, "iris", NOW)
    for number in range(1, MOST_SAVES + 3):
        await drafts.save(made.draft_id, str(number), NONE, number, "iris", NOW, "laid out")
    history = await drafts.history(made.draft_id)
    assert (len(history), history[0].revision, history[-1].revision) == (MOST_SAVES, MOST_SAVES + 3, 4)


async def test_scenarios_are_kept_by_name(drafts: ProtocolDrafts):
    made = await drafts.start("one", NONE, "iris", NOW, given={"b": "first", "a": "second"})
    await drafts.keep_scenarios(made.draft_id, {"b": "anew"}, "ruth", LATER)
    kept = await drafts.scenarios(made.draft_id)
    assert [(one.name, one.text, one.by) for one in kept] == [("a", "second", "iris"), ("b", "anew", "ruth")]
    await drafts.drop_scenario(made.draft_id, "a")
    assert [one.name for one in await drafts.scenarios(made.draft_id)] == ["b"]
    with pytest.raises(DraftError, match="the scenario c has more than"):
        await drafts.keep_scenarios(made.draft_id, {"c": "x" * (LONGEST_SCENARIO + 1)}, "iris", NOW)
    with pytest.raises(DraftError, match="at most"):
        await drafts.keep_scenarios(made.draft_id, {f"n{n}": "x" for n in range(MOST_SCENARIOS)}, "iris", NOW)
    assert len(await drafts.scenarios(made.draft_id)) == 1, "all of them or none"


async def test_the_draft_of_a_version_is_found_by_what_it_says(drafts: ProtocolDrafts):
    await drafts.start("one", LINE, "iris", NOW)
    latest = await drafts.start("# the same\none", LINE, "ruth", LATER)
    assert await drafts.of_version(LINE.content_hash) == latest
    assert await drafts.of_version("c" * 64) is None


async def test_a_result_counts_for_the_rules_it_was_found_with(records: Database):
    results, others = ProtocolResults(records, "rules"), ProtocolResults(records, "other rules")
    found = Found("proof", "k", "a" * 64, {"proved": True}, "iris", NOW)
    await results.keep(Found("proof", "k", "a" * 64, {"proved": False}, "iris", NOW))
    await results.keep(found)
    assert await results.get("proof", "k") == found == await results.latest("proof", "a" * 64)
    assert await others.get("proof", "k") is None
    assert await results.get("tests", "k") is None


async def test_one_run_by_hand_for_each_person(records: Database):
    drafts, runs = ProtocolDrafts(records), Simulations(records)
    made = await drafts.start("one", NONE, "iris", NOW)
    await runs.keep(made.draft_id, "iris", {"entries": [1]}, NOW)
    await runs.keep(made.draft_id, "iris", {"entries": [1, 2]}, NOW)
    assert await runs.get(made.draft_id, "iris") == {"entries": [1, 2]}
    assert await runs.get(made.draft_id, "ruth") is None
    await runs.keep(made.draft_id, "iris", None, NOW)
    assert await runs.get(made.draft_id, "iris") is None
