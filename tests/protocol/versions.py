"""Newer versions of the compact protocol, and what is no way for an open episode of it."""

from __future__ import annotations

from functools import cache

from protocol.spec import ProtocolSpec
from tests.protocol.specs import OBLIGATIONS, protocol

QUICKER = {**OBLIGATIONS, "finish_assessment": {**OBLIGATIONS["finish_assessment"], "due": "1h"}}
WAY = {
    "obligations": {
        "finish_assessment": {"deadline": "shorten"},
        "first_contact": {"deadline": "rearm"},
        "handover_seen": {"deadline": "waive", "because": "The new version asks otherwise."},
    }
}


@cache
def newer_versions() -> tuple[ProtocolSpec, ...]:
    """One with a way from the compact protocol, one without, and another protocol."""
    return (
        protocol(version="2.0.0", migrates_from={"1.0.0": WAY}, obligations=QUICKER),
        protocol(version="3.0.0"),
        protocol(protocol="other"),
    )
