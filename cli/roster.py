"""`holdfast roster …`: whether somebody answers every page of the coming weeks."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from audit.database import connect
from cli.configuration import settings
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.shelf import find_protocol, protocol_files
from cli.tables import table
from practice.rotas import Rotas
from protocol.local_time import show_time
from protocol.roster import Gap, gaps, local_days, needs
from protocol.rota import Rota
from protocol_specs.loader import load, load_protocol
from protocol_specs.rota_file import RotaFile

MOST_WEEKS = 53
FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Days within these can be told in any zone, with as many weeks after them."""
MOST_RUNGS = 3
"""Named in a row; JSON has all."""

app = typer.Typer()


@app.callback()
def roster() -> None:
    """Hold the rota against the ladders of the protocols."""


@app.command()
def check(
    rota: Annotated[Path | None, typer.Option(help="The rota; the one of the settings when left out.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help="The first day, as 2026-12-01; today if not.")] = None,
    weeks: Annotated[int, typer.Option(help="How many weeks.")] = 8,
    protocols: Annotated[
        list[str] | None, typer.Option("--protocol", help="A protocol by name or path. Repeat it; all when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name each hour in which a rung of a ladder would reach nobody: shifts, leave, holidays, licences."""
    folder = settings().protocols
    files = [find_protocol(one, folder) for one in protocols] if protocols else protocol_files(folder)
    specs = [load_protocol(path) for path in files]
    staff = load(rota, Rota) if rota is not None else asyncio.run(_living())
    zone = ZoneInfo(staff.time_zone)
    if not 1 <= weeks <= MOST_WEEKS:
        raise Trouble(f"{weeks} weeks can't be checked", f"check 1 to {MOST_WEEKS}", USAGE)
    first, last = local_days(_day(begins, zone), weeks, zone)
    found = gaps(staff, specs, first, last)
    if as_json:
        say_json({"from": first, "until": last, "roles": len(needs(specs)), "gaps": found})
    else:
        _tell(found, zone, first, last, f"{len(needs(specs))} roles of {len(specs)} protocols")
    if found:
        raise typer.Exit(FOUND)


async def _living() -> Rota:
    """The rota of the settings with the changes of the application; the file alone where the records don't answer."""
    told = settings()
    records = connect(told.database_url.get_secret_value(), pool_size=1)
    try:
        return await Rotas(RotaFile(told.rota), records).current()
    finally:
        await records.dispose()


def _day(written: str | None, zone: ZoneInfo) -> date:
    if written is None:
        return datetime.now(UTC).astimezone(zone).date()
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise Trouble(f"{written[:40]!r} is no day", "write it as 2026-12-01", USAGE) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Trouble(f"no rota covers {written}", f"name a day in {FIRST_YEAR} to {LAST_YEAR}", USAGE)
    return day


def _tell(found: tuple[Gap, ...], zone: ZoneInfo, first: datetime, last: datetime, what: str) -> None:
    period = f"{show_time(first, zone)} to {show_time(last, zone)}, {zone.key}"
    rows = [
        (_whom(gap), show_time(gap.begins, zone), show_time(gap.ends, zone), _why(gap), _where(gap)) for gap in found
    ]
    table("", ("Nobody for", "From", "Until", "Why, and what to do", "Ladders"), rows, f"Somebody answers: {what}.")
    say(f"\n{period}: {len(found) or 'no'} gap{'' if len(found) == 1 else 's'}.")


def _whom(gap: Gap) -> str:
    return f"the owner, if {gap.owner} is" if gap.owner else gap.role


def _why(gap: Gap) -> str:
    holidays = f" ({', '.join(gap.holidays)})" if gap.holidays else ""
    return f"{gap.why}{holidays}\n→ {gap.remedy}"


def _where(gap: Gap) -> str:
    more = len(gap.rungs) - MOST_RUNGS
    return "\n".join([*gap.rungs[:MOST_RUNGS], *([f"… and {more} more"] if more > 0 else [])])
