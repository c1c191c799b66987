"""Hours in which a rung would reach nobody: found at every kind of change, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.roster import Gap, gaps, local_days, needs, owning
from protocol.rota import Rota, parse_rota, present_for, resolve
from protocol_specs.loader import load
from tests.shipped import protocol_in

ROOT = Path(__file__).parents[2]
MINIMAL = protocol_in(ROOT / "tests/specs/minimal.yaml")
LOCAL = ZoneInfo("America/Los_Angeles")
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK = local_days(date(2026, 11, 30), 1, LOCAL)


def person(name: str, *roles: str, state: str | None = "CA", **more: Any) -> dict[str, Any]:
    licence = {} if state is None else {"licensed": True, "licensed_in": [state]}
    return {"id": name, "name": name, "roles": list(roles), "email": f"{name}@example.test", **licence, **more}


STAFF = [
    person("tess", "therapist"),
    person("sue", "supervisor"),
    person("sol", "supervisor"),
    person("cor", "coordinator", state=None),
]


def found(period: tuple[datetime, datetime] = WEEK, people: Any = STAFF, **more: Any) -> list[Gap]:
    return list(gaps(parse_rota({"people": people, **more}), [MINIMAL], *period))


def told(gap: Gap) -> tuple[str, str, str]:
    begins, ends = (moment.astimezone(LOCAL).strftime("%a %d %H:%M") for moment in (gap.begins, gap.ends))
    return gap.owner or gap.role, begins, ends


def shift(person: str, begins: str, ends: str, days: Any = EVERY_DAY, **more: Any) -> dict[str, Any]:
    return {"role": "supervisor", "person": person, "weekly": {"days": days, "begins": begins, "ends": ends, **more}}


def test_a_full_staff_leaves_no_gap() -> None:
    assert found() == []


def test_an_hour_between_two_shifts_is_named_once_a_day_and_merged_over_others() -> None:
    shifts = [shift("sue", "08:00", "20:00"), shift("sol", "20:00", "23:00"), shift("sol", "01:00", "08:00")]
    one, *others = found(shifts=shifts)
    assert told(one) == ("supervisor", "Mon 30 00:00", "Mon 30 01:00")
    assert told(others[0]) == ("supervisor", "Mon 30 23:00", "Tue 01 01:00")
    assert len(others) == 7
    assert one.why == "no shift of `supervisor` covers this"
    assert "add a shift as `supervisor`: sue, sol" in one.remedy
    assert "minimal: minutes, rung 2" in one.rungs


def test_leave_without_cover_is_a_gap_and_with_cover_is_none() -> None:
    away = {"person": "sue", "first": "2026-12-02", "last": "2026-12-03"}
    shifts = [shift("sue", "00:00", "00:00")]
    gap, owner = found(shifts=shifts, leave=[away])
    assert (gap.owner, owner.owner) == ("", "sue")
    assert told(gap) == ("supervisor", "Wed 02 00:00", "Fri 04 00:00")
    assert gap.why == "sue is on leave and nobody stands in"
    assert "cover" in gap.remedy
    assert found(shifts=shifts, leave=[{**away, "cover": "sol"}]) == []
    covered_by_the_absent = [{**away, "cover": "sol"}, {"person": "sol", "first": "2026-12-03", "last": "2026-12-09"}]
    gap, *_ = found(shifts=shifts, leave=covered_by_the_absent)
    assert told(gap) == ("supervisor", "Thu 03 00:00", "Fri 04 00:00")


@pytest.mark.parametrize("state", [None, "NV"])
def test_a_role_that_needs_a_licence_is_not_filled_without_one_in_california(state: str | None) -> None:
    staff = [STAFF[0], person("sue", "supervisor", state=state), STAFF[3]]
    (gap,) = found(people=staff)
    assert told(gap) == ("supervisor", "Mon 30 00:00", "Mon 07 00:00")
    assert gap.why == "sue would be paged, without a licence in CA"
    assert "licensed_in" in gap.remedy


def test_a_licence_counts_only_when_it_is_held_and_only_where_it_is_needed() -> None:
    unheld = {**person("sue", "supervisor"), "licensed": False}
    assert [gap.role for gap in found(people=[STAFF[0], unheld, STAFF[3]])] == ["supervisor"]
    assert {need.role: need.licensed for need in needs([MINIMAL])} == {"supervisor": True, "coordinator": False}


def test_a_role_that_nobody_has_is_one_gap_over_the_whole_period() -> None:
    (gap,) = found(people=STAFF[:3])
    assert (gap.role, gap.begins, gap.ends) == ("coordinator", *WEEK)
    assert gap.why == "nobody of the staff has the role `coordinator`"


def test_an_owner_on_leave_without_cover_is_named() -> None:
    away = {"person": "tess", "first": "2026-12-01", "last": "2026-12-01"}
    (gap,) = found(leave=[away])
    assert told(gap) == ("tess", "Tue 01 00:00", "Wed 02 00:00")
    assert "cover" in gap.remedy
    assert found(leave=[{**away, "cover": "sue"}]) == []
    (gap,) = found(leave=[{**away, "cover": "cor"}])
    assert "cor, who stands in, has no licence in CA" in gap.why
    assert [need.role for need in owning([MINIMAL])] == ["therapist", "supervisor"]


def test_shifts_that_rest_on_holidays_leave_the_holiday_open() -> None:
    """The day counts on which the shift began; the protocol's own holidays are named too."""
    period = local_days(date(2026, 12, 21), 1, LOCAL)
    shifts = [shift("sue", "08:00", "08:00", on_holidays=False)]
    (gap,) = found(period, shifts=shifts, holidays={"2026-12-25": "Day off"})
    assert told(gap) == ("supervisor", "Fri 25 08:00", "Sat 26 08:00")
    assert gap.holidays == ("Day off",)
    (gap,) = found(period, shifts=[shift("sue", "00:00", "00:00", [*EVERY_DAY[:4], "sat", "sun"])])
    assert (told(gap)[1], gap.holidays) == ("Fri 25 00:00", ("Christmas Day",))


def test_the_nights_on_which_the_clocks_change() -> None:
    """01:30 comes twice on 1 November: the shift that ends then ends twice. In March an hour is skipped."""
    autumn = found(local_days(date(2026, 11, 1), 1, LOCAL), shifts=[shift("sue", "02:00", "01:30")])
    first = [gap for gap in autumn if gap.begins < datetime(2026, 11, 2, tzinfo=UTC)]
    assert [(gap.begins.hour * 60 + gap.begins.minute, gap.ends - gap.begins) for gap in first] == [
        (8 * 60 + 30, timedelta(minutes=30)),
        (9 * 60 + 30, timedelta(minutes=30)),
    ]
    spring = found(local_days(date(2027, 3, 14), 1, LOCAL), shifts=[shift("sue", "03:00", "02:00")])
    assert [told(gap)[1] for gap in spring][:1] == ["Mon 15 02:00"], "the gap of the 14th was skipped"


def test_a_shift_in_another_time_zone_ends_by_its_own_clock() -> None:
    staff = [STAFF[0], person("sue", "supervisor", time_zone="America/Denver"), STAFF[3]]
    one, *_ = found(people=staff, shifts=[shift("sue", "09:00", "08:00")])
    assert told(one) == ("supervisor", "Mon 30 07:00", "Mon 30 08:00")


HOURS = st.sampled_from(["00:00", "01:30", "02:30", "08:00", "20:00"])
DAYS = st.lists(st.sampled_from(EVERY_DAY), min_size=1, max_size=7, unique=True)
NIGHT_OF_THE_CLOCKS = local_days(date(2026, 10, 28), 1, LOCAL)


@st.composite
def rotas(draw: st.DrawFn) -> Rota:
    names = ["a", "b", "c"]
    people = [
        person(one, "therapist", "supervisor", state=draw(st.sampled_from(["CA", "NV"])),
               time_zone=draw(st.sampled_from(["America/Los_Angeles", "America/New_York"])))
        for one in names
    ]  # fmt: skip
    shifts = [
        shift(draw(st.sampled_from(names)), draw(HOURS), draw(HOURS), draw(DAYS), on_holidays=draw(st.booleans()))
        for _ in range(draw(st.integers(0, 3)))
    ]
    leave = [
        {"person": one, "first": f"2026-10-{draw(st.integers(28, 31))}", "last": "2026-11-02", **draw(
            st.sampled_from([{}, *({"cover": other} for other in names if other != one)]))}
        for one in draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    ]  # fmt: skip
    holidays = {"2026-10-30": "Day off"}
    return parse_rota({"people": [*people, STAFF[3]], "shifts": shifts, "leave": leave, "holidays": holidays})


@settings(max_examples=40, deadline=None)
@given(rotas())
def test_gaps_are_where_nobody_who_may_act_would_be_paged_and_nowhere_else(staff: Rota) -> None:
    begins, ends = NIGHT_OF_THE_CLOCKS
    seen = gaps(staff, [MINIMAL], begins, ends)
    at = begins + timedelta(minutes=7)
    while at < ends:
        said = {gap.owner or gap.role for gap in seen if gap.begins <= at < gap.ends}
        there = any(staff.licensed_here(one) for one in resolve(staff, "supervisor", at))
        assert ("supervisor" in said) is not there, at
        for one in staff.people[:3]:
            stands = present_for(staff, one, at)
            absent = stands is None or (stands.id != one.id and not staff.licensed_here(stands))
            if staff.licensed_here(one):
                assert (one.id in said) is absent, (one.id, at)
        at += timedelta(minutes=23)


def test_the_rota_that_ships_answers_every_page() -> None:
    specs = [
        protocol_in(path) for path in sorted((ROOT / "protocol_specs").glob("*.yaml")) if "stages:" in path.read_text()
    ]
    rota = load(ROOT / "protocol_specs/rota.yaml", Rota)
    assert len(specs) >= 3
    assert gaps(rota, specs, *local_days(date(2026, 11, 23), 8, LOCAL)) == ()
