"""Every duty of every protocol that ships, left alone: it is missed, climbs its whole ladder, and is never silent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.engine import Engine
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol.turn import Turn
from tests.shipped import protocol_in

SPECS = Path(__file__).parents[2] / "protocol_specs"
NAMES = ("virtual_iop_crisis", "withdrawal_monitoring", "caring_contacts")
START = datetime(2026, 12, 1, 18, tzinfo=UTC)


@cache
def protocol(name: str) -> ProtocolSpec:
    return protocol_in(SPECS / f"{name}.yaml")


DUTIES = [(name, duty) for name in NAMES for duty in protocol(name).obligations]


def left_alone(spec: ProtocolSpec, duty: str) -> Engine:
    """An episode in which only this is owed, from the start."""
    engine = Engine(spec, "alone", bytes(32))
    role = next(iter(spec.roles))
    engine.submit(
        c.OpenEpisode(
            command_id="o", actor="mara", role=role, occurred_at=START, episode_id="alone", client_ref="c", owner="mara"
        ),
        START,
    )
    assert engine.episode is not None
    turn = Turn(program(spec), replace(engine.episode, obligations={}), START, START)
    turn.open(duty, START)
    return Engine(spec, "alone", bytes(32), turn.episode)


@pytest.mark.parametrize(("name", "duty"), DUTIES)
def test_what_nobody_does_is_missed_and_climbs_to_the_last_rung_and_on(name: str, duty: str) -> None:
    spec = protocol(name)
    engine = left_alone(spec, duty)
    assert engine.episode is not None
    (owed,) = engine.episode.obligations.values()
    ladder = spec.ladders[spec.obligations[duty].ladder]
    pages: list[e.PageRequested] = []
    missed = False
    while not missed or len(pages) <= len(ladder.rungs):
        due = engine.next_deadline()
        assert due is not None
        assert due < START + timedelta(days=400)
        engine.sweep(due)
        told = [e.EVENT.validate_json(json.dumps(row.payload["event"])) for row in engine.take_rows() if row.payload]
        own = [event for event in told if getattr(event, "obligation_id", "") == owed.obligation_id]
        pages += [event for event in own if isinstance(event, e.PageRequested)]
        missed = missed or any(isinstance(event, e.DeadlineMissed) for event in own)
    assert missed
    assert [page.role for page in pages][: len(ladder.rungs)] == [rung.page for rung in ladder.rungs]
    assert len(pages) > len(ladder.rungs)
    assert all(page.next_page_at - page.at <= timedelta(days=5) for page in pages)
    assert owed.obligation_id in engine.episode.obligations
