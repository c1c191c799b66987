"""The settings of this process, read when a command first needs them."""

from functools import cache

from settings import Settings, load


@cache
def settings() -> Settings:
    """Settings from the environment. Raises SettingsError, which says what to change."""
    return load()
