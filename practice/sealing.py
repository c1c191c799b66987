"""Sealing of what the practice keeps about clients, with the key-encryption keys of the records."""

from __future__ import annotations

import json
from typing import Any

from audit.sealing import Keyring, SealingError
from protocol.canonical import canonical

_END_OF_NAME = b"\x00"


class Seal:
    """Seals small documents. Each is bound to its place: put elsewhere, it does not open."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def close(self, document: dict[str, Any], what: str, place: str) -> bytes:
        """The document, sealed for this place."""
        return self._ring.active.encode() + _END_OF_NAME + self._ring.wrap(canonical(document), what, place)

    def open(self, sealed: bytes, what: str, place: str) -> dict[str, Any]:
        """The document. Raises SealingError when it was changed, moved, or its key is missing."""
        name, end, rest = sealed.partition(_END_OF_NAME)
        if not end:
            raise SealingError(f"what stands under {what} is not sealed by us")
        return json.loads(self._ring.unwrap(rest, name.decode(), what, place))
