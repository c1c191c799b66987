"""The settings of this process, read when a command first needs them: checking a file needs none."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cli.output import Trouble

if TYPE_CHECKING:
    from settings import Settings


@cache
def settings() -> Settings:
    """Settings from the environment. Raises Trouble, which says what to change."""
    from settings import SettingsError, load

    try:
        return load()
    except SettingsError as error:
        raise Trouble(str(error), "set the variable; docs/settings.md lists them all") from None
