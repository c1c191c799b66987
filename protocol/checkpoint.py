"""A checkpoint: what is signed so that the trail can be held against something outside the records. Pure.

    leaf    = SHA-256(0x00, JSON list of episode id, sequence, hash): how far a chain reached
    node    = SHA-256(0x01, left, right)
    root    = the Merkle root of the leaves in order of the episode ids (RFC 6962)
    signed  = JSON list: format, number, time, previous, rows, size, root, key id

Each checkpoint names the episodes that grew since the one before, and carries the hash of that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from protocol.canonical import canonical, rfc3339

FORMAT = "holdfast-checkpoint-1"
NOTHING_BEFORE = sha256(FORMAT.encode()).hexdigest()
"""What the first checkpoint has as the previous one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the chain of an episode reached."""

    episode_id: str
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a checkpoint says. Hashes are lower-case hexadecimal."""

    number: int
    """From 1, without gaps."""
    at: datetime
    """When it was made (aware UTC)."""
    previous: str
    """The hash of the statement before."""
    rows: int
    """How many rows of the trail this one and those before cover together."""
    size: int
    """How many marks it has."""
    root: str
    key_id: str

    def signed(self) -> bytes:
        """The bytes that are signed."""
        return canonical(
            [FORMAT, self.number, rfc3339(self.at), self.previous, self.rows, self.size, self.root, self.key_id]
        )

    @property
    def hash(self) -> str:
        """What the next statement carries as `previous`."""
        return sha256(self.signed()).hexdigest()


def root_of(marks: Sequence[Mark]) -> str:
    """The Merkle root of marks, in their order."""
    return _tree([_leaf(one) for one in marks]).hex()


def proof_of(marks: Sequence[Mark], place: int) -> list[str]:
    """The hashes with which the mark at a place (from 0) leads to the root, lowest first (RFC 6962, 2.1.1)."""
    return [one.hex() for one in _path([_leaf(mark) for mark in marks], place)]


def _path(leaves: Sequence[bytes], place: int) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    half = _half(leaves)
    if place < half:
        return [*_path(leaves[:half], place), _tree(leaves[half:])]
    return [*_path(leaves[half:], place - half), _tree(leaves[:half])]


def _leaf(mark: Mark) -> bytes:
    return sha256(b"\x00" + canonical([mark.episode_id, mark.sequence, mark.hash])).digest()


def _half(leaves: Sequence[bytes]) -> int:
    """The largest power of two below their number."""
    return 1 << (len(leaves) - 1).bit_length() - 1


def _tree(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = _half(leaves)
    return sha256(b"\x01" + _tree(leaves[:half]) + _tree(leaves[half:])).digest()
