"""`holdfast audit conformance`: what was kept and what not, for a period; and files for other programs."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from pydantic_core import to_json

from audit.access import Access, record
from audit.conformance import Judged, judged
from audit.mining import ocel, xes
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.output import USAGE, AsJson, Trouble, say, say_json, table
from cli.who import ROLE, somebody
from protocol.chronicle import chronicle
from protocol.conformance import By, Conformance, Sums, groups_of

Sink = Callable[[Judged, Conformance], None]
KNOWN = ("episode_id", "protocol", "version", "crisis_types", "owner", "opened_at", "closed_at", "outcome", "drill")
SHOWN = ("episodes", "deadlines", "met", "met_late", "waived", "owed", "skipped", "late_entries", "overrides")


@dataclass
class Told:
    """What a run found."""

    groups: dict[str, Sums] = field(default_factory=lambda: defaultdict[str, Sums](Sums))
    episodes: int = 0
    drills: int = 0
    not_judged: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def conformance(
    begins: Annotated[datetime | None, typer.Option("--from", help="Opened on this day (UTC) or later.")] = None,
    ends: Annotated[datetime | None, typer.Option("--to", help="Opened before this day (UTC).")] = None,
    by: Annotated[By, typer.Option("--by", help="How to group the sums.")] = "protocol",
    as_csv: Annotated[Path | None, typer.Option("--csv", help="A line for each episode, into this file.")] = None,
    ndjson: Annotated[
        Path | None, typer.Option("--ndjson", help="Every deviation and deadline, into this file.")
    ] = None,
    as_ocel: Annotated[
        Path | None, typer.Option("--ocel", help="An OCEL 2.0 event log (JSON), into this file.")
    ] = None,
    as_xes: Annotated[Path | None, typer.Option("--xes", help="An XES event log, into this file.")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="Why you look; kept in the access trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell how the protocols were kept: steps skipped or out of order, late entries, overrides, deadlines.

    Every command is decided anew on the way; `differs` counts entries that the protocol would not have made. Drills
    are left out of the sums. The event logs hold neither answers nor free text nor clients.
    """
    files = {_csv: as_csv, _ndjson: ndjson, _ocel: as_ocel, _xes: as_xes}
    wanted = {make: path for make, path in files.items() if path is not None}
    for path in wanted.values():
        if path.exists():
            raise Trouble(f"{path} exists", "choose another name", USAGE)
    found = with_books(lambda books: _run(books, _day(begins), _day(ends), by, wanted, purpose))
    if as_json:
        say_json({"groups": found.groups, "drills": found.drills, "not_judged": found.not_judged})
        return
    rows = [(name, *(str(getattr(sums, one)) for one in SHOWN)) for name, sums in sorted(found.groups.items())]
    table("", (by.capitalize(), *(one.replace("_", " ") for one in SHOWN)), rows, "No episode was opened then.")
    say(f"\n{found.episodes} episodes; {found.drills} drills left out.")
    for episode_id, why in found.not_judged:
        say(f"NOT JUDGED: {episode_id}: {why}")


async def _run(
    books: Books,
    begins: datetime | None,
    ends: datetime | None,
    by: By,
    wanted: dict[Callable[[IO[bytes]], Any], Path],
    purpose: str,
) -> Told:
    detail = {"report": "conformance", "files": [path.suffix for path in wanted.values()]}
    await record(books.records, Access(utc_now(), somebody(), ROLE, "searched", purpose, detail=detail))
    found = Told()
    with ExitStack() as stack:
        sinks: list[Sink] = [
            stack.enter_context(make(stack.enter_context(path.open("xb")))) for make, path in wanted.items()
        ]
        await _each(judged(books.records, books.ring, begins, ends), found, by, sinks)
    return found


async def _each(episodes: AsyncIterator[Judged], found: Told, by: By, sinks: list[Sink]) -> None:
    async for one in episodes:
        found.episodes += 1
        if one.conformance is None:
            found.not_judged.append((one.episode_id, one.why_not))
            continue
        for sink in sinks:
            sink(one, one.conformance)
        if one.conformance.drill:
            found.drills += 1
            continue
        for group in groups_of(one.conformance, by):
            found.groups[group].add(one.conformance)


def _day(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=UTC)


@contextmanager
def _csv(out: IO[bytes]) -> Generator[Sink]:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    lines = csv.writer(text)
    counts = [one.name for one in fields(Sums) if one.name != "episodes"]
    lines.writerow([*KNOWN, *counts])

    def take(_judged: Judged, one: Conformance) -> None:
        sums = Sums()
        sums.add(one)
        closed = one.closed_at.isoformat() if one.closed_at else ""
        known = [one.episode_id, one.protocol, one.version, " ".join(one.crisis_types), one.owner]
        when = [one.opened_at.isoformat(), closed, one.outcome or "", one.drill]
        lines.writerow([*map(_harmless, known), *when, *(getattr(sums, name) for name in counts)])

    yield take
    text.flush()
    text.detach()


def _harmless(value: str) -> str:
    """A spreadsheet runs what begins like a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value


@contextmanager
def _ndjson(out: IO[bytes]) -> Generator[Sink]:
    def take(_judged: Judged, one: Conformance) -> None:
        out.write(to_json({**asdict(one), "deadlines": [asdict(owed) for owed in one.deadlines.values()]}) + b"\n")

    yield take


@contextmanager
def _ocel(out: IO[bytes]) -> Generator[Sink]:
    with ocel(out) as log:
        yield lambda told, one: log.take(one, chronicle(told.rows))


@contextmanager
def _xes(out: IO[bytes]) -> Generator[Sink]:
    with xes(out) as log:
        yield lambda told, one: log.take(one, chronicle(told.rows))
