"""The events of moving an episode to a newer version of its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from protocol.commands import STRICT
from protocol.values import value


@value
class Migrated:
    """The episode runs under another version of its protocol from here on. Deadlines change by events of their own."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    protocol_version: str
    protocol_hash: str
    previous_version: str
    previous_hash: str
    stage: str
    renamed: Mapping[str, Mapping[str, str]]
    """Section of the protocol → the old name → the new one."""
    forgotten: Mapping[str, tuple[str, ...]]
    """Section → what the new version has no place for; it stays in the trail."""
    policies: Mapping[str, str]
    """Open obligation → what becomes of its deadline."""
    by: str
    sign_off_by: str
    """Who answers for it clinically; empty where no deadline comes later or is dropped."""
    sign_off_role: str
    sign_off_reason: str
    at: datetime
    kind: Literal["Migrated"] = "Migrated"


@value
class ObligationRescheduled:
    """A newer version of the protocol asks for it sooner."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    previous_due_at: datetime
    due_at: datetime
    next_page_at: datetime
    at: datetime
    kind: Literal["ObligationRescheduled"] = "ObligationRescheduled"
