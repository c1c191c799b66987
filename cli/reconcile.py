"""`holdfast audit reconcile`: an episode whose workflow is behind its trail, or was ended, goes on from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import typer

from audit.shelf import ShelfError, genuine
from audit.verify import Verifier
from cli.desk import Desk, at_desk, utc_now
from cli.looks import Looks
from cli.output import FOUND, AsJson, Trouble, say, say_json
from cli.shelf import find_person, read_rota
from cli.verbs import As
from protocol.commands import AddAddendum, Migrate, SentCommand
from protocol.replay import ReplayError
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from workflows.client import EpisodeClient, EpisodeOverError, EpisodeUnknownError
from workflows.reopening import diverged, left_over, reopened

MOST_ROWS = 200_000
KNEW_LESS = "Temporal knew less than the trail"


@dataclass(frozen=True)
class Reconciled:
    """What came of it."""

    episode_id: str
    rows: int
    """Where the trail ended when the episode went on from it."""
    taken_over: tuple[str, ...]
    """Commands that only the workflow had, sent again."""
    refused: tuple[str, ...]
    """Of these, what is refused now; the trail says why."""


def reconcile(
    reference: Annotated[str, typer.Argument(help="The episode.")],
    actor: As,
    as_json: AsJson = False,
) -> None:
    """Let an episode go on from its trail, where Temporal was restored from an older copy, or its workflow was ended.

    No row is changed. What people sent to the workflow meanwhile is sent again; what is due is paged at once.
    """
    done = at_desk(lambda desk: reconciled(desk, reference, actor))
    if as_json:
        say_json(done)
        return
    say(f"Episode {done.episode_id} goes on from entry {done.rows} of its trail.")
    say(f"{len(done.taken_over)} commands that only the workflow had were sent again.")
    for kind in done.refused:
        say(f"Refused now: {kind}; the trail says why. Look at the episode and enter it anew where it still holds.")


async def reconciled(desk: Desk, reference: str, actor: str) -> Reconciled:
    """Do it. Raises Trouble when the trail is damaged, or when there is nothing to reconcile."""
    episode_id = await desk.find(reference)
    await Looks("audit reconcile").shows(desk, [(episode_id, "")])
    verdict = await Verifier(desk.records, desk.ring).episode(episode_id)
    if verdict.fault is not None:
        raise Trouble(f"the trail itself is damaged: {verdict.fault}", "restore the records first", FOUND)
    rows = await desk.queries.trail_rows(episode_id, limit=MOST_ROWS)
    if not rows:
        raise Trouble(f"there is no trail of {episode_id}", "check the id", FOUND)
    versions, engine = await _versions(desk, rows), await desk.engine()
    waiting, why = await _behind(engine, episode_id, rows)
    try:
        told = reopened(rows, versions)
    except (ReplayError, KeyError, ValueError) as error:
        raise Trouble(f"the trail can't be gone on from: {error}", "tell the maintainers of Holdfast", FOUND) from None
    assert told.carried is not None
    assert told.carried.episode is not None
    spec = versions[told.carried.episode.protocol_hash]
    _, role = find_person(read_rota(desk.settings), actor, None, spec, unlicensed=True)
    given_up = await engine.reopen(told)
    if given_up is not None and waiting:
        waiting = await engine.waiting(episode_id, given_up)  # what came in between the look and the end
    sent = list(left_over(waiting, rows))
    refused = [kind for command in sent if (kind := await _sent(engine, episode_id, command)) is not None]
    note = AddAddendum(
        command_id=str(uuid4()),
        actor=actor,
        role=role,
        occurred_at=utc_now(),
        refers_to=len(rows),
        text=f"{why}; the episode went on from entry {len(rows)}. "
        f"{len(sent)} commands that only the workflow had were sent again.",
    )
    await engine.submit(episode_id, note)
    return Reconciled(episode_id, len(rows), tuple(one.kind for one in sent), tuple(refused))


async def _versions(desk: Desk, rows: Sequence[TrailRow]) -> dict[str, ProtocolSpec]:
    events: list[dict[str, Any]] = [(row.payload or {}).get("event", {}) for row in rows]
    hashes = {event["protocol_hash"] for event in events if event.get("kind") in ("EpisodeOpened", "Migrated")}
    found = {content_hash: await desk.queries.get_protocol(content_hash) for content_hash in hashes}
    missing = [content_hash[:12] for content_hash, one in found.items() if one is None]
    if missing:
        raise Trouble(f"the records lack the protocol {', '.join(missing)}", "publish or restore it first", FOUND)
    try:
        return {
            content_hash: genuine(one.document, content_hash) for content_hash, one in found.items() if one is not None
        }
    except ShelfError as error:
        raise Trouble(str(error), "restore the records first", FOUND) from None


async def _behind(engine: EpisodeClient, episode_id: str, rows: Sequence[TrailRow]) -> tuple[Sequence[TrailRow], str]:
    """What the workflow has and the records do not, and why the episode does not go on by itself.

    Raises Trouble when it does.
    """
    try:
        view, waiting = await engine.view(episode_id), await engine.waiting(episode_id)
        if await engine.stopped(episode_id):
            return waiting, "The workflow was ended in Temporal"
    except (EpisodeUnknownError, EpisodeOverError):
        return (), KNEW_LESS
    if len(rows) > view.head.sequence or diverged(waiting, rows):
        return waiting, KNEW_LESS
    raise Trouble("the workflow knows all that the trail says", "there is nothing to reconcile", FOUND)


async def _sent(engine: EpisodeClient, episode_id: str, command: SentCommand) -> str | None:
    """Send it again; its kind when it is refused now."""
    if isinstance(command, Migrate):
        return command.kind
    receipt = await engine.submit(episode_id, command)
    return None if receipt.refusal is None else command.kind
