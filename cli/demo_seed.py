"""Fictional clients and staff for a first look."""

from collections.abc import Callable

from settings import Settings


async def seed(settings: Settings, say: Callable[[str], None]) -> None:
    """Open a few fictional episodes. May be interrupted and run again: identities are fixed, so nothing doubles."""
