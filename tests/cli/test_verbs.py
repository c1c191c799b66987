"""`holdfast episode do`: every command of the core can be sent, and what is written is read by the protocol."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import typer

from cli.output import Trouble
from cli.verbs import VERBS, Order, add_verbs, command_of, moment_of, obligation_id_of, split_facts
from protocol.commands import HumanCommand, OpenEpisode
from protocol.engine import Engine
from protocol.episode import Episode
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol

LOOKOUT = Path(__file__).parent.parent / "scenarios/lookout.yaml"
NOW = datetime(2026, 12, 1, 22, 0, tzinfo=UTC)  # 14:00 in Los Angeles

WRITTEN: dict[str, list[str]] = {
    "record-facts": ["--set", "danger=no"],
    "complete-step": ["--step", "ask", "--set", "danger=no"],
    "skip-step": ["--step", "ask", "--reason", "no time"],
    "co-sign": ["--subject", "ask", "--entry", "3"],
    "advance": [],
    "go-back": ["--to", "talk", "--reason", "again"],
    "declare-emergency": [],
    "record-crisis-type": ["--crisis-type", "any"],
    "record-contact": ["--party", "client", "--channel", "phone", "--outcome", "reached", "--note", "fine"],
    "record-decision": ["--decision", "any", "--option", "any", "--rationale", "because"],
    "lower-risk": ["--level", "low", "--reason", "calm"],
    "acknowledge": ["--obligation", "call_back"],
    "waive": ["--obligation", "call_back-1", "--reason", "done otherwise"],
    "offer-handover": ["--to", "sol", "--reason", "leave"],
    "accept-handover": [],
    "decline-handover": ["--reason", "full"],
    "add-addendum": ["--refers-to", "1", "--text", "more"],
    "close-episode": ["--outcome", "safe", "--reason", "over"],
}


@pytest.fixture(scope="module")
def spec() -> ProtocolSpec:
    return load_protocol(LOOKOUT)


@pytest.fixture(scope="module")
def episode(spec: ProtocolSpec) -> Episode:
    engine = Engine(spec, "ep-1", bytes(32))
    common: dict[str, Any] = {"command_id": "c-1", "actor": "mara", "role": "therapist", "occurred_at": NOW}
    engine.submit(OpenEpisode(episode_id="ep-1", client_ref="client-1", owner="mara", **common), NOW)
    assert engine.episode is not None
    return engine.episode


def ordered(arguments: list[str]) -> Order:
    taken: list[Order] = []
    app = typer.Typer()
    add_verbs(app, lambda _ctx, order, _as_json: taken.append(order))
    app(args=arguments, standalone_mode=False)
    return taken[0]


def test_every_command_of_the_core_has_a_verb() -> None:
    kinds = {command.__name__ for command in get_args(HumanCommand)}
    assert {command.__name__ for command in VERBS.values()} == kinds - {"OpenEpisode"}
    assert set(WRITTEN) == set(VERBS)


@pytest.mark.parametrize("verb", WRITTEN)
def test_every_command_can_be_written(verb: str, spec: ProtocolSpec, episode: Episode) -> None:
    order = ordered([verb, *WRITTEN[verb], "--as", "mara", "--revision", "3", "--id", "again-1"])
    command = command_of(order, "therapist", spec, episode, NOW)
    assert type(command) is VERBS[verb]
    assert (command.actor, command.role, command.command_id) == ("mara", "therapist", "again-1")
    assert (command.occurred_at, command.expected_revision) == (NOW, 3)


def test_an_obligation_is_known_by_its_name(spec: ProtocolSpec, episode: Episode) -> None:
    order = ordered(["acknowledge", "--obligation", "call_back", "--as", "sol"])
    assert command_of(order, "supervisor", spec, episode, NOW).obligation_id == "call_back-1"  # type: ignore[union-attr]
    with pytest.raises(Trouble, match="no obligation call_bck"):
        obligation_id_of(episode, "call_bck")


def test_answers_are_read_by_the_type_of_their_fact(spec: ProtocolSpec, episode: Episode) -> None:
    order = ordered(["record-facts", "--set", "call_at=18:00", "--set", "danger=no", "--as", "mara"])
    command = command_of(order, "therapist", spec, episode, NOW)
    assert command.facts == {"call_at": "2026-12-02T02:00:00+00:00", "danger": "no"}  # type: ignore[union-attr]


def test_two_commands_have_different_ids() -> None:
    first, second = (ordered(["advance", "--as", "mara"]) for _ in range(2))
    assert first.command_id != second.command_id


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("13:50", "2026-12-01T21:50:00+00:00"),
        ("2026-11-30 13:50", "2026-11-30T21:50:00+00:00"),
        ("2026-12-01T13:50:00-08:00", "2026-12-01T21:50:00+00:00"),
    ],
)
def test_a_late_entry_says_when_it_happened(written: str, expected: str, spec: ProtocolSpec, episode: Episode) -> None:
    order = ordered(["advance", "--as", "mara", "--at", written])
    assert command_of(order, "therapist", spec, episode, NOW).occurred_at.isoformat() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["record-contact", "--party", "client", "--channel", "pigeon", "--outcome", "reached"], "channel"),
        (["record-facts"], "facts"),
        (["record-facts", "--set", "danger"], "is no answer"),
        (["record-facts", "--set", "danger=yes", "--set", "danger=no"], "answered twice"),
        (["lower-risk", "--level", "imminent", "--reason", "no"], "level"),
        (["advance", "--at", "half past two"], "is not a time"),
        (["advance", "--id", "not an id"], "command_id"),
    ],
)
def test_what_is_malformed_is_refused_before_it_is_sent(
    arguments: list[str], message: str, spec: ProtocolSpec, episode: Episode
) -> None:
    with pytest.raises(Trouble, match=message) as trouble:
        command_of(ordered([*arguments, "--as", "mara"]), "therapist", spec, episode, NOW)
    assert trouble.value.code == 2
    assert trouble.value.mend


def test_an_answer_may_contain_an_equals_sign() -> None:
    assert split_facts(["note=a=b"]) == {"note": "a=b"}


def test_a_moment_needs_to_be_one() -> None:
    with pytest.raises(Trouble):
        moment_of("25:00", ZoneInfo("UTC"), NOW)


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_the_calendar_is_said(written: str) -> None:
    with pytest.raises(Trouble, match="outside the calendar"):
        moment_of(written, ZoneInfo("UTC"), NOW)
