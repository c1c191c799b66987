"""A reader without the right to substance-use records sees nothing that tells of them, and can verify all the same."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from audit.database import Database
from audit.queries import Queries
from audit.redaction import NOTICE, STAYS, RedactionError, Redactor, withheld
from audit.store import Store
from protocol import commands as c
from protocol import events as e
from protocol.trail import Shown, verify
from protocol_specs.loader import load_protocol
from tests.audit.bundles import SPECS, checked, entry, exported, played
from tests.audit.records import RING

SCENARIOS = (
    "virtual_iop_crisis/relapse_told_in_group",
    "virtual_iop_crisis/withdrawal_at_home",
    "virtual_iop_crisis/unresponsive_on_camera",
)


def test_only_fields_that_exist_may_stay():
    kinds = [*get_args(e.Event), *get_args(c.HumanCommand)]
    known = {field.name for kind in [*kinds, c.DeadlineReached, c.ReportPage] for field in fields(kind)}
    assert known >= STAYS
    free_text = {
        "note",
        "reason",
        "rationale",
        "text",
        "because",
        "detail",
        "message",
        "remedy",
        "missing",
        "exception",
    }
    assert not STAYS & (free_text | {"facts", "seen", "crisis_type", "crisis_types", "option", "advised"})


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_nothing_about_substances_shows(store: Store, records: Database, tmp_path: Path, scenario: str):
    done = await played(store, SPECS / "scenarios" / f"{scenario}.yaml")
    assert done is not None
    spec, episode_id = done
    made = await exported(records, path := tmp_path / "bundle.zip", episode_id, redact=True)
    assert made.withheld > 0
    assert checked(path) == 0
    names = Redactor(spec).names
    assert {name for name, fact in spec.facts.items() if fact.sud} <= names
    texts = {name for name, fact in spec.facts.items() if fact.type == "text"}
    for row in entry(path, "rows.ndjson"):
        assert "payload" not in row
        for one in row["values"]:
            if "leaf" not in one:
                continue
            told = json.loads("{" + one["leaf"] + "}")
            ((place, value),) = told.items()
            assert not {*place.split("/")} & (names | texts), place
            said = value if isinstance(value, list) else [value]
            assert not {str(part).rpartition("-")[0] or str(part) for part in said} & names, place
            assert not {str(part) for part in said} & names, place


async def test_nothing_of_an_episode_leaves_when_its_protocol_is_about_substance_use(
    store: Store, records: Database, tmp_path: Path
):
    done = await played(store, SPECS / "scenarios" / "withdrawal_monitoring" / "five_quiet_days.yaml")
    assert done is not None
    with pytest.raises(RedactionError, match=f"episode {done[1]}: .*as a whole.*Nothing was exported"):
        await exported(records, hidden := tmp_path / "hidden.zip", done[1], redact=True)
    assert not hidden.exists()
    await exported(records, whole := tmp_path / "whole.zip", done[1])
    assert checked(whole) == 0


async def test_a_risk_rule_about_substances_is_not_named(store: Store, records: Database):
    done = await played(store, SPECS / "scenarios" / "withdrawal_monitoring" / "opioid_withdrawal_in_pregnancy.yaml")
    assert done is not None
    redactor = Redactor(done[0])
    raised = [row for row in await Queries(records, RING).trail_rows(done[1]) if row.kind == "RiskRaised"]
    numbers = {row.payload["event"]["rule"] for row in raised if row.payload}
    assert numbers & redactor.rules
    for row in raised:
        assert row.payload is not None
        shown = [one.leaf for one in redactor.row(row).values if isinstance(one, Shown)]
        number = row.payload["event"]["rule"]
        assert (f'"event/rule":{number}' in shown) == (number not in redactor.rules)
        assert not any(leaf.startswith('"event/because"') for leaf in shown)
        assert f'"event/level":"{row.payload["event"]["level"]}"' in shown


async def test_the_whole_export_shows_what_the_redacted_one_hides(store: Store, records: Database, tmp_path: Path):
    done = await played(store, SPECS / "scenarios" / "virtual_iop_crisis" / "withdrawal_at_home.yaml")
    assert done is not None
    await exported(records, whole := tmp_path / "whole.zip", done[1])
    await exported(records, hidden := tmp_path / "hidden.zip", done[1], redact=True)
    shown, rest = entry(whole, "rows.ndjson"), entry(hidden, "rows.ndjson")
    assert [row["hash"] for row in shown] == [row["hash"] for row in rest], "the chain is the same"
    assert any("ciwa" in json.dumps(row["payload"]) for row in shown)
    assert not any("ciwa" in json.dumps(row) for row in rest)
    assert {row["kind"] for row in rest} >= {"ObligationOpened", "PageRequested"}, "how it went stays to be seen"
    leaves = [one["leaf"] for row in rest for one in row["values"] if "leaf" in one]
    assert any(leaf.startswith('"event/due_at"') for leaf in leaves)


def test_a_row_that_says_nothing_of_it_stays_nearly_whole():
    spec = load_protocol(SPECS / "caring_contacts.yaml")
    assert Redactor(spec).names == set(spec.crisis_types)
    assert NOTICE == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


async def test_redacted_rows_still_verify_as_a_chain(store: Store, records: Database):
    done = await played(store, SPECS / "scenarios" / "withdrawal_monitoring" / "five_quiet_days.yaml")
    assert done is not None
    rows = await Queries(records, RING).trail_rows(done[1])
    redactor = Redactor(done[0])
    disclosed = [redactor.row(row) for row in rows]
    assert verify(disclosed, done[1], rows[-1].head) is None
    assert sum(map(withheld, disclosed)) > 0
    assert any(isinstance(value, Shown) for value in disclosed[0].values)


def test_names_that_derive_from_substance_use_are_known_however_far():
    names = Redactor(load_protocol(SPECS / "withdrawal_monitoring.yaml")).names
    assert {"ciwa_ar", "ciwa_check", "daily_ciwa", "care_advice", "level_of_care", "level_of_care_decision"} <= names
    assert "first_contact" not in names
