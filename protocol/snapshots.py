"""What an obligation keeps of its protocol as it was when it opened."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from protocol.commands import STRICT
from protocol.values import value


@value
class RungSnapshot:
    """A rung as it was when its obligation opened; seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    page: str
    channels: tuple[str, ...]
    wait: int


@value
class LadderSnapshot:
    """A ladder as it was when its obligation opened; seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    name: str
    rungs: tuple[RungSnapshot, ...]
    repeat: int
    lease: int
