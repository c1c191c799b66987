from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocol.rota import able_to_own, parse_rota, present_for, resolve

LOCAL = ZoneInfo("America/Los_Angeles")


def person(name: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name.title(), "roles": list(roles), "email": f"{name}@example.test", **more}


PEOPLE = [
    person("maya", "therapist", "on_call"),
    person("sam", "therapist", "on_call"),
    person("ruth", "supervisor"),
    person("noor", "supervisor", time_zone="America/New_York"),
]
DAY = {"days": ["mon", "tue", "wed", "thu", "fri"], "begins": "08:00", "ends": "20:00"}
NIGHT = {"days": ["mon", "tue", "wed", "thu", "fri"], "begins": "20:00", "ends": "08:00"}


def rota(**more: Any) -> Any:
    return parse_rota({"people": PEOPLE, **more})


def at(text: str, zone: ZoneInfo = LOCAL) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def names(found: list[Any]) -> list[str]:
    return [one.id for one in found]


def test_a_role_without_shifts_is_answered_by_everybody_who_has_it():
    assert names(resolve(rota(), "supervisor", at("2026-12-01 03:00"))) == ["ruth", "noor"]


def test_weekly_shifts_follow_the_wall_clock_over_midnight():
    staff = rota(
        shifts=[
            {"role": "on_call", "person": "maya", "weekly": DAY},
            {"role": "on_call", "person": "sam", "weekly": NIGHT},
        ]
    )
    assert names(resolve(staff, "on_call", at("2026-12-01 08:00"))) == ["maya"]
    assert names(resolve(staff, "on_call", at("2026-12-01 20:00"))) == ["sam"]
    assert names(resolve(staff, "on_call", at("2026-12-02 07:59"))) == ["sam"]
    assert names(resolve(staff, "on_call", at("2026-12-05 03:00"))) == ["sam"], "Friday's night ends on Saturday"
    assert resolve(staff, "on_call", at("2026-12-05 12:00")) == [], "nobody on Saturday"
    assert resolve(staff, "on_call", at("2026-12-07 07:59")) == [], "Sunday's night is nobody's"


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)))  # noqa: DTZ001 (wall clock)
def test_round_the_clock_shifts_leave_no_gap_at_any_change_of_the_clocks(moment: datetime):
    every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    staff = rota(
        shifts=[
            {"role": "on_call", "person": "maya", "weekly": {**DAY, "days": every_day}},
            {"role": "on_call", "person": "sam", "weekly": {**NIGHT, "days": every_day}},
        ]
    )
    assert len(resolve(staff, "on_call", moment.replace(tzinfo=UTC))) == 1


def test_a_shift_once_begins_and_ends_on_the_moment():
    once = {"begins": "2026-12-24T18:00:00-08:00", "ends": "2026-12-25T06:00:00-08:00"}
    staff = rota(shifts=[{"role": "on_call", "person": "sam", **once}])
    assert names(resolve(staff, "on_call", at("2026-12-24 18:00"))) == ["sam"]
    assert resolve(staff, "on_call", at("2026-12-25 06:00")) == []


def test_the_cover_of_the_owner_is_paged_while_the_owner_is_on_leave():
    staff = rota(leave=[{"person": "maya", "first": "2026-12-07", "last": "2026-12-18", "cover": "sam"}])
    assert names(resolve(staff, "owner", at("2026-12-06 23:59"), person="maya")) == ["maya"]
    assert names(resolve(staff, "owner", at("2026-12-07 00:00"), person="maya")) == ["sam"]
    assert names(resolve(staff, "owner", at("2026-12-18 23:59"), person="maya")) == ["sam"]
    assert names(resolve(staff, "owner", at("2026-12-19 00:00"), person="maya")) == ["maya"]


def test_whoever_was_offered_the_episode_is_paged_like_the_owner():
    assert names(resolve(rota(), "addressee", at("2026-12-08 09:00"), person="sam")) == ["sam"]


def test_an_episode_goes_only_to_somebody_with_a_role_that_may_own_it():
    roles = {role for person in rota().people for role in person.roles}
    assert able_to_own(rota(), ()) == ()
    assert able_to_own(rota(), roles) == tuple(rota().people)
    able = able_to_own(rota(), ["therapist"])
    assert able
    assert all("therapist" in person.roles for person in able)


def test_leave_counts_in_the_days_of_the_person():
    staff = rota(leave=[{"person": "noor", "first": "2026-12-07", "last": "2026-12-07"}])
    assert names(resolve(staff, "supervisor", at("2026-12-07 20:59"))) == ["ruth"]
    assert names(resolve(staff, "supervisor", at("2026-12-07 21:00"))) == ["ruth", "noor"], "midnight in New York"


def test_nobody_is_found_when_the_owner_is_away_without_cover_or_unknown():
    staff = rota(leave=[{"person": "maya", "first": "2026-12-07", "last": "2026-12-18"}])
    assert resolve(staff, "owner", at("2026-12-08 09:00"), person="maya") == []
    assert resolve(staff, "owner", at("2026-12-08 09:00"), person="nobody") == []
    assert resolve(staff, "owner", at("2026-12-08 09:00")) == []
    assert resolve(staff, "no_such_role", at("2026-12-08 09:00")) == []


def test_covers_on_leave_are_followed_and_a_ring_of_covers_ends():
    days = {"first": "2026-12-07", "last": "2026-12-18"}
    staff = rota(leave=[{"person": "maya", "cover": "sam", **days}, {"person": "sam", "cover": "ruth", **days}])
    assert names(resolve(staff, "owner", at("2026-12-08 09:00"), person="maya")) == ["ruth"]
    ring = rota(leave=[{"person": "maya", "cover": "sam", **days}, {"person": "sam", "cover": "maya", **days}])
    assert resolve(ring, "owner", at("2026-12-08 09:00"), person="maya") == []


def test_one_person_is_paged_once_even_when_standing_in_for_another():
    days = {"first": "2026-12-07", "last": "2026-12-18"}
    staff = rota(leave=[{"person": "ruth", "cover": "noor", **days}])
    assert names(resolve(staff, "supervisor", at("2026-12-08 09:00"))) == ["noor"]


@given(st.lists(st.tuples(st.sampled_from(range(4)), st.sampled_from(range(4)), st.integers(0, 20)), max_size=12))
def test_whoever_is_found_is_never_on_leave(leaves: list[tuple[int, int, int]]):
    start = datetime(2026, 12, 1, tzinfo=UTC).date()
    staff = rota(
        leave=[
            {
                "person": PEOPLE[who]["id"],
                "first": start.isoformat(),
                "last": (start + timedelta(days=length)).isoformat(),
                **({"cover": PEOPLE[cover]["id"]} if cover != who else {}),
            }
            for who, cover, length in leaves
        ]
    )
    moment = at("2026-12-05 12:00")
    for found in resolve(staff, "therapist", moment) + resolve(staff, "supervisor", moment):
        assert present_for(staff, found, moment) == found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"people": []}, "at least 1"),
        ({"people": [*PEOPLE, PEOPLE[0]]}, "the same id"),
        ({"people": [person("maya", "therapist", email="not an address")]}, "email"),
        ({"people": [person("maya", "therapist", phone="555")]}, "phone"),
        ({"time_zone": "Mars/Olympus"}, "not a time zone"),
        ({"shifts": [{"role": "on_call", "person": "zoe", "weekly": DAY}]}, "'zoe', who is not among"),
        ({"shifts": [{"role": "on_call", "person": "ruth", "weekly": DAY}]}, "but lacks the role"),
        ({"shifts": [{"role": "on_call", "person": "sam"}]}, "either `weekly` or both"),
        (
            {"shifts": [{"role": "on_call", "person": "sam", "begins": "2026-12-01T00:00:00-08:00"}]},
            "either `weekly`",
        ),
        (
            {"shifts": [{"role": "on_call", "person": "sam", "begins": "2026-12-01T00:00:00", "ends": "x"}]},
            "shifts.0.begins",
        ),
        ({"leave": [{"person": "zoe", "first": "2026-12-01", "last": "2026-12-02"}]}, "'zoe'"),
        ({"leave": [{"person": "sam", "first": "2026-12-03", "last": "2026-12-02"}]}, "not before the first"),
        (
            {"leave": [{"person": "sam", "first": "2026-12-01", "last": "2026-12-02", "cover": "sam"}]},
            "themselves",
        ),
        (
            {"leave": [{"person": "sam", "first": "2026-12-01", "last": "2026-12-02", "cover": "zoe"}]},
            "'zoe'",
        ),
    ],
)
def test_a_wrong_rota_is_refused_with_its_place(change: dict[str, Any], says: str):
    with pytest.raises(ValidationError) as refused:
        rota(**change)
    places = [".".join(map(str, problem["loc"])) + problem["msg"] for problem in refused.value.errors()]
    assert any(says in place for place in places), places
