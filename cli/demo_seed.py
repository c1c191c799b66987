"""Fictional clients for a first look: a few open episodes, at different places of their protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli.shelf import read_protocol
from protocol.commands import HumanCommand, OpenEpisode
from rehearsal.scenario import COMMANDS
from settings import Settings
from workflows.client import EpisodeClient, EpisodeOverError
from workflows.connection import connect

Facts = Mapping[str, Any]

SESSION: Facts = {
    "name_confirmed": "yes",
    "present_address": "12 Kelp Lane, Unit 3, Oakland",
    "address_complete": "yes",
    "present_county": "alameda",
    "in_california": "yes",
    "callback_number": "510-555-0137",
    "alternate_channel": "phone",
    "others_present": "nobody",
    "privacy_ok": "yes",
    "device_state": "good",
    "telehealth_appropriate": "yes",
    "assessment_channel": "video",
}
"""The answers of a session's start."""


@dataclass(frozen=True)
class Seed:
    """A fictional episode: who opens it and what was done so far."""

    episode_id: str
    protocol: str
    client_ref: str
    by: str
    role: str
    crisis_types: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict[str, Any])
    drill: bool = False
    then: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Commands by name with their own fields, all by the same person."""


SEEDS = (
    Seed(
        episode_id="5e1f0c52-demo",
        protocol="virtual_iop_crisis",
        client_ref="client-1001",
        by="maya",
        role="therapist",
        crisis_types=("craving",),
        facts={"report_channel": "in_session", "age": 29},
        then=(("complete_step", {"step": "session_start", "facts": SESSION}),),
    ),
    Seed(
        episode_id="8a40d7b1-demo",
        protocol="virtual_iop_crisis",
        client_ref="client-1002",
        by="sam",
        role="therapist",
        crisis_types=("suicidality",),
        facts={"report_channel": "in_session", "age": 41},
        then=(
            ("complete_step", {"step": "session_start", "facts": {**SESSION, "present_county": "orange"}}),
            ("record_facts", {"facts": {"cssrs_1": "yes", "cssrs_2": "yes", "cssrs_3": "yes", "cssrs_4": "yes"}}),
        ),
    ),
    Seed(
        episode_id="c3d92e6f-demo",
        protocol="withdrawal_monitoring",
        client_ref="client-1003",
        by="noor",
        role="nurse",
        crisis_types=("alcohol_withdrawal",),
        facts={"present_county": "san_mateo", "callback_number": "650-555-0100"},
    ),
    Seed(
        episode_id="f7b8a914-demo",
        protocol="virtual_iop_crisis",
        client_ref="client-drill",
        by="lee",
        role="therapist",
        crisis_types=("overdose_unresponsive",),
        facts={"report_channel": "in_session", "present_county": "san_francisco"},
        drill=True,
        then=(("declare_emergency", {"reason": "Exercise: no answer on camera."}),),
    ),
)


async def seed(settings: Settings, say: Callable[[str], None]) -> None:
    """Open a few fictional episodes. May be interrupted and run again: identities are fixed, so nothing doubles."""
    engine = EpisodeClient(await connect(settings), settings.temporal_task_queue)
    for one in SEEDS:
        spec = read_protocol(one.protocol, settings.protocols)
        opening, *then = commands_of(one, datetime.now(UTC))
        assert isinstance(opening, OpenEpisode)
        try:
            await engine.open(spec, opening)
            for command in then:
                await engine.submit(one.episode_id, command)
        except EpisodeOverError:
            continue  # planted before, and closed since
    say(f"Opened {len(SEEDS)} fictional episodes")


def commands_of(one: Seed, now: datetime) -> list[HumanCommand]:
    """What opens an episode and what was done so far, as of `now` (aware UTC)."""
    opening: dict[str, Any] = {
        "episode_id": one.episode_id,
        "client_ref": one.client_ref,
        "owner": one.by,
        "crisis_types": one.crisis_types,
        "facts": one.facts,
        "drill": one.drill,
    }
    return [
        COMMANDS[name](**own, command_id=f"{one.episode_id}-{number}", actor=one.by, role=one.role, occurred_at=now)
        for number, (name, own) in enumerate((("open_episode", opening), *one.then))
    ]
