"""How long records are kept: seven years, minors longer, policies six years; a hold stops everything."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from audit.database import Database
from audit.holds import hold, lift
from audit.keys import destroy
from audit.publications import Publications
from audit.retention import Kept, kept, later, policies
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
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    story.do(c.Advance, to="follow_up")
    story.contact()
    story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    for owed in list(story.episode.obligations.values()):
        story.do(c.Waive, by="ruth", role="supervisor", obligation_id=owed.obligation_id, reason="over")
    story.do(c.CloseEpisode, outcome="done", reason="over")
    await keep(store, AGED, story)
    return story


async def unknown(_client_ref: str) -> date | None:
    return None


async def one(records: Database, born: date | None = None) -> Kept:
    async def birthday(_client_ref: str) -> date | None:
        return born

    (found,) = await kept(records, RING, birthday)
    return found


def day(moment: datetime, years: int) -> date:
    return moment.date().replace(year=moment.year + years)


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
    assert (born.until, born.why) == (date(2037, 3, 1), "7 years from the 18th birthday, by the date of birth")
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
    after = {one.version: (one.until, one.why) for one in await policies(records, OPENED + timedelta(days=500))}
    ended = (OPENED + timedelta(days=400)).date()
    assert after["1.0.0"][0] == ended.replace(year=ended.year + 6)
    assert "last in effect for new episodes" in after["1.0.0"][1]
    assert after["2.0.0"] == (None, "it is in effect")
