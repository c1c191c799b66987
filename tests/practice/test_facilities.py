from __future__ import annotations

from datetime import date

import pytest

from audit.database import Database
from practice.facilities import Facilities, FacilityError, identity, read_csv, read_facility
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
