"""A typical episode of the largest protocol, led to where a therapist goes forward and back between two stages.

Each such step enters a stage, ends the time limit of the one before and opens the next: three rows of the trail,
and another deadline.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from protocol.commands import Advance, CompleteStep, GoBack, HumanCommand, OpenEpisode
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol
from settings import Settings
from workflows.client import EpisodeClient

BACK, FORTH = "exploring_feelings", "coping"
PLACE = {
    "name_confirmed": "yes",
    "present_address": "4 Canal Rd, Stockton",
    "address_complete": "yes",
    "present_county": "san_joaquin",
    "in_california": "yes",
    "callback_number": "209-555-0100",
    "alternate_channel": "phone",
    "others_present": "nobody",
    "privacy_ok": "yes",
    "device_state": "good",
    "telehealth_appropriate": "yes",
    "assessment_channel": "video",
    "environment_risks": "none seen",
    "familiar_clinician": "yes",
}
STATE = {
    "crisis_nature": "Cannot breathe, wants to drink",
    "suicidal_thoughts": "no",
    "homicidal_thoughts": "no",
    "self_harm_risk": "no",
    "medical_danger": "no",
    "weapon_or_violence": "no",
    "engages": "yes",
    "coping_now": "walking",
    "supports_available": "some",
}
LEAD_IN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("session_start", PLACE),
    ("rapid_assessment", STATE),
    ("observations", {"affect_observed": "Pale", "surroundings_observed": "Car, alone", "observation_concern": "no"}),
    ("suicide_screen", {"cssrs_1": "no", "cssrs_2": "no", "cssrs_6": "never"}),
    ("", {}),
    ("rapport", {"rapport_state": "trusting", "techniques_used": ("active_listening",)}),
    ("", {}),
    ("precipitating_event", {"precipitating_event": "Was let go", "client_reading": "Everything falls apart"}),
    ("", {}),
    ("explore_feelings", {"feelings": "fear", "intensity": 8, "techniques_used": ("breathing",)}),
    ("", {}),
)
"""Steps with their answers; an empty name goes on to the next stage."""


def flagship(settings: Settings) -> ProtocolSpec:
    """The protocol of the benchmarks."""
    return load_protocol(settings.protocols / "virtual_iop_crisis.yaml")


def opening(occurred_at: datetime | None = None) -> OpenEpisode:
    """A new episode of Maya's, begun now or at a moment before."""
    return OpenEpisode(
        **_asked(occurred_at),
        episode_id=str(uuid.uuid4()),
        client_ref=f"client-{uuid.uuid4()}",
        owner="maya",
        facts={"report_channel": "in_session", "age": 41},
    )


def lead_in() -> Iterator[HumanCommand]:
    """The commands from the opening to the two stages."""
    for step, facts in LEAD_IN:
        yield CompleteStep(**_asked(), step=step, facts=facts) if step else Advance(**_asked())


def back_and_forth() -> Iterator[HumanCommand]:
    """Steps without end."""
    for back in cycle((True, False)):
        yield GoBack(**_asked(), to=BACK, reason="We stay with them a little") if back else Advance(**_asked())


async def led(episodes: EpisodeClient, spec: ProtocolSpec) -> str:
    """Open an episode and lead it in; its id."""
    begun = opening()
    await episodes.open(spec, begun)
    for command in lead_in():
        receipt = await episodes.submit(begun.episode_id, command)
        assert receipt.refusal is None, receipt.refusal
    return begun.episode_id


def _asked(occurred_at: datetime | None = None) -> dict[str, Any]:
    return {
        "command_id": str(uuid.uuid4()),
        "actor": "maya",
        "role": "therapist",
        "occurred_at": occurred_at or datetime.now(UTC),
    }
