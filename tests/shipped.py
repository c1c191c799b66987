"""Protocol files, each read once in a process: a large one takes a fifth of a second, and many tests begin with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol


@cache
def protocol_in(path: Path) -> ProtocolSpec:
    """The protocol of a file that no test changes."""
    return load_protocol(path)
