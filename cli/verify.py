"""`holdfast audit verify`: every check of the records in one command, and in words what was checked and what not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from activities.ends import Ends
from audit.crew import Crew
from audit.verification import Findings, Wanted, verification
from cli.books import keys_to_check, verify_keys
from cli.checkpoint import read_pinned
from cli.desk import Desk, at_desk, utc_now
from cli.looks import look, note
from cli.output import FOUND, AsJson, Trouble, say, say_json
from cli.tables import table
from workflows.client import EngineUnavailableError, EpisodeClient


def verify(
    reference: Annotated[str | None, typer.Argument(help="An episode; all of them when left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Chains and seals only: three times faster.")] = False,
    ask: Annotated[
        bool, typer.Option("--all", help="Also ask the workflow of every episode that Temporal still has.")
    ] = False,
    kept: Annotated[Path | None, typer.Option("--checkpoint", help="Checkpoints that were kept outside.")] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=64, help="How many check at once; one for each processor otherwise."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain of every episode, the signed checkpoints, the lists that were made from the trail, and the
    ledger of who looked, holds, publications and releases.

    Names the first bad row of each chain and the first wrong column of each list, and says what was not checked.
    Of a single episode the workflow is always asked for the end of its chain.
    """
    wanted = Wanted(pinned=() if kept is None else read_pinned(kept), quick=quick, ask=ask)
    if kept is not None:
        verify_keys()  # without a key it can't be held against anything
    count = processes or os.cpu_count() or 1
    found = at_desk(lambda desk: _verify(desk, reference, wanted, count))
    if as_json:
        say_json(_as_object(found))
    else:
        _show(found)
    if found.bad:
        raise typer.Exit(FOUND)


async def _verify(desk: Desk, reference: str | None, wanted: Wanted, count: int) -> Findings:
    if reference is not None:
        wanted = replace(wanted, episode_id=await desk.find(reference))
    keys, workflows, begun = keys_to_check(desk.settings), Ends(ways_to(desk)), utc_now()
    with Crew(desk.settings.database_url.get_secret_value(), _sealing_keys(desk), count) as crew:
        side_by_side = crew if count > 1 else None
        found = await verification(desk.records, desk.ring, keys, workflows, wanted, side_by_side)
    how: dict[str, Any] = {"workflows": wanted.ask, "quick": wanted.quick, "kept_outside": len(wanted.pinned)}
    # Records that take nothing, damaged or read only, must still be verified: the row then waits in a file.
    did = look("audit verify", "verified", wanted.episode_id or "", **how, **found.account(begun))
    await note(desk, did, urgent=True)
    return found


def _sealing_keys(desk: Desk) -> list[tuple[str, bytes]]:
    return [(key.id, key.secret) for key in desk.settings.record_keys]


def ways_to(desk: Desk):
    """How the workflows are reached; that they are not is no reason to stop."""

    async def connect() -> EpisodeClient:
        try:
            return await desk.engine()
        except Trouble as error:
            raise EngineUnavailableError(str(error)) from None

    return connect


def _as_object(found: Findings) -> dict[str, Any]:
    return {
        "good": not found.bad,
        "found": found.bad,
        "episodes": found.verdicts,
        "checkpoints": {"rows": found.checkpoints.found.rows, "problem": found.checkpoints.problem},
        "ledger": found.ledger,
        "publications": {"problem": found.publications or None},
        "lists": found.lists,
        "workflows": {
            "asked": {name: end.head for name, end in found.asked.ends.items()},
            "silent": found.asked.silent,
            "why": found.asked.why,
        },
    }


def _show(found: Findings) -> None:
    rows = [
        (one.episode_id, str(one.rows), str(one.unreadable or ""), "BAD" if one.fault else "good", one.head.hash[:12])
        for one in found.verdicts
    ]
    table("", ("Episode", "Good rows", "Unreadable", "Verdict", "Head"), rows, "No episode.")
    for one in found.found:
        say(f"\nBAD: {one.text}\n     It means: {one.means}\n     Do next: {one.next}")
    say()
    for line in found.said:
        say(line)
