"""Who sits at the command line, for the access trail."""

from __future__ import annotations

import getpass

ROLE = "command line"
"""Whoever may run a command with the keys of the records has no role within the practice by that."""


def somebody() -> str:
    """The login name of this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container with a user that has no name
        return "unknown"
