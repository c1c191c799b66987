"""What a real workflow recorded is told from the records alone, once Temporal and every worker are gone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from audit.checkpoints import Witness
from audit.database import connect
from audit.history import all_episodes, history
from audit.lists import Comparison, Lists, folded
from audit.queries import Queries
from audit.sealing import Keyring
from cli.durable import Kept, SkippingServerError, perform_async
from named_keys import Key
from protocol.directory import Directory
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load, load_protocol
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript

SPECS = Path(__file__).parents[2] / "protocol_specs"
SCENARIOS = sorted((SPECS / "scenarios").glob("*/*.yaml"))
KEY = Key(id="first", secret=b"1" * 32)


@cache
def protocol(name: str) -> ProtocolSpec:
    return load_protocol(SPECS / f"{name}.yaml")


@cache
def directory() -> Directory:
    return load(SPECS / "directory.yaml", Directory)


@pytest.mark.full
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_played_scenario_replays_to_the_state_that_its_workflow_had(path: Path, url: str):
    kept = Kept(url, (KEY,))
    try:
        report = await perform_async(protocol(path.parent.name), load(path, Scenario), directory(), kept)
    except SkippingServerError as failed:
        pytest.skip(f"the server that skips time failed it: {failed}")
    assert report.passed, transcript(report)
    records, ring = connect(url), Keyring([(KEY.id, KEY.secret)])
    ids = await all_episodes(records)
    if kept.end is None:
        assert ids == (), "an opening that was refused leaves no trail"
    else:
        (episode_id,) = ids
        told = await history(records, ring, episode_id, Witness(records, None))
        assert told.sound, (told.stopped, [one.differences for one in told.entries if one.differences])
        rows = await Queries(records, ring).trail_rows(episode_id, limit=100_000)
        assert folded(rows) == kept.end
        assert len(told.entries) == kept.end.revision
        (lists,) = [one async for one in Lists(records, ring).compare([told.verdict])]
        assert lists == Comparison(episode_id)
    await records.dispose()
