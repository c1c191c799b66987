"""Who led a severe episode from when on, and what is counted: names from the protocol, never what somebody wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from protocol.tallies import counted, rises
from protocol.trail import Entry, TrailRow, append, genesis, payload_of

START = datetime(2026, 12, 1, 9, tzinfo=UTC)


def trail(*events: dict[str, Any]) -> list[TrailRow]:
    head, rows = genesis("ep-1"), list[TrailRow]()
    for number, event in enumerate(events, 1):
        at = START + timedelta(minutes=number)
        entry = Entry("ep-1", number, at, at, "lee", "therapist", f"c-{number}", event["kind"], payload_of(event))
        rows.append(append(head, entry, bytes(32)))
        head = rows[-1].head
    return rows


OPENED = {"kind": "EpisodeOpened", "owner": "maya", "risk": "low"}
RAISED = {"kind": "RiskRaised", "level": "high"}
TAKEN = {"kind": "HandoverAccepted", "owner": "sam"}
LOWERED = {"kind": "RiskLowered", "level": "moderate"}


def led(rows: list[TrailRow], **before: str) -> list[tuple[int, str, str]]:
    return [(one.sequence, one.level, one.owner) for one in rises(rows, **before)]


def test_a_rise_counts_for_whoever_leads_and_a_hand_over_while_severe_for_the_next():
    rows = trail(OPENED, RAISED, TAKEN, LOWERED, TAKEN, {**RAISED, "level": "imminent"})
    assert led(rows) == [(2, "high", "maya"), (3, "high", "sam"), (6, "imminent", "sam")]


def test_a_later_part_of_the_trail_goes_on_from_who_led_before():
    rows = trail(OPENED, RAISED, TAKEN)
    assert led(rows[2:], owner="maya", risk="high") == [(3, "high", "sam")]
    assert led(rows[1:2], owner="maya", risk="low") == [(2, "high", "maya")]


def test_what_is_counted_has_no_words_of_people():
    decided = {"kind": "DecisionRecorded", "decision": "step_up", "option": "stay", "advised": "php", "rationale": "x"}
    assert list(counted(decided)) == [("decided", "step_up/stay"), ("overruled", "step_up/php/stay")]
    assert list(counted({**decided, "advised": "stay"})) == [("decided", "step_up/stay")]
    assert list(counted({"kind": "CommandRefused", "code": "missing_facts", "message": "x"})) == [
        ("refused", "missing_facts")
    ]
    assert list(counted({"kind": "AddendumAdded", "text": "x"})) == []
