"""Conformance read from the records, and the event logs that other programs open."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy.exc import SQLAlchemyError

from audit.access import Sought, looked
from audit.conformance import Judged, judged, opened_between, tell
from audit.database import Database
from audit.keys import destroy
from audit.mining import OBJECTS, ocel, xes
from audit.redaction import Redactor
from audit.sinks import FORMATS, Format, Handed, write_files
from audit.store import Store
from audit.veil import Veil
from protocol import commands as c
from protocol.chronicle import chronicle
from tests.audit.bundles import SPECS, keep, played, second
from tests.audit.records import RING, START
from tests.protocol.specs import compact
from tests.protocol.story import Story

MINING = Path(__file__).parents[2] / ".venv-mining" / "bin" / "python"
OPENED_BY_PM4PY = """
import json, sys, pm4py
objects, traces = pm4py.read_ocel2_json(sys.argv[1]), pm4py.read_xes(sys.argv[2])
print(json.dumps({
    "events": len(objects.events), "objects": len(objects.objects),
    "related": int(objects.relations["ocel:eid"].nunique()),
    "traces": sorted(traces["case:concept:name"].unique()), "entries": len(traces),
    "first": traces["concept:name"].iloc[0],
}))
"""
XES = {"string": str, "date": datetime.fromisoformat}


async def two_episodes(store: Store) -> list[Story]:
    first = Story.begun().in_follow_up()
    first.later("73h").contact(ago="2h", note="cried, then laughed")
    other = second()
    other.do(c.DeclareEmergency, reason="on a bridge")
    for story in (first, other):
        await keep(store, compact(), story)
    return [first, other]


async def all_judged(records: Database, **period: datetime) -> list[Judged]:
    episodes = await opened_between(records, **period)
    return [one async for one in judged(records, RING, episodes)]


async def test_the_episodes_of_a_period_are_judged(store: Store, records: Database):
    story = (await two_episodes(store))[0]
    found = await all_judged(records)
    assert [one.episode_id for one in found] == ["ep-1", "ep-2"]
    assert all(one.conformance is not None for one in found)
    opened = story.episode.opened_at
    assert await all_judged(records, begins=opened + timedelta(seconds=1)) == []
    assert await all_judged(records, ends=opened) == []
    assert len(await all_judged(records, begins=opened, ends=opened + timedelta(seconds=1))) == 2


async def test_what_cannot_be_judged_is_said(store: Store, records: Database):
    await two_episodes(store)
    await destroy(records, "client-1", START)
    found = await all_judged(records)
    assert (found[0].conformance, found[0].why_not) == (None, "the client's key was destroyed")
    assert found[1].conformance is not None


async def logs(records: Database) -> tuple[dict[str, Any], ElementTree.Element, bytes]:
    as_ocel, as_xes = io.BytesIO(), io.BytesIO()
    with ocel(as_ocel) as objects, xes(as_xes) as traces:
        for one in await all_judged(records):
            assert one.conformance is not None
            for log in (objects, traces):
                log.take(one.conformance, chronicle(one.rows), Veil(one.conformance))
    written = as_ocel.getvalue() + as_xes.getvalue()
    return json.loads(as_ocel.getvalue()), ElementTree.fromstring(as_xes.getvalue()), written


async def test_the_ocel_log_is_whole(store: Store, records: Database):
    """As the standard has it: every type, attribute and object that is named is declared, once; times are times."""
    await two_episodes(store)
    await played(store, SPECS / "scenarios" / "virtual_iop_crisis" / "php_has_no_place.yaml")
    log, _, _ = await logs(records)
    assert set(log) == {"eventTypes", "objectTypes", "events", "objects"}
    types = {
        group: {one["name"]: {value["name"]: value["type"] for value in one["attributes"]} for one in log[group]}
        for group in ("eventTypes", "objectTypes")
    }
    objects = {one["id"]: one for one in log["objects"]}
    assert len(objects) == len(log["objects"]), "an object stands once"
    assert {one["type"] for one in log["objects"]} == set(OBJECTS)
    ids = [event["id"] for event in log["events"]]
    assert len(set(ids)) == len(ids) > 20
    for event in log["events"]:
        declared = types["eventTypes"][event["type"]]
        assert {one["name"] for one in event["attributes"]} <= set(declared)
        assert {one["objectId"] for one in event["relationships"]} <= set(objects)
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
    for one in log["objects"]:
        for value in one["attributes"]:
            assert types["objectTypes"][one["type"]][value["name"]] in ("string", "time")
            assert datetime.fromisoformat(value["time"]).tzinfo is not None


async def test_the_xes_log_is_whole_and_in_the_order_of_the_trail(store: Store, records: Database):
    stories = await two_episodes(store)
    _, log, _ = await logs(records)
    assert log.get("xes.version") == "1849-2016"
    assert {one.get("prefix") for one in log.iter("extension")} == {"concept", "time", "org"}
    traces = list(log.iter("trace"))
    assert [trace[0].get("value") for trace in traces] == ["ep-1", "ep-2"]
    for trace, story in zip(traces, stories, strict=True):
        events = list(trace.iter("event"))
        assert len(events) == story.episode.revision
        for event in events:
            values = {one.get("key"): XES[one.tag](one.get("value") or "") for one in event}
            assert {"concept:name", "time:timestamp", "org:resource"} <= set(values)
        names = [event[0].get("value") or "" for event in events]
        assert names[0] == "EpisodeOpened assessment"


async def test_the_logs_say_nothing_of_the_client(store: Store, records: Database):
    await two_episodes(store)
    _, _, written = await logs(records)
    for said in (b"client-1", b"12 Elm", b"cried", b"bridge"):
        assert said not in written


async def test_each_event_has_the_owner_of_its_time(store: Store, records: Database):
    story = Story.begun().in_follow_up()
    story.later("1h").do(c.OfferHandover, to="ben", reason="end of shift")
    story.do(c.AcceptHandover, by="ben")
    story.later("1h").contact(by="ben")
    await keep(store, compact(), story)
    log, traces, _ = await logs(records)
    owners = [one["value"] for event in log["events"] for one in event["attributes"] if one["name"] == "owner"]
    accepted = next(place for place, event in enumerate(log["events"]) if event["type"] == "HandoverAccepted")
    assert set(owners[: accepted + 1]) == {"mara"}, "it was hers until it was taken over"
    assert set(owners[accepted + 1 :]) == {"ben"}
    assert [one.get("value") for one in traces.iter("string") if one.get("key") == "owner"] == owners
    episode = next(one for one in log["objects"] if one["type"] == "episode")
    assert [one["value"] for one in episode["attributes"] if one["name"] == "owner"] == ["mara", "ben"]


async def written(records: Database, folder: Path, *, redact: bool) -> dict[Format, str]:
    files: dict[Format, Path] = {name: folder / f"{redact}.{name}" for name in FORMATS}
    handed = Handed(START, "finn", "auditor", "the board", "review", redact)
    await write_files(records, RING, await opened_between(records), files, handed)
    return {name: path.read_text("utf-8") for name, path in files.items()}


async def test_a_reader_without_the_right_to_substance_use_records_learns_nothing_of_it(
    store: Store, records: Database, tmp_path: Path
):
    done = await played(store, SPECS / "scenarios" / "virtual_iop_crisis" / "withdrawal_at_home.yaml")
    assert done is not None
    spec, episode_id = done
    names = Redactor(spec).names
    open_to_all, closed = await written(records, tmp_path, redact=False), await written(records, tmp_path, redact=True)
    assert any(f'"{name}' in text or f" {name}" in text for name in names for text in open_to_all.values())
    for name, text in closed.items():
        assert [one for one in names if f'"{one}"' in text or f" {one}" in text or f"/{one}-" in text] == [], name
    one, hidden = (json.loads(kept["ndjson"]) for kept in (open_to_all, closed))
    assert len(one["deviations"]) == len(hidden["deviations"]), "what is withheld is counted all the same"
    assert {found["reason"] for found in hidden["deviations"]} <= {"", "withheld"}
    assert [owed["end"] for owed in one["deadlines"]] == [owed["end"] for owed in hidden["deadlines"]]
    (second, first) = await looked(records, Sought(episode_id=episode_id, what="exported"))
    assert {first.detail["withheld"], second.detail["withheld"]} == {"", "sud"}
    assert (first.who, first.detail["to"], first.purpose) == ("finn", "the board", "review")


async def test_an_episode_whose_protocol_is_about_substance_use_is_left_out_for_such_a_reader(
    store: Store, records: Database, tmp_path: Path
):
    await two_episodes(store)
    done = await played(store, SPECS / "scenarios" / "withdrawal_monitoring" / "five_quiet_days.yaml")
    assert done is not None
    told = await tell(records, RING, await opened_between(records), redact=True)
    ((left_out, why),) = told.not_judged
    assert left_out == done[1]
    assert "about substance use as a whole" in why
    assert len(told.episodes) == 3
    for name, text in (await written(records, tmp_path, redact=True)).items():
        assert done[1] not in text, name
        assert "withdrawal" not in text, name


async def test_files_whose_row_cant_be_written_are_never_seen(store: Store, records: Database, tmp_path: Path):
    await two_episodes(store)
    if records.engine.dialect.name != "sqlite":
        return
    no = "CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END"
    await records.write(lambda connection: connection.exec_driver_sql(no))
    with pytest.raises(SQLAlchemyError):
        await written(records, tmp_path, redact=False)
    assert not any(tmp_path.glob("*csv*"))
    assert not any(tmp_path.glob(".*draft"))


@pytest.mark.full
@pytest.mark.skipif(not MINING.exists(), reason="`make test` makes the environment in which pm4py is")
async def test_another_program_for_process_mining_opens_both_logs(store: Store, records: Database, tmp_path: Path):
    stories = await two_episodes(store)
    as_ocel, as_xes, _ = await logs(records)
    (tmp_path / "log.jsonocel").write_text(json.dumps(as_ocel))
    (tmp_path / "log.xes").write_bytes(ElementTree.tostring(as_xes))
    files = (tmp_path / "log.jsonocel", tmp_path / "log.xes")
    ran = subprocess.run([MINING, "-c", OPENED_BY_PM4PY, *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    entries = sum(story.episode.revision for story in stories)
    assert (found["events"], found["objects"]) == (len(as_ocel["events"]), len(as_ocel["objects"]))
    assert found["related"] == found["events"], "each event is about something"
    assert (found["traces"], found["entries"]) == (["ep-1", "ep-2"], entries)
    assert found["first"] == "EpisodeOpened assessment"
