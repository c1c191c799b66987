"""How long records are kept: seven years, minors longer, policies six years; a hold stops everything."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from audit.database import Database
from audit.holds import hold, lift
from audit.keys import destroy
from audit.publications import Publications
from audit.retention import Kept, after, kept, later, policies
from audit.store import Store
from audit.verify import Verifier
from protocol import commands as c
from protocol.publishing import Publication
from protocol.spec import ProtocolSpec
from tests.audit.bundles import KEYS, keep
from tests.audit.records import RING, START
from tests.protocol.specs import protocol
from tests.protocol.story import START as OPENED
from tests.protocol.story import Story

AGED: ProtocolSpec = protocol(
    facts={
        **{name: fact.model_dump(mode="json", exclude_defaults=True) for name, fact in protocol().facts.items()},
        "age": {"ask": "Age?", "type": "number", "minimum": 0, "maximum": 120},
    },
    closing={"roles": ["therapist"], "outcomes": {"done": {"title": "Done"}}},
)
"""The compact protocol, with an age, and an end that is always open."""


async def closed(store: Store, age: int | None = None) -> Story:
    story = Story.begun(AGED)
    if age is not None:
        story.answer(age=age)
    await keep(store, AGED, ended(story))
    return story


def ended(story: Story) -> Story:
    """Led to its end."""
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    story.do(c.Advance, to="follow_up")
    story.contact()
    story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    for owed in list(story.episode.obligations.values()):
        story.do(c.Waive, by="ruth", role="supervisor", obligation_id=owed.obligation_id, reason="over")
    story.do(c.CloseEpisode, outcome="done", reason="over")
    return story


async def unknown(_client_ref: str) -> date | None:
    return None


async def one(records: Database, born: date | None = None) -> Kept:
    async def birthday(_client_ref: str) -> date | None:
        return born

    (found,) = await kept(records, RING, birthday)
    return found


def day(moment: datetime, years: int) -> date:
    """The day after so many years."""
    return moment.date().replace(year=moment.year + years) + timedelta(days=1)


async def test_an_adult_is_kept_seven_years_from_the_last_entry(store: Store, records: Database):
    story = await closed(store, age=44)
    assert story.episode.closed_at is not None
    found = await one(records)
    assert (found.until, found.why) == (day(OPENED, 7), "7 years from the last entry")
    assert not found.due(date(2033, 11, 30))
    assert found.due(day(OPENED, 7))


async def test_a_minor_is_kept_seven_years_from_turning_eighteen(store: Store, records: Database):
    await closed(store, age=15)
    assert (await one(records)).until == day(OPENED, 3 + 7)
    assert (await one(records)).why == "7 years from the 18th birthday, by the age that was written down"
    born = await one(records, date(2012, 2, 29))
    assert (born.until, born.why) == (date(2037, 3, 2), "7 years from the 18th birthday, by the date of birth")
    assert (await one(records, date(1980, 5, 1))).until == day(OPENED, 7)


async def test_an_unknown_age_keeps_the_longest(store: Store, records: Database):
    await closed(store)
    found = await one(records)
    assert (found.until, found.why) == (day(OPENED, 25), "7 years from the 18th birthday, no age is known")


async def test_an_open_episode_a_hold_and_a_destroyed_key_are_never_due(store: Store, records: Database):
    await keep(store, AGED, Story.begun(AGED))
    assert ((await one(records)).until, (await one(records)).why) == (None, "an episode is open")
    story = await closed(store, age=44)
    assert story.engine.rows
    await hold(records, "client-1", "ada", "subpoena", START)
    held = await one(records)
    assert held.hold is not None
    assert not held.due(date(2100, 1, 1))
    await lift(records, "client-1", "ada", "over", OPENED)
    assert (await one(records)).due(date(2100, 1, 1))
    await destroy(records, "client-1", START)
    gone = await one(records)
    assert (gone.destroyed, gone.due(date(2100, 1, 1))) == (True, False)
    verdict = await Verifier(records, RING).episode("ep-1")
    assert (verdict.fault, verdict.unreadable) == (None, verdict.rows)


async def test_a_protocol_is_kept_six_years_from_when_it_was_last_in_effect(store: Store, records: Database):
    await keep(store, AGED, Story.begun(AGED))
    assert [(found.name, found.until, found.why) for found in await policies(records, OPENED)] == [
        ("compact", None, "an open episode runs under it")
    ]


async def test_a_closed_episode_ends_the_effect_of_its_protocol(records: Database):
    await closed(Store(records, RING, clock=lambda: OPENED), age=44)
    assert [found.until for found in await policies(records, OPENED)] == [day(OPENED, 6)]


@pytest.mark.parametrize("hour", [0, 7, 8, 12, 23])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "America/Los_Angeles", "Etc/GMT+12"])
@pytest.mark.parametrize("last", [date(2024, 2, 29), date(2026, 12, 31), date(2027, 1, 1), date(2026, 3, 8)])
def test_wherever_the_practice_is_seven_whole_years_pass(last: date, zone: str, hour: int):
    """From the hour of the last entry on the practice's clock, to the first moment of the day in UTC."""
    entry = datetime.combine(last, time(hour, 59, 59), ZoneInfo(zone))
    hour_then = time() if last.day == 29 else entry.time()  # seven years from a leap day have passed when March begins
    whole = datetime.combine(later(last, 7), hour_then, ZoneInfo(zone))
    first = datetime.combine(after(entry.astimezone(UTC).date(), 7), time(), UTC)
    assert whole <= first <= whole + timedelta(days=3)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("born", [date(2008, 2, 29), date(2008, 3, 1), date(2009, 12, 31)])
def test_a_minor_is_kept_until_seven_years_after_the_birthday_has_begun_there(born: date, zone: str):
    birthday = datetime.combine(later(born, 18 + 7), time(), ZoneInfo(zone))
    assert birthday <= datetime.combine(after(later(born, 18), 7), time(), UTC) <= birthday + timedelta(days=3)


async def test_a_mistyped_age_makes_no_minor_an_adult(store: Store, records: Database):
    story = Story.begun(AGED)
    story.answer(age=61)
    story.answer(age=16)
    await keep(store, AGED, ended(story))
    assert (await one(records)).until == day(OPENED, 2 + 7)


def test_a_day_that_a_year_does_not_have_becomes_the_next():
    assert later(date(2024, 2, 29), 7) == date(2031, 3, 1)
    assert later(date(2024, 2, 29), 4) == date(2028, 2, 29)


async def test_a_version_that_nobody_used_is_kept_six_years_from_when_it_left_effect(records: Database):
    older, newer = protocol(version="1.0.0"), protocol(version="2.0.0")
    publications = Publications(records, KEYS, clock=lambda: OPENED)
    for spec, begins in ((older, OPENED), (newer, OPENED + timedelta(days=400))):
        about = (OPENED, spec.protocol, spec.version, spec.content_hash, "dora", "supervisor")
        done = Publication("published", *about, effective_at=begins)
        assert await publications.add(spec, lambda _, done=done: done) == done
    during = {one.version: one.until for one in await policies(records, OPENED + timedelta(days=10))}
    assert during == {"1.0.0": None, "2.0.0": None}, "one is in effect, the other is scheduled"
    then = {one.version: (one.until, one.why) for one in await policies(records, OPENED + timedelta(days=500))}
    left = (OPENED + timedelta(days=400)).date()
    assert then["1.0.0"][0] == left.replace(year=left.year + 6) + timedelta(days=1)
    assert "last in effect for new episodes" in then["1.0.0"][1]
    assert then["2.0.0"] == (None, "it is in effect")
