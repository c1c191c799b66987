"""Due times on three clocks, through every change of the clocks from 2026 to 2030."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.clocks import due_at, is_working_day
from protocol.spec import WorkCalendar

PACIFIC = ZoneInfo("America/Los_Angeles")
COURT = WorkCalendar.model_validate(
    {
        "title": "Court days",
        "working_days": ["mon", "tue", "wed", "thu", "fri"],
        "holidays": {"2026-11-26": "Thanksgiving", "2026-12-25": "Christmas"},
        "source": {"grade": "A"},
    }
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PACIFIC, fold=fold).astimezone(UTC)


def shown(moment: datetime) -> str:
    return moment.astimezone(PACIFIC).strftime("%Y-%m-%d %H:%M %Z")


def transitions() -> list[datetime]:
    """The instants of 2026–2030 at which the local clock changes."""
    found = list[datetime]()
    hour = datetime(2026, 1, 1, tzinfo=UTC)
    while hour.year < 2031:
        following = hour + timedelta(hours=1)
        if hour.astimezone(PACIFIC).utcoffset() != following.astimezone(PACIFIC).utcoffset():
            found.append(following)
        hour = following
    return found


def test_the_clocks_change_twice_a_year():
    changes = transitions()
    assert len(changes) == 10
    assert datetime(2027, 3, 14, 10, tzinfo=UTC) in changes
    assert datetime(2027, 11, 7, 9, tzinfo=UTC) in changes


def test_a_day_of_elapsed_time_over_the_spring_change_ends_an_hour_later_on_the_wall():
    due = due_at("24h", local("2027-03-13 18:30"), PACIFIC)
    assert shown(due) == "2027-03-14 19:30 PDT"
    assert due == datetime(2027, 3, 15, 2, 30, tzinfo=UTC)


def test_a_day_of_elapsed_time_over_the_autumn_change_ends_an_hour_earlier_on_the_wall():
    assert shown(due_at("24h", local("2027-11-06 18:30"), PACIFIC)) == "2027-11-07 17:30 PST"


@given(moments, st.integers(1, 99_999), st.sampled_from([("s", 1), ("m", 60), ("h", 3600)]))
def test_the_safety_clock_is_elapsed_time_whatever_the_wall_shows(start: datetime, amount: int, unit: tuple[str, int]):
    assert due_at(f"{amount}{unit[0]}", start, PACIFIC) - start == timedelta(seconds=amount * unit[1])


@pytest.mark.parametrize("change", transitions(), ids=lambda change: f"{change:%Y-%m-%d}")
@pytest.mark.parametrize("before", [timedelta(minutes=1), timedelta(hours=1), timedelta(hours=23)])
def test_through_each_change_elapsed_time_stays_elapsed_and_days_end_at_local_midnight(
    change: datetime, before: timedelta
):
    start = change - before
    assert due_at("24h", start, PACIFIC) - start == timedelta(hours=24)
    today, tomorrow = (due_at(days, start, PACIFIC).astimezone(PACIFIC) for days in ("0d", "1d"))
    assert (today.hour, today.minute, tomorrow.hour, tomorrow.minute) == (0, 0, 0, 0)
    assert today.date() == start.astimezone(PACIFIC).date() + timedelta(days=1)
    assert tomorrow.date() == today.date() + timedelta(days=1)
    assert tomorrow - today in (timedelta(hours=hours) for hours in (23, 24, 25)) or tomorrow.date() > today.date()


@pytest.mark.parametrize("change", transitions(), ids=lambda change: f"{change:%Y-%m-%d}")
def test_a_local_day_with_a_change_has_23_or_25_hours(change: datetime):
    midnight = due_at("0d", change - timedelta(days=1), PACIFIC)
    length = due_at("0d", midnight, PACIFIC) - midnight
    spring = change.astimezone(PACIFIC).dst() != timedelta(0)
    assert length == timedelta(hours=23 if spring else 25)


def test_calendar_days_count_from_the_local_day_and_not_the_utc_day():
    evening = local("2026-12-01 23:59")
    assert evening.date() == date(2026, 12, 2)
    assert shown(due_at("0d", evening, PACIFIC)) == "2026-12-02 00:00 PST"
    assert shown(due_at("0d", local("2026-12-01 00:00"), PACIFIC)) == "2026-12-02 00:00 PST"
    assert shown(due_at("7d", evening, PACIFIC)) == "2026-12-09 00:00 PST"


def test_two_working_days_over_thanksgiving():
    """Wednesday 15:00 and two working days: Thursday is a holiday, Friday counts, the weekend does not."""
    assert shown(due_at("2wd", local("2026-11-25 15:00"), PACIFIC, COURT)) == "2026-11-30 15:00 PST"


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-12-01 09:00", "0wd", "2026-12-01 09:00 PST"),
        ("2026-12-01 09:00", "1wd", "2026-12-02 09:00 PST"),
        ("2026-12-04 09:00", "1wd", "2026-12-07 09:00 PST"),
        ("2026-12-05 09:00", "1wd", "2026-12-07 09:00 PST"),
        ("2026-12-06 09:00", "2wd", "2026-12-08 09:00 PST"),
        ("2026-12-24 09:00", "1wd", "2026-12-28 09:00 PST"),
        ("2027-03-12 09:00", "1wd", "2027-03-15 09:00 PDT"),
    ],
)
def test_working_days_keep_the_time_of_day(start: str, days: str, due: str):
    assert shown(due_at(days, local(start), PACIFIC, COURT)) == due


def test_without_a_calendar_monday_to_friday_are_working_days():
    assert shown(due_at("2wd", local("2026-11-25 15:00"), PACIFIC)) == "2026-11-27 15:00 PST"
    days = [date(2026, 11, 23) + timedelta(days=number) for number in range(7)]
    assert [is_working_day(day, None) for day in days] == [True] * 5 + [False] * 2


def test_the_calendar_says_which_days_are_working_days():
    weekend = COURT.model_copy(update={"working_days": ("sat", "sun")})
    days = [date(2026, 11, 23) + timedelta(days=number) for number in range(7)]
    assert [is_working_day(day, weekend) for day in days] == [False] * 5 + [True] * 2
    assert [is_working_day(day, COURT) for day in days] == [True, True, True, False, True, False, False]


@pytest.mark.parametrize("number", range(7))
def test_each_day_of_the_week_has_its_name(number: int):
    name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[number]
    only = COURT.model_copy(update={"working_days": (name,), "holidays": {}})
    week = [date(2026, 11, 23) + timedelta(days=day) for day in range(7)]
    assert [is_working_day(day, only) for day in week] == [day == number for day in range(7)]


def test_an_hour_that_does_not_exist_falls_to_the_earlier_instant():
    """02:30 on the second Sunday of March 2027 is skipped; the cautious reading is 01:30 PST."""
    every_day = COURT.model_copy(update={"working_days": ("mon", "tue", "wed", "thu", "fri", "sat", "sun")})
    due = due_at("1wd", local("2027-03-13 02:30"), PACIFIC, every_day)
    assert shown(due) == "2027-03-14 01:30 PST"


def test_an_hour_that_happens_twice_falls_to_the_first():
    every_day = COURT.model_copy(update={"working_days": ("mon", "tue", "wed", "thu", "fri", "sat", "sun")})
    due = due_at("1wd", local("2027-11-06 01:30"), PACIFIC, every_day)
    assert shown(due) == "2027-11-07 01:30 PDT"


@given(moments, st.sampled_from(["0d", "1d", "30d", "0wd", "1wd", "10wd"]))
def test_no_due_time_lies_before_its_start_by_more_than_the_skipped_hour(start: datetime, duration: str):
    due = due_at(duration, start, PACIFIC, COURT)
    assert due.tzinfo is UTC
    assert due > start - timedelta(hours=1, seconds=1)


@pytest.mark.parametrize("duration", ["", "5", "h", "1.5h", "-1h", "01h", "1y", "100000h", "1 h", "1h\n"])
def test_what_is_no_duration_is_refused(duration: str):
    with pytest.raises(ValueError, match="not a duration"):
        due_at(duration, datetime(2026, 12, 1, tzinfo=UTC), PACIFIC)
