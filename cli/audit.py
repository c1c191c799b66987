"""`holdfast audit …`: whether the records are what was recorded, and what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.checkpoints import Signed
from audit.verify import Verdict, Verifier
from cli.checkpoint import Compared, checkpoint, compare, read_pinned
from cli.desk import Desk, at_desk
from cli.output import FOUND, AsJson, Trouble, say, say_json, table
from cli.replay import replay
from protocol.trail import Head
from workflows.client import EpisodeError

app = typer.Typer(no_args_is_help=True, help="Check the audit trail, and replay an episode from it.")
app.command()(replay)
app.command()(checkpoint)


@app.callback()
def audit() -> None:
    """Check the audit trail, and replay an episode from it."""


@app.command()
def verify(
    reference: Annotated[str | None, typer.Argument(help="An episode; all of them when left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Chains and seals only: three times faster.")] = False,
    kept: Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint that was kept outside.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain of every episode against the signed checkpoints, and name the first bad row of each.

    Of a single episode the end of the chain is also held against what its workflow remembers.
    """
    pinned = None if kept is None else read_pinned(kept)
    verdicts, compared = at_desk(lambda desk: _verify(desk, reference, pinned, contents=not quick))
    bad = [verdict for verdict in verdicts if verdict.fault is not None]
    if as_json:
        checkpoints = {"rows": compared.found.rows, "problem": compared.problem}
        say_json({"good": not bad and not compared.problem, "episodes": verdicts, "checkpoints": checkpoints})
    else:
        _show(verdicts, bad)
        say(compared.problem or compared.said)
    if bad or compared.problem:
        raise typer.Exit(FOUND)


async def _verify(
    desk: Desk, reference: str | None, pinned: Signed | None, *, contents: bool
) -> tuple[list[Verdict], Compared]:
    compared = await compare(desk.settings, desk.records, pinned)
    verifier = Verifier(desk.records, desk.ring, contents, compared.found.marks)
    if reference is None:
        return [verdict async for verdict in verifier.all()], compared
    episode_id = await desk.find(reference)
    return [await verifier.episode(episode_id, await _remembered(desk, episode_id))], compared


async def _remembered(desk: Desk, episode_id: str) -> Head | None:
    """The end of the chain as the workflow knows it; None when it can't be asked or the records lag behind it."""
    try:
        view = await (await desk.engine()).view(episode_id)
    except (Trouble, EpisodeError):
        return None
    return view.head if view.unrecorded == 0 else None


def _show(verdicts: list[Verdict], bad: list[Verdict]) -> None:
    rows = [
        (one.episode_id, str(one.rows), str(one.unreadable or ""), "BAD" if one.fault else "good", one.head.hash[:12])
        for one in verdicts
    ]
    table("", ("Episode", "Good rows", "Unreadable", "Verdict", "Head"), rows, "No episode.")
    for verdict in bad:
        say(f"\n{verdict.fault}")
    say(f"\n{len(verdicts)} episodes: " + (f"{len(bad)} BAD" if bad else "all good"))
