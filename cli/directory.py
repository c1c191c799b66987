"""`holdfast directory …`: whom to call, and keeping the numbers right."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.configuration import settings
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.shelf import numbers_in_use, read_directory
from cli.tables import heading, table
from protocol.directory import Directory, Guidance, Listing, look_up, retired_mentions, unapproved_changes
from protocol.findings import did_you_mean
from protocol_specs.loader import load

app = typer.Typer()

On = Annotated[str | None, typer.Option("--on", help="The day to look at, as 2026-12-01; today when left out.")]


@app.command("show")
def show(
    county: Annotated[
        str, typer.Argument(help="County of the present address, such as san_mateo.", show_default=False)
    ],
    danger: Annotated[bool, typer.Option("--danger", help="A life is in danger: the emergency number first.")] = False,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Whom to call for a client who is in this county now, in the order to try."""
    directory = numbers_in_use(settings())
    if county not in directory.counties:
        raise Trouble(f"there is no county {county}", did_you_mean(county, directory.counties), USAGE)
    guidance = look_up(directory, county, _day(on), life_in_danger=danger)
    if as_json:
        say_json(_as_object(guidance))
        return
    table(f"{guidance.title} County", ("Call", "Number", "Hours"), map(_row, guidance.chain), "")
    table("Also", ("Call", "Number", "Hours"), map(_row, guidance.others), "")
    heading("Know before you call")
    for warning in guidance.warnings:
        say(f"- {warning.text}")


@app.command("check")
def check(
    before: Annotated[
        Path | None, typer.Option(help="The version before, to find numbers changed by one person.")
    ] = None,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """List entries that must be verified again or were never called; fail for numbers changed by one person."""
    directory, today = read_directory(settings()), _day(on)
    expired = [name for name, one in directory.resources.items() if one.expired(today)]
    uncalled = [name for name, one in directory.resources.items() if one.never_called]
    unapproved = unapproved_changes(load(before, Directory), directory) if before else ()
    if as_json:
        say_json({"expired": expired, "never_called": uncalled, "unapproved": unapproved})
    else:
        _say_list("Verify again (older than its 90 days)", expired)
        _say_list("Call once and record it", uncalled)
        _say_list("Changed without a second person", list(unapproved))
    if unapproved:
        raise typer.Exit(FOUND)


@app.command("retired")
def retired(
    file: Annotated[Path, typer.Argument(help="A text, such as an old safety plan or leaflet.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Find lines that no longer work in a text. The text is not kept and not printed."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"{file} can't be read as text", "give the path of a plain text file", USAGE) from None
    found = retired_mentions(read_directory(settings()), text)
    if as_json:
        say_json(found)
    else:
        for mention in found:
            say(f"“{mention.phrase}”: {mention.because} {mention.instead}")
        if not found:
            say("The text names no retired line.")
    if found:
        raise typer.Exit(FOUND)


def _day(on: str | None) -> date:
    if on is None:
        return datetime.now(UTC).astimezone().date()
    try:
        return date.fromisoformat(on)
    except ValueError:
        raise Trouble(f"{on[:20]} is not a day", "write it as 2026-12-01", USAGE) from None


def _row(listing: Listing) -> tuple[str, str, str]:
    ways = [f"{way.by} {way.number}{f', {way.then}' if way.then else ''}" for way in listing.resource.ways]
    return listing.resource.title, "; ".join(ways), listing.resource.hours


def _as_object(guidance: Guidance) -> dict[str, Any]:
    def plain(listing: Listing) -> dict[str, Any]:
        return {"name": listing.name, **listing.resource.model_dump(mode="json", exclude_none=True)}

    return {
        "county": guidance.county,
        "chain": [plain(listing) for listing in guidance.chain],
        "others": [plain(listing) for listing in guidance.others],
        "warnings": guidance.warnings,
    }


def _say_list(title: str, names: list[str]) -> None:
    if names:
        heading(title)
        for name in names:
            say(f"- {name}")
