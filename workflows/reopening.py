"""An episode opened anew from its trail, where Temporal remembers less than the records.

The trail holds all that the core decided, so the state is folded from it and nothing in it is touched. What the trail
can't tell is sent again: pages whose delivery was never reported, and young referrals, under the same ids.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

from protocol import commands as c
from protocol.effects import Page, RequestReferral, effects_of
from protocol.engine import RECEIPT, Receipt
from protocol.episode import next_deadline
from protocol.replay import Replayed, replay
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from workflows.carrying import fits, latest
from workflows.messages import Carried, EpisodeInput
from workflows.orders import page_order, referral_order
from workflows.ports import REFERRAL_LIMIT


def reopened(rows: Sequence[TrailRow], versions: Mapping[str, ProtocolSpec]) -> EpisodeInput:
    """What a workflow is begun with so that it goes on where the trail ends; `versions` has each by its content hash.

    Raises ReplayError for a trail that can't be replayed, KeyError for a version that is not there, ValueError when
    Temporal would not take it.
    """
    opening = (rows[0].payload or {})["event"]
    steps = list(replay(versions[opening["protocol_hash"]], rows, versions))
    last, episode = steps[-1], steps[-1].after
    effects = [(step, one) for step in steps for one in effects_of(step.after, step.events, step.now)]
    young = last.now - REFERRAL_LIMIT
    carried = Carried(
        episode=episode,
        head=rows[-1].head,
        receipts=latest(dict(_receipts(steps))),
        pages=tuple(
            page_order(step.spec, one)
            for step, one in effects
            if isinstance(one, Page) and one.page_id in episode.pages_open
        ),
        referrals=tuple(
            referral_order(one) for _, one in effects if isinstance(one, RequestReferral) and one.requested_at >= young
        ),
    )
    told = EpisodeInput(episode.episode_id, versions[episode.protocol_hash].canonical(), secrets.token_hex(32), carried)
    if not fits(told):
        raise ValueError(f"episode {episode.episode_id} is larger than what Temporal takes")
    return told


def _receipts(steps: Sequence[Replayed]) -> Iterator[tuple[str, str]]:
    """What people were answered, so that a command sent again is not applied again."""
    for step in steps:
        if not isinstance(step.command, c.SystemCommand):
            receipt = Receipt(
                step.command.command_id,
                c.fingerprint(step.command),
                step.after.episode_id,
                step.after.revision,
                step.after.stage,
                step.after.risk,
                next_deadline(step.after),
                step.events,
            )
            yield receipt.command_id, RECEIPT.dump_json(receipt).decode()


def left_over(waiting: Sequence[TrailRow], trail: Sequence[TrailRow]) -> Iterator[c.SentCommand]:
    """What people sent to the workflow that is given up and the trail does not have, in its order."""
    there = {row.command_id for row in trail}
    for row in waiting:
        said = (row.payload or {}).get("command")
        if said is not None and row.command_id not in there:
            command = c.COMMAND.validate_python(said, strict=False)
            if not isinstance(command, c.SystemCommand):
                yield command


def diverged(waiting: Sequence[TrailRow], trail: Sequence[TrailRow]) -> bool:
    """Whether a workflow holds rows that the trail has otherwise."""
    hashes = {row.sequence: row.hash for row in trail}
    return any(hashes.get(row.sequence, row.hash) != row.hash for row in waiting)
