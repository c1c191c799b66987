"""The directory that ships: every county of California, grades A and B only, and no number that nobody has read."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from protocol.directory import LIFETIME, Directory, look_up, retired_mentions
from protocol_specs.loader import load

FILE = Path(__file__).parents[2] / "protocol_specs" / "directory.yaml"
DIRECTORY = load(FILE, Directory)
VERIFIED = date(2026, 11, 23)

LINES = {
    "alameda": "800-491-9099",
    "los_angeles": "800-854-7771",
    "orange": "855-625-4657",
    "riverside": "951-686-4357",
    "sacramento": "916-875-1055",
    "san_diego": "888-724-7240",
    "san_mateo": "650-579-0350",
    "santa_barbara": "888-868-1649",
    "santa_clara": "800-704-0900",
    "santa_cruz": "800-952-2335",
    "sonoma": "800-746-8181",
}


def first_number(county: str) -> str:
    return look_up(DIRECTORY, county, VERIFIED).numbers()[0]


def test_california_has_58_counties() -> None:
    assert len(DIRECTORY.counties) == 58
    assert list(DIRECTORY.counties) == sorted(DIRECTORY.counties)
    assert all(name == county.title.lower().replace(" ", "_") for name, county in DIRECTORY.counties.items())


@pytest.mark.parametrize("county", DIRECTORY.counties)
def test_every_county_has_its_verified_line_or_says_that_it_has_none(county: str) -> None:
    guidance = look_up(DIRECTORY, county, VERIFIED)
    if county in LINES:
        assert first_number(county) == LINES[county]
        assert "no_verified_line" not in guidance.codes()
    else:
        assert [listing.name for listing in guidance.chain] == ["suicide_and_crisis_lifeline", "local_emergency"]
        assert "no_verified_line" in guidance.codes()


def test_only_the_present_address_counts() -> None:
    """At intake the client lived in Orange County; today the address is in San Mateo County."""
    present = look_up(DIRECTORY, "san_mateo", VERIFIED).numbers()
    assert present[0] == "650-579-0350"
    assert not {"855-625-4657", "714-410-3500"} & set(present)


def test_the_county_line_of_san_diego_does_not_come_to_violence() -> None:
    assert {"not_for_violence", "not_for_medical"} <= look_up(DIRECTORY, "san_diego", VERIFIED).codes()


def test_an_entry_older_than_ninety_days_is_warned_about_and_still_dialled() -> None:
    day = VERIFIED + LIFETIME + timedelta(days=1)
    guidance = look_up(DIRECTORY, "orange", day)
    assert guidance.numbers()[0] == "855-625-4657"
    assert "expired" in guidance.codes()
    assert "expired" not in look_up(DIRECTORY, "orange", VERIFIED + LIFETIME).codes()


@pytest.mark.parametrize(
    ("text", "retired"),
    [
        ("In an emergency: 988, press 3", "lifeline_press_3"),
        ("Call (800) 479-3339 day or night", "san_diego_former_line"),
    ],
)
def test_an_old_safety_plan_with_a_retired_line_is_flagged(text: str, retired: str) -> None:
    assert [mention.name for mention in retired_mentions(DIRECTORY, text)] == [retired]


def test_nothing_that_was_not_read_in_a_good_text_is_in_it() -> None:
    """Numbers that were read only in a weak text, or that were replaced, are left out."""
    shown = {way.number for resource in DIRECTORY.resources.values() for way in resource.ways}
    assert not {"800-662-4357", "800-487-4889", "800-479-3339"} & shown


def test_nobody_has_called_the_numbers_yet_and_the_directory_says_so() -> None:
    untested = {name for name, resource in DIRECTORY.resources.items() if resource.never_called}
    warned = {
        caution.resource
        for county in DIRECTORY.counties
        for caution in look_up(DIRECTORY, county, VERIFIED).warnings
        if caution.code == "no_test_call"
    }
    assert warned == untested
