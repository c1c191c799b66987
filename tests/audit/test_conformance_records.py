"""Conformance read from the records, and the event logs that other programs open."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

from audit.conformance import Judged, judged
from audit.database import Database
from audit.keys import destroy
from audit.mining import OBJECTS, ocel, xes
from audit.store import Store
from protocol import commands as c
from protocol.chronicle import chronicle
from tests.audit.bundles import SPECS, keep, played, second
from tests.audit.records import RING, START
from tests.protocol.specs import compact
from tests.protocol.story import Story

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
    return [one async for one in judged(records, RING, **period)]


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
        async for one in judged(records, RING):
            assert one.conformance is not None
            for log in (objects, traces):
                log.take(one.conformance, chronicle(one.rows))
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
