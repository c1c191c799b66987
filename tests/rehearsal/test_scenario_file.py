"""What a scenario file may say, and how its times are read."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from protocol.local_time import show_span, show_time, to_utc
from rehearsal.scenario import COMMANDS, Entry, Scenario

LA = ZoneInfo("America/Los_Angeles")
NOON = datetime(2026, 12, 1, 20, 0, tzinfo=UTC)  # 12:00 in Los Angeles


def minimal(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "scenario": "quiet_day",
        "title": "A quiet day",
        "protocol": "virtual_iop_crisis",
        "starts": "2026-12-01 14:05",
        "people": {"mara": "therapist"},
        "open": {"by": "mara"},
        "steps": [{"at": "+15m", "wait": "yes"}],
    }
    return document | changes


def entry(**keys: Any) -> Entry:
    return Entry.model_validate({"at": "14:20", "by": "mara"} | keys)


def test_a_minimal_scenario_is_read() -> None:
    assert Scenario.model_validate(minimal()).steps[0].wait == "yes"


@pytest.mark.parametrize(
    "broken",
    [
        {"steps": []},
        {"starts": "14:05"},
        {"people": {}},
        {"surprise": "yes"},
        {"scenario": "Not A Name"},
        {"steps": [{"at": "half past two", "wait": "yes"}]},
        {"steps": [{"at": "+0m", "wait": "yes"}]},
        {"steps": [{"at": "+15m", "wait": True}]},
        {"rota": {"people": []}},
    ],
)
def test_a_malformed_scenario_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate(minimal(**broken))


def test_every_command_a_person_may_send_can_be_written() -> None:
    assert len(COMMANDS) == 19
    assert "complete_step" in COMMANDS


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"do": "complete_stp", "step": "x"}, "complete_step"),
        ({"do": "complete_step"}, "complete_step needs step"),
        ({"do": "advance", "reason": "x"}, "advance takes no reason; it takes to"),
        ({"do": "open_episode"}, "nobody can do `open_episode`"),
        ({"do": "advance", "by": None}, "nobody is named who does it"),
        ({"wait": "yes"}, "takes only"),
        ({"by": None}, "nothing is done here"),
    ],
)
def test_an_entry_that_fits_no_command_says_what_to_write(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        entry(**keys)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-12-01 14:05", "2026-12-01T22:05:00+00:00"),
        ("2026-07-01 14:05", "2026-07-01T21:05:00+00:00"),
        ("2026-12-01T14:05Z", "2026-12-01T14:05:00+00:00"),
        ("14:20", "2026-12-01T22:20:00+00:00"),
        ("14:20:30", "2026-12-01T22:20:30+00:00"),
        ("+15m", "2026-12-01T20:15:00+00:00"),
        ("+24h", "2026-12-02T20:00:00+00:00"),
    ],
)
def test_times_are_local_unless_they_say_otherwise(written: str, expected: str) -> None:
    assert to_utc(written, LA, NOON).isoformat() == expected


def test_a_relative_day_keeps_the_wall_clock_over_the_clock_change() -> None:
    saturday_noon = to_utc("2026-10-31 12:00", LA)
    assert to_utc("+1d", LA, saturday_noon) - saturday_noon == timedelta(hours=25)
    assert to_utc("+24h", LA, saturday_noon) - saturday_noon == timedelta(hours=24)


@pytest.mark.parametrize(
    ("written", "why"),
    [("2026-03-08 02:30", "does not exist"), ("2026-11-01 01:30", "happens twice"), ("2026-02-30 10:00", "not a time")],
)
def test_a_time_that_is_not_one_moment_is_refused_with_a_remedy(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"{why}.*write"):
        to_utc(written, LA)


@pytest.mark.parametrize("written", ["9999-12-31 23:59", "+99999d", "+99999h"])
def test_a_time_beyond_the_calendar_is_told(written: str) -> None:
    with pytest.raises(ValueError, match="too far ahead; "):
        to_utc(written, LA, NOON.replace(year=2995))


def test_a_bare_time_needs_a_day() -> None:
    with pytest.raises(ValueError, match="needs a day"):
        to_utc("14:20", LA)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        (0, "12:00"),
        (1, "13:00"),
        (24, "Wed 2 Dec 12:00"),
        (24 * 40, "Sun 10 Jan 2027 12:00"),
        (-13, "Mon 30 Nov 23:00"),
    ],
)
def test_times_are_shown_as_briefly_as_is_clear(hours: int, shown: str) -> None:
    assert show_time(NOON + timedelta(hours=hours), LA, NOON) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (45, "45 s"),
        (60, "1 min"),
        (-720, "12 min"),
        (3 * 3600 + 300, "3 h 5 min"),
        (24 * 3600, "24 h"),
        (52 * 3600, "2 d 4 h"),
    ],
)
def test_spans_are_shown_in_two_units(seconds: int, shown: str) -> None:
    assert show_span(timedelta(seconds=seconds)) == shown
