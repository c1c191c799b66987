"""Whom to call for the place where the client is now: chain, warnings, retired lines, two-person changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocol.directory import OUTSIDE, Directory, look_up, retired_mentions, unapproved_changes

VERIFIED = date(2026, 11, 23)
EXPIRES = date(2027, 2, 21)


def resource(number: str, kind: str = "crisis_line", county: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "title": f"Line {number}",
        "county": county,
        "kind": kind,
        "ways": [{"by": "call", "number": number}],
        "hours": "24 hours, every day",
        "source": {"grade": "A", "refs": ["S1"]},
        "verified_at": VERIFIED.isoformat(),
        "verified_by": "reading of the cited text",
        "expires_at": EXPIRES.isoformat(),
    } | more


def document(**more: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "A small directory",
        "references": {"S1": {"title": "A county page"}},
        "counties": {
            "orange": {"title": "Orange"},
            "kern": {"title": "Kern", "remark": "It has its own 988 center."},
        },
        "resources": {
            "lifeline": resource("988", "lifeline", routes_by_area_code=True),
            "emergency": resource("911", "emergency"),
            "poison": resource("800-555-0122", "poison_control"),
            "orange_unit": resource("714-555-0100", "crisis_stabilization", "orange"),
            "orange_line": resource("855-555-0100", county="orange", not_for=["violence", "medical"]),
        }
        | more,
        "retired": {
            "press_3": {
                "phrases": ["press 3"],
                "because": "It ended.",
                "instead": "Call 988.",
                "refs": ["S1"],
            },
            "old_line": {
                "phrases": ["800-555-0199"],
                "because": "It changed.",
                "instead": "Call 855-555-0100.",
                "refs": ["S1"],
            },
        },
    }


SMALL = Directory.model_validate(document())


def chain(county: str | None) -> list[str]:
    return [listing.name for listing in look_up(SMALL, county, VERIFIED).chain]


def test_the_chain_is_county_line_then_988_then_the_local_emergency_number() -> None:
    assert chain("orange") == ["orange_line", "lifeline", "emergency"]


def test_with_a_life_in_danger_the_local_emergency_number_comes_first() -> None:
    guidance = look_up(SMALL, "orange", VERIFIED, life_in_danger=True)
    assert [listing.name for listing in guidance.chain] == ["emergency", "orange_line", "lifeline"]


def test_a_county_without_a_verified_line_gets_the_rest_of_the_chain_and_says_so() -> None:
    guidance = look_up(SMALL, "kern", VERIFIED)
    assert chain("kern") == ["lifeline", "emergency"]
    warning = next(caution for caution in guidance.warnings if caution.code == "no_verified_line")
    assert "Kern County" in warning.text
    assert "its own 988 center" in warning.text


@pytest.mark.parametrize(
    ("county", "code"), [(None, "county_unknown"), ("narnia", "county_unknown"), (OUTSIDE, OUTSIDE)]
)
def test_an_unknown_or_foreign_county_still_gets_988_and_the_emergency_number(county: str | None, code: str) -> None:
    guidance = look_up(SMALL, county, VERIFIED)
    assert chain(county) == ["lifeline", "emergency"]
    assert code in guidance.codes()
    assert guidance.county is None


def test_the_lines_of_other_counties_are_not_shown() -> None:
    assert not {"855-555-0100", "714-555-0100"} & set(look_up(SMALL, "kern", VERIFIED).numbers())


def test_the_countys_other_places_come_after_the_chain_and_before_the_national_ones() -> None:
    guidance = look_up(SMALL, "orange", VERIFIED)
    assert [listing.name for listing in guidance.others] == ["orange_unit", "poison"]
    assert guidance.numbers() == ("855-555-0100", "988", "911", "714-555-0100", "800-555-0122")


@pytest.mark.parametrize(("day", "expired"), [(EXPIRES, False), (EXPIRES + timedelta(days=1), True)])
def test_an_expired_entry_is_warned_about_and_stays_in_the_chain(day: date, expired: bool) -> None:
    guidance = look_up(SMALL, "orange", day)
    assert guidance.chain[0].name == "orange_line"
    assert ("expired" in guidance.codes()) is expired


def test_what_a_line_does_not_do_is_said_before_it_is_called() -> None:
    about_the_line = {c.code for c in look_up(SMALL, "orange", VERIFIED).warnings if c.resource == "orange_line"}
    assert about_the_line == {"not_for_violence", "not_for_medical", "no_test_call"}


def test_988_and_911_are_shown_with_their_limits() -> None:
    warnings = {(c.resource, c.code) for c in look_up(SMALL, "orange", VERIFIED).warnings}
    assert ("lifeline", "area_code_routing") in warnings
    assert ("emergency", "emergency_reaches_caller") in warnings


def test_a_recorded_test_call_ends_its_warning() -> None:
    called = {"on": "2026-11-24", "by": "R. Ortega", "result": "answered in two rings"}
    tested = Directory.model_validate(document(lifeline=resource("988", "lifeline", test_call=called)))
    untested = {c.resource for c in look_up(tested, None, VERIFIED).warnings if c.code == "no_test_call"}
    assert untested == {"poison"}


def test_nobody_is_asked_to_try_the_emergency_number() -> None:
    asked = {c.resource for c in look_up(SMALL, None, VERIFIED).warnings if c.code == "no_test_call"}
    assert asked == {"lifeline", "poison"}


@given(county=st.none() | st.text(max_size=20) | st.sampled_from([*SMALL.counties, OUTSIDE]), day=st.dates())
def test_every_look_up_ends_with_988_and_the_emergency_number(county: str | None, day: date) -> None:
    assert chain(county)[-2:] == ["lifeline", "emergency"]
    assert look_up(SMALL, county, day).warnings


@pytest.mark.parametrize("text", ["Call 988, press 3", "988, PRESS\n3.", "press-3"])
def test_an_old_plan_that_names_a_retired_option_is_flagged(text: str) -> None:
    assert [mention.name for mention in retired_mentions(SMALL, text)] == ["press_3"]


@pytest.mark.parametrize("text", ["800-555-0199", "(800) 555-0199", "1 800.555.0199", "8005550199"])
def test_a_retired_number_is_found_however_it_is_written(text: str) -> None:
    assert [mention.name for mention in retired_mentions(SMALL, f"Ask at {text} any time")] == ["old_line"]


@pytest.mark.parametrize(
    "text", ["", "Call 988", "press 30", "impress 3 people", "800-555-01999", "in 800 of 555 cases"]
)
def test_other_texts_are_not_flagged(text: str) -> None:
    assert retired_mentions(SMALL, text) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": {"grade": "C", "refs": ["S1"]}}, "grade"),
        ({"source": {"grade": "U", "refs": ["S1"]}}, "grade"),
        ({"source": {"grade": "A", "refs": ["S9"]}}, "add S9 to `references`"),
        ({"source": {"grade": "A", "refs": []}}, "refs"),
        ({"expires_at": "2027-02-22"}, "within 90 days"),
        ({"expires_at": "2026-11-23"}, "within 90 days"),
        ({"expires_at": "soon"}, "write it as 2026-11-23"),
        ({"ways": [{"by": "call", "number": "555-ASK"}]}, "number"),
        ({"ways": []}, "ways"),
        ({"county": "narnia"}, "there is no county narnia"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_entry_that_is_not_fit_for_use_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Directory.model_validate(document(odd=resource("855-555-0111", county="orange") | change))


@pytest.mark.parametrize("missing", ["lifeline", "emergency"])
def test_a_directory_without_the_end_of_the_chain_is_refused(missing: str) -> None:
    written = document()
    del written["resources"][missing]
    with pytest.raises(ValidationError, match=f"kind {missing}"):
        Directory.model_validate(written)


OLD_WAY = [{"by": "call", "number": "855-555-0100"}]


def changed(**change: Any) -> Directory:
    return Directory.model_validate(document(orange_line=resource("855-555-0177", county="orange", **change)))


def approval(changed_by: str, approved_by: str, before: list[dict[str, str]]) -> dict[str, Any]:
    return {"on": "2026-11-25", "before": before, "changed_by": changed_by, "approved_by": approved_by}


def test_a_number_changes_only_with_a_record_of_two_people() -> None:
    assert len(unapproved_changes(SMALL, changed())) == 1
    assert unapproved_changes(SMALL, changed(change=approval("A. Lee", "B. Diaz", OLD_WAY))) == ()


def test_an_approval_of_another_change_does_not_count() -> None:
    other = [{"by": "call", "number": "855-555-0111"}]
    assert len(unapproved_changes(SMALL, changed(change=approval("A. Lee", "B. Diaz", other)))) == 1


def test_nobody_approves_their_own_change() -> None:
    with pytest.raises(ValidationError, match="two people"):
        changed(change=approval("A. Lee", "a. lee", OLD_WAY))


def test_an_unchanged_directory_needs_no_approval() -> None:
    assert unapproved_changes(SMALL, SMALL) == ()
