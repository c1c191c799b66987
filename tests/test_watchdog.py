"""The watchdog on real records: silent engine, blind watchdog, over again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import OperationalError

from activities.mail import Mailer
from activities.notices import NotDeliveredError, Notice
from audit.checkpoints import Checkpointer, vouched
from audit.database import Database, connect
from audit.migrate import upgrade
from audit.outside import KeptFile, read_kept
from audit.queries import Queries, Unattended
from audit.signatures import CheckpointError, SigningKeys
from audit.store import Store
from practice.roster_gaps import RosterGaps
from practice.roster_watch import RosterWatch
from protocol.rota import Person, Rota, parse_rota
from protocol.trail import genesis
from settings import load
from tests.activities.providers import mail_server
from tests.audit.records import RING, event_row, owed, rows, sqlite_url, summary
from watchdog import BLIND, PAGE_AGAIN, SIGN_ROWS, Caller, Watchdog, roster_watch, sign, watch_roster

GRACE = timedelta(seconds=60)
DUE = datetime(2026, 12, 5, 3, 0, tzinfo=UTC)
ROTA = parse_rota(
    {
        "people": [
            {"id": "ruth", "name": "Ruth", "roles": ["supervisor"], "email": "ruth@example.test"},
            {"id": "maya", "name": "Maya", "roles": ["therapist"], "email": "maya@example.test"},
        ],
        "shifts": [
            {"role": "supervisor", "person": "ruth", "weekly": {"days": ["mon"], "begins": "09:00", "ends": "10:00"}}
        ],
    }
)


class FixedRota:
    async def current(self) -> Rota:
        return ROTA


class Pager:
    """A channel that writes down whom it told; refuses while it is `down`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[str, ...]]] = []
        self.down = False

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        if self.down:
            raise NotDeliveredError("the pager is down", final=False)
        self.told.append((notice.type, tuple(person.id for person in people)))


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    url = sqlite_url(tmp_path)
    upgrade(url)
    database = connect(url)
    yield database
    await database.dispose()


async def keep(records: Database, revision: int, **changes: object) -> None:
    """Write the episode as it is at a revision, with one open obligation, or with none."""
    store = Store(records, RING)
    head = await store.head("ep-1")
    owes = (replace(owed(), **changes),) if changes else ()
    at = summary(revision, obligations=owes)
    await store.append(rows(revision - head.sequence, head=head if head.sequence else genesis("ep-1")), at)


def watchdog(records: Database, pager: Pager) -> Watchdog:
    return Watchdog(Queries(records, RING), FixedRota(), {"pager": pager}, "supervisor", GRACE)


async def test_a_deadline_that_the_engine_sees_to_is_no_trouble(records: Database):
    pager = Pager()
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    assert await watchdog(records, pager).look(DUE + GRACE) is None
    assert pager.told == []


async def test_a_deadline_that_waits_longer_than_the_grace_calls_people_even_off_shift(records: Database):
    pager = Pager()
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    trouble = await watchdog(records, pager).look(DUE + GRACE + timedelta(seconds=1))
    assert trouble is not None
    assert trouble.type == "watchdog.silent"
    assert "1 deadlines" in trouble.subject
    assert pager.told == [("watchdog.silent", ("ruth",))]


async def test_a_page_that_should_have_left_counts_too(records: Database):
    pager = Pager()
    await keep(records, 1, due_at=DUE, missed=True, next_page_at=DUE + timedelta(minutes=15))
    dog = watchdog(records, pager)
    assert await dog.look(DUE + timedelta(minutes=16)) is None
    assert await dog.look(DUE + timedelta(minutes=16, seconds=1)) is not None


async def page(records: Database, number: int, reported: datetime | None, *, delivered: bool = False) -> None:
    """A page about the open obligation, and what was said of it; the obligation stays as it is."""
    store = Store(records, RING)
    told = {"obligation_id": "ob-1", "rung": 0, "role": "owner", "channels": ["email"], "page_id": f"p{number}"}
    report = {"page_id": f"p{number}", "delivered": delivered, "recipients": [], "detail": ""}
    happened = [("PageRequested", told)] + ([("PageReported", report)] if reported else [])
    for kind, event in happened:
        head = await store.head("ep-1")
        row = event_row(head, kind, event, at=reported or DUE)
        await store.append([row], summary(row.sequence, obligations=(HELD,)))


HELD = owed(due_at=DUE, missed=True, next_page_at=DUE + timedelta(hours=8))


async def test_pages_that_reach_nobody_call_people(records: Database):
    pager = Pager()
    await keep(records, 1, due_at=DUE, missed=True, next_page_at=HELD.next_page_at)
    await page(records, 1, DUE)
    dog = watchdog(records, pager)
    assert await dog.look(DUE + GRACE) is None
    await page(records, 2, DUE + GRACE)
    trouble = await dog.look(DUE + GRACE + timedelta(seconds=1))
    assert trouble is not None
    assert trouble.type == "watchdog.unheard"
    assert "1 duties" in trouble.subject
    assert pager.told == [("watchdog.unheard", ("ruth",))]


async def test_a_page_that_was_taken_meanwhile_is_no_trouble(records: Database):
    dog = watchdog(records, Pager())
    await keep(records, 1, due_at=DUE, missed=True, next_page_at=HELD.next_page_at)
    await page(records, 1, DUE)
    await page(records, 2, DUE + timedelta(seconds=20), delivered=True)
    await page(records, 3, None)
    assert await dog.look(DUE + timedelta(hours=1)) is None
    await page(records, 3, DUE + timedelta(hours=1))
    assert await dog.look(DUE + timedelta(hours=1) + GRACE) is None
    assert await dog.look(DUE + timedelta(hours=1, seconds=1) + GRACE) is not None


async def test_whoever_says_that_they_are_on_it_ends_the_alarm(records: Database):
    dog = watchdog(records, Pager())
    await keep(records, 1, due_at=DUE, missed=True, next_page_at=HELD.next_page_at)
    await page(records, 1, DUE)
    assert await dog.look(DUE + timedelta(hours=1)) is not None
    await keep(
        records, 4, due_at=DUE, missed=True, next_page_at=DUE + timedelta(hours=2), lease_until=DUE + timedelta(hours=2)
    )
    assert await dog.look(DUE + timedelta(hours=1)) is None


async def test_it_calls_again_while_it_lasts_and_says_when_it_is_over(records: Database):
    pager, now = Pager(), DUE + timedelta(minutes=5)
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    dog = watchdog(records, pager)
    for wait in (timedelta(0), timedelta(minutes=1), PAGE_AGAIN):
        await dog.look(now + wait)
    await keep(records, 2)
    for wait in (timedelta(minutes=20), timedelta(minutes=21)):
        await dog.look(now + wait)
    assert [kind for kind, _ in pager.told] == ["watchdog.silent", "watchdog.silent", "watchdog.over"]


async def test_whoever_could_not_be_told_is_told_at_the_next_look(records: Database):
    pager, now = Pager(), DUE + timedelta(minutes=5)
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    dog, pager.down = watchdog(records, pager), True
    await dog.look(now)
    pager.down = False
    await dog.look(now + timedelta(seconds=5))
    assert pager.told == [("watchdog.silent", ("ruth",))]


class Away:
    """Records that can't be read, until they can."""

    def __init__(self) -> None:
        self.away = True

    async def unattended(self, before: datetime) -> Unattended:
        if self.away:
            raise OperationalError("select", {}, Exception("away"))
        return Unattended(0, before)

    unheard = unattended


async def test_records_that_stay_away_are_an_alarm_and_a_short_outage_is_none():
    records, pager = Away(), Pager()
    dog = Watchdog(records, FixedRota(), {"pager": pager}, "supervisor", GRACE)
    assert await dog.look(DUE) is None
    assert await dog.look(DUE + GRACE) is BLIND
    records.away = False
    assert await dog.look(DUE + GRACE * 2) is None
    assert [kind for kind, _ in pager.told] == ["watchdog.blind", "watchdog.over"]


async def test_the_call_is_a_real_mail_and_names_no_client(records: Database, tmp_path: Path):
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    async with mail_server() as server:
        settings = load({"HOLDFAST_SMTP_PORT": str(server.port), "HOLDFAST_VAR": str(tmp_path)})
        dog = Watchdog(Queries(records, RING), FixedRota(), {"email": Mailer(settings)}, "supervisor", GRACE)
        await dog.look(DUE + timedelta(hours=1))
    (mail,) = server.received
    assert mail["To"] == "ruth@example.test"
    assert "silent" in mail["Subject"]
    assert "client-1" not in mail.as_string()
    assert "ep-1" not in mail.as_string()


class Living:
    """The rota with nobody of a role that the shipped protocols page."""

    def __init__(self) -> None:
        self.zone = ZoneInfo(ROTA.time_zone)

    async def current(self) -> Rota:
        return ROTA


async def test_gaps_of_the_rota_are_mailed_once_and_name_no_client(records: Database, tmp_path: Path):
    """With nothing published, on one's own machine, the files count."""
    await keep(records, 1, due_at=DUE, next_page_at=DUE)
    noon = datetime(2026, 12, 5, 20, 0, tzinfo=UTC)
    async with mail_server() as server:
        settings = load({"HOLDFAST_SMTP_PORT": str(server.port), "HOLDFAST_VAR": str(tmp_path)})
        caller = Caller(Living(), {"email": Mailer(settings)}, "supervisor")
        for _ in range(2):
            await roster_watch(settings, records, Living(), caller).look(noon)
    (mail,) = server.received
    assert mail["To"] == "ruth@example.test"
    assert "Nobody would answer" in mail["Subject"]
    text = mail.get_content()
    assert "a page to supervisor reaches nobody: no shift of supervisor covers this" in text
    for word in ("client-1", "ep-1"):
        assert word not in text


async def test_in_production_only_what_is_published_or_open_counts(records: Database, tmp_path: Path):
    settings = load({"HOLDFAST_VAR": str(tmp_path)}).model_copy(update={"mode": "production"})
    pager = Pager()
    noon = datetime(2026, 12, 5, 20, 0, tzinfo=UTC)
    caller = Caller(Living(), {"pager": pager}, "supervisor")
    await roster_watch(settings, records, Living(), caller).look(noon)
    assert pager.told == []


async def test_the_watch_over_the_rota_goes_on_whatever_happens(records: Database):
    stop, looks = asyncio.Event(), list[int]()

    class Broken(RosterWatch):
        async def look(self, now: datetime) -> None:
            looks.append(1)
            if len(looks) == 2:
                stop.set()
            raise OperationalError("select", {}, Exception("away"))

    async def nothing(*_: object) -> Any:
        raise AssertionError

    broken = Broken(Living(), nothing, RosterGaps(records), nothing)
    await asyncio.wait_for(watch_roster(broken, stop, every=0.0), 60)
    assert len(looks) == 2


async def test_checkpoints_are_signed_at_once_and_at_the_end(records: Database):
    keys = SigningKeys([("s1", b"s" * 32)])
    store, stop, first = Store(records, RING), asyncio.Event(), asyncio.Event()
    made = rows(5)
    await store.append(made[:3], summary(3))

    class Seen(Checkpointer):
        async def make(self) -> int:
            count = await super().make()
            first.set()
            return count

    running = asyncio.create_task(sign(Seen(records, keys, lambda: DUE), stop))
    await asyncio.wait_for(first.wait(), 60)
    await store.append(made[3:], summary(5))
    stop.set()
    await asyncio.wait_for(running, 60)
    assert set((await vouched(records, keys)).marks["ep-1"]) == {3, 5}


async def test_a_thousand_rows_do_not_wait_for_the_minute(records: Database, tmp_path: Path):
    keys, store, stop = SigningKeys([("s1", b"s" * 32)]), Store(records, RING), asyncio.Event()
    made, path = rows(SIGN_ROWS + 1), tmp_path / "kept.ndjson"
    looks, covered = asyncio.Queue[int](), asyncio.Queue[int]()

    class Seen(Checkpointer):
        async def waiting(self) -> int:
            found = await super().waiting()
            looks.put_nowait(found)
            return found

        async def make(self) -> int:
            count = await super().make()
            covered.put_nowait(count)
            return count

    async def looked(count: int) -> None:
        while await asyncio.wait_for(looks.get(), 60) != count:
            pass

    await store.append(made[:1], summary(1))
    signer = Seen(records, keys, lambda: DUE)
    running = asyncio.create_task(sign(signer, stop, timedelta(hours=1), KeptFile(records, keys, path)))
    assert await asyncio.wait_for(covered.get(), 60) == 1
    await store.append(made[1:SIGN_ROWS], summary(SIGN_ROWS))
    await looked(SIGN_ROWS - 1)
    await looked(SIGN_ROWS - 1)
    assert covered.empty(), "one row less than a thousand waits for the minute"
    await store.append(made[SIGN_ROWS:], summary(SIGN_ROWS + 1))
    assert await asyncio.wait_for(covered.get(), 60) == 1
    stop.set()
    await asyncio.wait_for(running, 60)
    assert set((await vouched(records, keys)).marks["ep-1"]) == {1, SIGN_ROWS + 1}
    assert [one.statement.number for one in read_kept(path)] == [1, 2]


async def test_signing_goes_on_whatever_happens(records: Database):
    stop = asyncio.Event()
    troubles: list[Exception] = [CheckpointError("not ours")]
    asked = list[int]()

    class Broken(Checkpointer):
        async def make(self) -> int:
            asked.append(1)
            if troubles:
                raise troubles.pop()
            stop.set()
            return 0

    signer = Broken(records, SigningKeys([("s1", b"s" * 32)]), lambda: DUE)
    await asyncio.wait_for(sign(signer, stop, every=timedelta(0)), 60)
    assert len(asked) == 3, "after the trouble once more, and once at the end"
