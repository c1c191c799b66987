"""The rota is held against the ladders by itself: what it finds is kept, and said once. Real records, real rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.database import Database
from audit.publications import Publications
from audit.relied_on import ReliedOn
from audit.signatures import SigningKeys
from audit.store import Store
from practice.roster_gaps import RosterGaps
from practice.roster_watch import AHEAD, MOST_NAMED, RosterWatch
from practice.rotas import Rotas, new_change
from protocol.publishing import Publication
from protocol.rota import Rota, parse_rota
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol
from tests.audit.records import RING, rows, summary
from tests.practice.test_rotas import ZONE, File

NOON = datetime(2026, 12, 1, 20, tzinfo=UTC)
"""A Tuesday, 12:00 in the zone of the rota."""
DAY = timedelta(days=1)
LICENSED = {"licensed": True, "licensed_in": ["CA"]}
MINIMAL = load_protocol(Path(__file__).parents[1] / "specs" / "minimal.yaml")


def staff(**more: Any) -> Rota:
    people = [
        {"id": "ben", "name": "Ben", "roles": ["supervisor"], "email": "ben@staff.example", **LICENSED},
        {"id": "tess", "name": "Tess", "roles": ["therapist"], "email": "tess@staff.example", **LICENSED},
        {"id": "ola", "name": "Ola", "roles": ["coordinator"], "email": "ola@staff.example"},
    ]
    return parse_rota({"people": people, **more})


def away(person: str, first: str, last: str) -> dict[str, Any]:
    return {"leave": [{"person": person, "first": first, "last": last}]}


CHRISTMAS = away("ola", "2026-12-24", "2026-12-26")


class Heard:
    """Who is told: writes it down; nobody is reached while it is `down`."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.down = False

    async def __call__(self, subject: str, text: str) -> bool:
        if not self.down:
            self.said.append((subject, text))
        return not self.down


class House:
    """A rota, records, and the watch over them."""

    def __init__(self, records: Database, rota: Rota) -> None:
        self.file, self.heard, self.found = File(rota), Heard(), RosterGaps(records)
        self.rotas, self.specs = Rotas(self.file, records), [MINIMAL]
        self.again()

    def again(self) -> None:
        """As after a restart."""
        self.watch = RosterWatch(self.rotas, self._relied_on, self.found, self.heard)

    async def _relied_on(self, _begins: datetime, _ends: datetime) -> Sequence[ProtocolSpec]:
        return self.specs

    async def told(self, now: datetime) -> list[str]:
        """The subjects of what is said at a look."""
        before = len(self.heard.said)
        await self.watch.look(now)
        return [subject for subject, _ in self.heard.said[before:]]


async def test_a_rota_without_gaps_is_no_news(records: Database):
    house = House(records, staff())
    assert await house.told(NOON) == []
    assert await house.found.ahead(NOON) == ()


async def test_a_gap_is_said_once_and_kept(records: Database):
    house = House(records, staff(**CHRISTMAS))
    assert await house.told(NOON) == ["Nobody would answer: 1 gap in the rota"]
    ((_, text),) = house.heard.said
    assert "From Thu 24 Dec 2026 00:00 until Sun 27 Dec 2026 00:00 a page to coordinator reaches nobody" in text
    assert "name a cover for Ola" in text
    (kept,) = await house.found.ahead(NOON)
    assert (kept.role, kept.told_at, kept.goes_on) == ("coordinator", NOON, False)
    assert any("rung" in one for one in kept.rungs)
    for later in (timedelta(minutes=1), DAY, 2 * DAY):
        assert await house.told(NOON + later) == []
    house.again()
    assert await house.told(NOON + 3 * DAY) == []
    (kept,) = await house.found.ahead(NOON)
    assert kept.told_at == NOON


async def test_a_change_of_the_rota_is_looked_at_at_once(records: Database):
    house = House(records, staff())
    await house.told(NOON)
    change = new_change("add", "leave", {"person": "ola", "first": "2026-12-10", "last": "2026-12-10"}, "ben", NOON)
    await house.rotas.save(change)
    minute = NOON + timedelta(minutes=1)
    assert await house.told(minute) == ["Nobody would answer: 1 gap in the rota"]
    await house.rotas.undo(change.change_id, "ben", minute)
    assert await house.told(minute) == []
    assert await house.found.ahead(minute) == ()
    house.file.rota = staff(**away("ola", "2026-12-10", "2026-12-10"))
    assert await house.told(minute) == ["Nobody would answer: 1 gap in the rota"], "it was mended, and is back"


async def test_a_new_day_brings_what_lies_further_ahead(records: Database):
    far = (NOON + AHEAD + DAY).astimezone(ZONE).date().isoformat()
    house = House(records, staff(**away("ola", far, far)))
    assert await house.told(NOON) == []
    assert await house.told(NOON + timedelta(hours=11)) == [], "the same day"
    assert await house.told(NOON + DAY) == ["Nobody would answer: 1 gap in the rota"]


async def test_another_version_that_counts_is_looked_at_at_once(records: Database):
    house = House(records, staff(**CHRISTMAS))
    pages_supervisors, house.specs = house.specs, []
    assert await house.told(NOON) == []
    house.specs = pages_supervisors
    assert len(await house.told(NOON)) == 1


async def test_a_gap_that_grows_is_said_again(records: Database):
    house = House(records, staff(**CHRISTMAS))
    await house.told(NOON)
    house.file.rota = staff(**away("ola", "2026-12-24", "2026-12-27"))
    assert len(await house.told(NOON)) == 1
    house.file.rota = staff(**away("ola", "2026-12-25", "2026-12-26"))
    assert await house.told(NOON) == [], "one that shrinks is known"


async def test_a_gap_that_went_on_where_the_search_ended_is_not_said_again(records: Database):
    house = House(records, staff(**away("ola", "2026-12-24", "2027-02-20")))
    assert len(await house.told(NOON)) == 1
    (kept,) = await house.found.ahead(NOON)
    assert kept.goes_on
    assert "until" not in house.heard.said[0][1]
    assert await house.told(NOON + DAY) == []
    (kept,) = await house.found.ahead(NOON)
    assert kept.ends == NOON + DAY + AHEAD


async def test_a_hole_of_each_night_is_not_said_anew_each_day(records: Database):
    days = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "begins": "08:00", "ends": "22:00"}
    shift = {"role": "coordinator", "person": "ola", "weekly": {**days, "on_holidays": True}}
    house = House(records, staff(shifts=[shift]))
    assert await house.told(NOON) == [f"Nobody would answer: {AHEAD.days} gaps in the rota"]
    assert f"… and {AHEAD.days - MOST_NAMED} more" in house.heard.said[0][1]
    assert await house.told(NOON + DAY) == []
    assert await house.told(NOON + 2 * DAY) == []
    evening = {**days, "days": days["days"][:-1], "ends": "21:00"}
    house.file.rota = staff(shifts=[{**shift, "weekly": {**evening, "on_holidays": True}}])
    assert len(await house.told(NOON + 2 * DAY)) == 1, "what arises within the time that was searched is news"


async def test_at_night_only_what_is_near_wakes_people(records: Database):
    house, midnight = House(records, staff(**CHRISTMAS)), NOON + timedelta(hours=12)
    assert await house.told(midnight) == []
    assert len(await house.found.ahead(midnight)) == 1, "the board shows it all the same"
    house.file.rota = staff(leave=[*CHRISTMAS["leave"], *away("ola", "2026-12-02", "2026-12-02")["leave"]])
    assert await house.told(midnight) == ["Nobody would answer: 1 gap in the rota"]
    assert await house.told(midnight + timedelta(hours=8)) == ["Nobody would answer: 1 gap in the rota"]


async def test_who_could_not_be_told_is_told_at_the_next_look(records: Database):
    house = House(records, staff(**CHRISTMAS))
    house.heard.down = True
    assert await house.told(NOON) == []
    house.heard.down = False
    assert len(await house.told(NOON + timedelta(minutes=1))) == 1


# Which versions count


def publication(spec: ProtocolSpec, effective_at: datetime) -> Publication:
    about = (spec.protocol, spec.version, spec.content_hash)
    return Publication("published", NOON, *about, "ben", "supervisor", effective_at=effective_at)


@pytest.mark.parametrize(
    ("effective", "counts"),
    [(NOON - DAY, True), (NOON + DAY, True), (NOON + AHEAD + DAY, False)],
    ids=["in effect", "soon", "later than is searched"],
)
async def test_versions_in_effect_now_or_soon_count(records: Database, effective: datetime, counts: bool):
    spec = MINIMAL
    books = Publications(records, SigningKeys([("s1", b"s" * 32)]))
    await books.add(spec, lambda _: publication(spec, effective))
    found = await ReliedOn(records).between(NOON, NOON + AHEAD)
    assert [one.content_hash for one in found] == ([spec.content_hash] if counts else [])
    assert await ReliedOn(records).published() == {spec.protocol}


async def test_a_version_with_open_episodes_counts_until_they_are_closed(records: Database):
    spec, store = MINIMAL, Store(records, RING)
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(rows(1), summary(1, protocol_hash=spec.content_hash))
    versions = ReliedOn(records)
    assert [one.content_hash for one in await versions.between(NOON, NOON + AHEAD)] == [spec.content_hash]
    head = await store.head("ep-1")
    await store.append(rows(1, head=head), summary(2, protocol_hash=spec.content_hash, closed_at=NOON))
    assert await versions.between(NOON, NOON + AHEAD) == ()
