"""What one run of an episode hands to the next, kept within what Temporal takes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pydantic import TypeAdapter

from protocol.engine import Engine, Receipt
from protocol.spec import ProtocolSpec
from workflows.messages import Carried, EpisodeInput

LARGEST_RECEIPTS = 512 * 1024
"""Bytes of JSON of the receipts carried over; the latest ones are kept."""

_RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)


@lru_cache(maxsize=64)
def protocol_of(document: str) -> ProtocolSpec:
    """The protocol of a canonical document; read once and shared by all its episodes."""
    return ProtocolSpec.model_validate_json(document)


def engine_of(told: EpisodeInput) -> Engine:
    """The engine of an episode as it begins or as the last run left it."""
    carried = told.carried or Carried(episode=None, head=None)
    return Engine(
        protocol_of(told.protocol),
        told.episode_id,
        bytes.fromhex(told.salt_key),
        carried.episode,
        carried.head,
        {receipt.command_id: receipt for receipt in carried.receipts},
    )


def latest(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """The latest receipts that fit, oldest first."""
    kept: list[Receipt] = []
    size = 0
    for receipt in reversed(list(receipts)):
        size += len(_RECEIPT.dump_json(receipt))
        if size > LARGEST_RECEIPTS:
            break
        kept.append(receipt)
    return tuple(reversed(kept))
