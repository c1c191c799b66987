"""What one run of an episode hands to the next, kept within what Temporal takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock

from pydantic_core import to_json

from protocol.commands import Migrate
from protocol.engine import Engine
from protocol.program import program
from protocol.spec import ProtocolSpec
from workflows.messages import Carried, EpisodeInput, Submission

LARGEST_PROTOCOL = 1_000_000
"""Characters of the canonical form; what Temporal takes in one message is twice as much."""
LARGEST_RECEIPTS = 512 * 1024
"""Characters of JSON of the receipts carried over; the latest ones are kept."""
LARGEST_INPUT = 1_900_000
"""Bytes of JSON that the next run is handed at most; Temporal takes 2 MiB, and refuses more for good. What is sealed is
about a third of it, but how well it shrinks no two machines need agree on."""

_READING = Lock()


def protocol_of(document: str) -> ProtocolSpec:
    """The protocol of a canonical document; read and compiled once and shared by all its episodes.

    A worker that starts meets many episodes of one protocol at the same moment: one of them reads it.
    """
    with _READING:
        return _read(document)


@lru_cache(maxsize=64)
def _read(document: str) -> ProtocolSpec:
    spec = ProtocolSpec.model_validate_json(document)
    program(spec)
    return spec


def engine_of(told: EpisodeInput) -> Engine:
    """The engine of an episode as it begins or as the last run left it."""
    carried = told.carried or Carried(episode=None, head=None)
    return Engine(
        protocol_of(told.protocol),
        told.episode_id,
        bytes.fromhex(told.salt_key),
        carried.episode,
        carried.head,
        carried.receipts,
    )


def onto_of(submission: Submission) -> ProtocolSpec | None:
    """The version that a `Migrate` brings along; None for every other command.

    Raises ValueError when the document is missing, none, too large, or not the one that the command names: what is
    recorded must be decided alike by whoever reads that document from the records.
    """
    document = submission.protocol
    wanted = submission.command.protocol_hash if isinstance(submission.command, Migrate) else None
    if document is None and wanted is None:
        return None
    if document is None or wanted is None or len(document) > LARGEST_PROTOCOL:
        raise ValueError(f"a `Migrate` comes with a document of at most {LARGEST_PROTOCOL} characters, alone")
    if hashlib.sha256(document.encode()).hexdigest() != wanted:
        raise ValueError("the document is not the one that the command names")
    return protocol_of(document)


def fits(told: EpisodeInput) -> bool:
    """Whether Temporal takes this as the input of a run."""
    return len(to_json(told)) <= LARGEST_INPUT


def latest(receipts: Mapping[str, str]) -> dict[str, str]:
    """The latest receipts that fit, oldest first."""
    kept: list[tuple[str, str]] = []
    size = 0
    for command_id, receipt in reversed(list(receipts.items())):
        size += len(receipt)
        if size > LARGEST_RECEIPTS:
            break
        kept.append((command_id, receipt))
    return dict(reversed(kept))
