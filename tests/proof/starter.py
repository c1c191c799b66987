"""The protocol that `holdfast protocol new` begins with, changed in one place."""

from __future__ import annotations

from pathlib import Path

from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_yaml

TEXT = (Path(__file__).parents[2] / "protocol_specs/templates/starter/protocol.yaml").read_text(encoding="utf-8")


def starter(*changes: tuple[str, str], more: str = "") -> ProtocolSpec:
    """The starter with some passages replaced, each of which is there once, and more written at its end."""
    text = TEXT.replace("NAME", "evening_line").replace("SCHEMA", "protocol.schema.json")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return read_yaml(text + more).validate(ProtocolSpec)
