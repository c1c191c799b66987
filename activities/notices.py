"""What leaves the house: a notice to staff. It names an episode and a duty, never a client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from protocol.rota import Person


@dataclass(frozen=True)
class Notice:
    """One message, in words and as data. `key` is the same for every attempt, so that receivers can tell."""

    key: str
    type: str
    """`page.requested` or `referral.requested`."""
    subject: str
    text: str
    data: dict[str, Any]


class NotDeliveredError(Exception):
    """The provider did not take a message. Says why in words without client information."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final
        """True when trying again can't help."""


class Notifier(Protocol):
    """A way to reach people."""

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        """Hand the notice to the provider for these people. Raises NotDeliveredError."""
        ...
