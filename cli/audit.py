"""`holdfast audit …`: whether the records are what was recorded, and what they tell."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.verify import Verdict, Verifier
from cli.desk import Desk, at_desk
from cli.output import FOUND, AsJson, Trouble, say, say_json, table
from cli.replay import replay
from protocol.trail import Head
from workflows.client import EpisodeError

app = typer.Typer(no_args_is_help=True, help="Check the audit trail, and replay an episode from it.")
app.command()(replay)


@app.callback()
def audit() -> None:
    """Check the audit trail, and replay an episode from it."""


@app.command()
def verify(
    reference: Annotated[str | None, typer.Argument(help="An episode; all of them when left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Chains and seals only: three times faster.")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify the chain of every episode, and name the first bad row of each that was changed.

    Of a single episode the end of the chain is also held against what its workflow remembers.
    """
    verdicts = at_desk(lambda desk: _verify(desk, reference, contents=not quick))
    bad = [verdict for verdict in verdicts if verdict.fault is not None]
    if as_json:
        say_json({"good": not bad, "episodes": verdicts})
    else:
        _show(verdicts, bad)
    if bad:
        raise typer.Exit(FOUND)


async def _verify(desk: Desk, reference: str | None, *, contents: bool) -> list[Verdict]:
    verifier = Verifier(desk.records, desk.ring, contents=contents)
    if reference is None:
        return [verdict async for verdict in verifier.all()]
    episode_id = await desk.find(reference)
    return [await verifier.episode(episode_id, await _remembered(desk, episode_id))]


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
