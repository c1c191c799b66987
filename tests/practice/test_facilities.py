from __future__ import annotations

from datetime import date

import pytest

from audit.database import Database
from practice.facilities import MOST_IMPORTED, Facilities, FacilityError, identity, read_csv, read_facility, write_csv
from tests.audit.records import START

HARBOR = {
    "name": "Harbor House PHP",
    "kind": "php",
    "county": "Alameda",
    "dual_diagnosis": "yes",
    "checked": "2026-09-01",
}


async def test_an_entry_is_kept_and_changed(records: Database):
    kept = Facilities(records)
    facility_id = await kept.save(read_facility(HARBOR), "ruth", START)
    assert facility_id == "harbor-house-php"
    await kept.save(read_facility({**HARBOR, "name": "Harbor House"}), "gale", START, facility_id)
    (found,) = await kept.listed("php")
    assert (found.facility.name, found.revision, found.changed_by) == ("Harbor House", 2, "gale")
    assert await kept.listed("detox") == ()


def test_an_entry_is_fresh_for_ninety_days():
    facility = read_facility(HARBOR)
    assert not facility.expired(date(2026, 11, 30))
    assert facility.expired(date(2026, 12, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"kind": "spa"}, "kind: is one of"), ({"phone": "ask"}, "phone: write digits"), ({"checked": "x"}, "checked: "),
     ({"name": ""}, "name: "), ({"minors": "maybe"}, "minors: shorten this, or write yes or no")],
)  # fmt: skip
def test_a_wrong_field_is_named(change: dict[str, str], words: str):
    with pytest.raises(FacilityError, match=words):
        read_facility({**HARBOR, **change})


def test_lines_are_read_or_the_wrong_one_is_named():
    heading = ",".join(HARBOR)
    (facility,) = read_csv(f"{heading}\n{','.join(HARBOR.values())}\n")
    assert facility.dual_diagnosis
    with pytest.raises(FacilityError, match="line 2: kind"):
        read_csv(f"{heading}\nx,y,z,yes,2026-01-01\n")
    with pytest.raises(FacilityError, match="letters"):
        identity("---")


async def test_the_list_is_written_as_it_is_read(records: Database):
    kept = Facilities(records)
    odd = {**HARBOR, "name": '=1+1, "Bay" House', "phone": "+1 510 555 0100", "takes": "two\nlines", "minors": "yes"}
    for one in (HARBOR, odd):
        await kept.save(read_facility(one), "ruth", START)
    listed = await kept.listed()
    text = write_csv(listed)
    assert "\n=1" not in text, "a spreadsheet would run it"
    assert read_csv(text) == tuple(one.facility for one in listed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the column name is missing"),
        ("name;kind;checked\nHarbor;php;2026-09-01\n", "line 1: the cells stand between semicolons"),
        ("name,kind,checked\n", "line 2: there is no facility below the heading"),
        ("name,kind,checked,shoe\n", "line 1: there is no column shoe; the columns are some of name, kind"),
        ("name,kind\nHarbor,php\n", "line 1: the column checked is missing"),
        ("name,kind,checked,name\n", "line 1: the column name stands there twice"),
        ("name,kind,checked\nHarbor,php,2026-09-01,x\n", "line 2: more cells than the heading has"),
        ("name,kind,checked\n" + "Harbor,php,2026-09-01\n" * (MOST_IMPORTED + 1), "import at most 500 facilities"),
    ],
)
def test_a_list_that_cant_be_read_says_why(text: str, said: str):
    with pytest.raises(FacilityError) as refused:
        read_csv(text)
    assert said in str(refused.value)
