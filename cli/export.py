"""`holdfast audit export`: episodes as a signed file that can be checked without Holdfast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress

from audit.bundle import BundleError, Keys, Made
from audit.certificate import SIGNATURE
from audit.exporting import Wanted, needed_keys
from audit.exporting import export as export_of
from audit.history import all_episodes
from audit.redaction import RedactionError
from cli.books import Books, signing_keys, verify_keys, with_books
from cli.desk import utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.tables import console
from cli.who import ROLE, somebody

Redacted = Literal["sud"]


def export(
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not exist.", show_default=False)],
    purpose: Annotated[str, typer.Option("--purpose", help="Why, in a few words; kept in the access trail.")],
    references: Annotated[
        list[str] | None, typer.Argument(metavar="EPISODE…", help="Episodes, or the beginnings of their ids.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every episode in the trail.")] = False,
    to: Annotated[str, typer.Option("--to", help="Who receives it.")] = "",
    redact: Annotated[
        Redacted | None, typer.Option("--redact", help="Withhold what tells about substance use (42 CFR Part 2).")
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option(
            "--pdf",
            help="Also a readable certificate of one episode, and its signature in a .sig beside.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write episodes into a signed bundle with everything that is needed to check it offline.

    The bundle holds the program that checks it; `holdfast keys public` prints the key to check it with. What is
    withheld keeps its place in the chain. The access trail gets a row for every episode before the file appears.
    """
    if bool(references) == everything:
        raise Trouble("which episodes?", "name episodes, or say --all", USAGE)
    if pdf is not None and len(references or ()) != 1:
        raise Trouble("a certificate is of one episode", "name one, or leave out --pdf", USAGE)
    for path in (out, pdf, pdf and pdf.with_name(pdf.name + SIGNATURE)):
        if path is not None and path.exists():
            raise Trouble(f"{path} exists", "choose another name: an export is never overwritten", USAGE)
    wanted = Wanted((), out, somebody(), ROLE, to, purpose, everything, redact is not None, pdf)
    made = with_books(lambda books: _export(books, references, wanted))
    needed = needed_keys(made, Keys(signing_keys(), verify_keys()))
    if as_json:
        say_json({"file": str(out), **_as_object(made), "keys": needed})
        return
    hidden = f", {made.withheld} values withheld" if redact else ""
    say(f"{out}: {made.episodes} episodes, {made.rows} rows{hidden}.\nBundle {made.sha256}")
    say(f"Check it: python offline_verifier.py {out} {' '.join(f'--key {key}' for key in needed.values())}")


async def _export(books: Books, references: list[str] | None, wanted: Wanted) -> Made:
    if references is None:
        ids = await all_episodes(books.records)
    else:
        ids = tuple({await books.find(one) for one in references})
    try:
        with Progress(console=console(), transient=True) as bar:
            task = bar.add_task("episodes", total=len(ids))
            return await export_of(
                *(
                    books.records,
                    books.ring,
                    Keys(signing_keys(), verify_keys()),
                    replace(wanted, episodes=ids),
                    utc_now(),
                ),
                progress=lambda so_far: bar.update(task, completed=so_far.episodes),
            )
    except RedactionError as error:
        raise Trouble(str(error), error.REMEDY, USAGE) from None
    except (BundleError, FileExistsError) as error:
        raise Trouble(str(error), "`holdfast audit verify` says more", FOUND) from None


def _as_object(made: Made) -> dict[str, object]:
    return {"bundle": made.sha256, "episodes": made.episodes, "rows": made.rows, "withheld": made.withheld}
