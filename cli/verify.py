"""`holdfast audit verify`: every check of the records in one command, and in words what was checked and what not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.checkpoints import Signed
from audit.lists import Comparison, Lists
from audit.publications import PublicationError, Publications
from audit.verify import Verdict, Verifier
from cli.books import signing_keys
from cli.checkpoint import Compared, compare, read_pinned
from cli.desk import Desk, at_desk
from cli.heads import Asked, ask_all, ask_one, hold
from cli.output import FOUND, AsJson, say, say_json, table


@dataclass(frozen=True)
class Findings:
    """All that one verification found."""

    verdicts: list[Verdict]
    checkpoints: Compared
    lists: list[Comparison] | None
    """None when they were not compared."""
    asked: Asked
    publications: str
    """What is wrong with the list of what was published; empty when nothing is."""

    @property
    def bad(self) -> list[str]:
        """Every finding, in words; empty when all is well."""
        found = [str(one.fault) for one in self.verdicts if one.fault is not None]
        for one in self.lists or ():
            found += [str(finding) for finding in (one.disagreement, self.cut(one)) if finding is not None]
        return found + [one for one in (self.checkpoints.problem, self.publications) if one]

    def cut(self, one: Comparison) -> str | None:
        """A trail that ends before the list, unless its workflow says that rows are still on the way."""
        view = self.asked.views.get(one.episode_id)
        return None if one.ahead is None or (view is not None and view.unrecorded) else str(one.ahead)


def verify(
    reference: Annotated[str | None, typer.Argument(help="An episode; all of them when left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Chains and seals only: three times faster.")] = False,
    ask: Annotated[
        bool, typer.Option("--all", help="Also ask the workflow of every open episode for the end of its chain.")
    ] = False,
    kept: Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint that was kept outside.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain of every episode, the signed checkpoints, and the lists that were made from the trail.

    Names the first bad row of each chain and the first wrong column of each list, and says what was not checked.
    Of a single episode the workflow is always asked for the end of its chain.
    """
    pinned = None if kept is None else read_pinned(kept)
    found = at_desk(lambda desk: _verify(desk, reference, pinned, quick=quick, ask=ask))
    if as_json:
        say_json(_as_object(found))
    else:
        _show(found, quick=quick)
    if found.bad:
        raise typer.Exit(FOUND)


async def _verify(desk: Desk, reference: str | None, pinned: Signed | None, *, quick: bool, ask: bool) -> Findings:
    compared = await compare(desk.settings, desk.records, pinned)
    if reference is not None:
        asked = await ask_one(desk, episode_id := await desk.find(reference))
    else:
        episode_id, asked = None, await ask_all(desk) if ask else Asked(why="`--all` asks them")
    verifier = Verifier(desk.records, desk.ring, not quick, compared.found.marks, asked.heads)
    verdicts = [one async for one in verifier.all()] if episode_id is None else [await verifier.episode(episode_id)]
    verdicts = await hold(desk, asked, verdicts)
    lists = None if quick else [one async for one in Lists(desk.records, desk.ring).compare(verdicts)]
    return Findings(verdicts, compared, lists, asked, await _publications(desk))


async def _publications(desk: Desk) -> str:
    keys = signing_keys() if desk.settings.signing_keys else None
    try:
        await Publications(desk.records, keys).read()
    except PublicationError as error:
        return str(error)
    return ""


def _as_object(found: Findings) -> dict[str, Any]:
    return {
        "good": not found.bad,
        "found": found.bad,
        "episodes": found.verdicts,
        "checkpoints": {"rows": found.checkpoints.found.rows, "problem": found.checkpoints.problem},
        "publications": {"problem": found.publications or None},
        "lists": found.lists,
        "workflows": {
            "asked": {name: view.head for name, view in found.asked.views.items()},
            "silent": found.asked.silent,
            "why": found.asked.why,
        },
    }


def _show(found: Findings, *, quick: bool) -> None:
    rows = [
        (one.episode_id, str(one.rows), str(one.unreadable or ""), "BAD" if one.fault else "good", one.head.hash[:12])
        for one in found.verdicts
    ]
    table("", ("Episode", "Good rows", "Unreadable", "Verdict", "Head"), rows, "No episode.")
    for line in found.bad:
        say(f"\nBAD: {line}")
    say()
    published = f"Publications: {'BAD' if found.publications else 'all good'}."
    told = (_chains(found, quick=quick), found.checkpoints.said, published, _lists(found), found.asked.said)
    for line in (*told, _unseen(found)):
        if line:
            say(line)


def _chains(found: Findings, *, quick: bool) -> str:
    bad = sum(one.fault is not None for one in found.verdicts)
    rows = sum(one.rows for one in found.verdicts)
    depth = "contents not compared: --quick" if quick else "seals and contents fit"
    verdict = f"{bad} BAD" if bad else "all good"
    return f"Chains: {len(found.verdicts)} episodes, {rows} good rows, {depth}: {verdict}."


def _lists(found: Findings) -> str:
    if found.lists is None:
        return "Lists: not compared: --quick."
    compared = sum(one.skipped is None for one in found.lists)
    bad = sum(one.disagreement is not None or found.cut(one) is not None for one in found.lists)
    why = Counter(one.skipped for one in found.lists if one.skipped is not None)
    rest = "".join(f" Not compared: {count}, because {reason}." for reason, count in sorted(why.items()))
    said = f"{bad} BAD" if bad else "all say what the trail says"
    return f"Lists: those of {compared} episodes compared with their rows: {said}.{rest}"


def _unseen(found: Findings) -> str:
    """What could have been done to the records and not be seen."""
    covered = found.checkpoints.found.marks
    open_end = [
        one
        for one in found.verdicts
        if one.episode_id not in found.asked.views and one.rows > max(covered.get(one.episode_id, {}), default=0)
    ]
    if not open_end:
        return ""
    return (
        f"Not covered: the last rows of {len(open_end)} episodes. No checkpoint covers them and no workflow was asked, "
        "so whoever can change the lists too could have cut them off."
    )
