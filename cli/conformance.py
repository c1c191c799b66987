"""`holdfast audit conformance`: what was kept and what not, of an episode or a period; and files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from audit.conformance import Judged, Told, opened_between
from audit.sinks import Format, Handed, write_files
from audit.veil import Veil
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.output import USAGE, AsJson, Trouble, say, say_json
from cli.tables import table
from cli.who import ROLE, somebody
from protocol.conformance import By, Conformance

SHOWN = ("episodes", "deadlines", "met", "met_late", "waived", "owed", "skipped", "late_entries", "overrides")


def conformance(
    episode: Annotated[str | None, typer.Option("--episode", help="This one, with all that it left out.")] = None,
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
    redact: Annotated[
        Literal["sud"] | None, typer.Option("--redact", help="Withhold what tells about substance use (42 CFR Part 2).")
    ] = None,
    receiver: Annotated[str, typer.Option("--for", help="Who receives the files.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="Why you look; kept in the access trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell how the protocols were kept: steps skipped or out of order, late entries, overrides, deadlines.

    Every command is decided anew on the way; `differs` counts entries that the protocol would not have made. Drills
    are left out of the sums. By therapist, what happened counts for whoever owned the episode then. The event logs
    hold neither answers nor free text nor clients; the other files hold the reasons that people gave.
    """
    given: dict[Format, Path | None] = {"csv": as_csv, "ndjson": ndjson, "ocel": as_ocel, "xes": as_xes}
    files: dict[Format, Path] = {name: path for name, path in given.items() if path is not None}
    for path in files.values():
        if path.exists():
            raise Trouble(f"{path} exists", "choose another name", USAGE)
    if episode is not None and (begins or ends):
        raise Trouble("one episode, or a period?", "leave out --episode, or --from and --to", USAGE)
    handed = Handed(utc_now(), somebody(), ROLE, receiver, purpose, redact is not None)
    accounts: list[Conformance] = []
    period = (_day(begins), _day(ends))
    found = with_books(lambda books: _run(books, episode, period, files, handed, accounts))
    if as_json:
        told = {"groups": found.groups[by], "drills": found.drills, "not_judged": found.not_judged}
        say_json(told if episode is None else {**told, "episodes": [_as_object(one) for one in accounts]})
    elif episode is not None:
        _show_one(accounts)
    else:
        _show(found, by)
    for episode_id, why in () if as_json else found.not_judged:
        say(f"NOT JUDGED: {episode_id}: {why}")


async def _run(
    books: Books,
    reference: str | None,
    period: tuple[datetime | None, datetime | None],
    files: dict[Format, Path],
    handed: Handed,
    accounts: list[Conformance],
) -> Told:
    if reference is None:
        episodes: Sequence[str] = await opened_between(books.records, *period)
        return await write_files(books.records, books.ring, episodes, files, handed)
    one = await books.find(reference)

    def keep(_judged: Judged, seen: Conformance, _veil: Veil) -> None:
        accounts.append(seen)

    return await write_files(books.records, books.ring, [one], files, handed, [keep])


def _show(found: Told, by: By) -> None:
    rows = [(name, *(str(getattr(sums, one)) for one in SHOWN)) for name, sums in sorted(found.groups[by].items())]
    table("", (by.capitalize(), *(one.replace("_", " ") for one in SHOWN)), rows, "No episode was opened then.")
    say(f"\n{len(found.episodes)} episodes; {found.drills} drills left out.")


def _show_one(accounts: Sequence[Conformance]) -> None:
    for one in accounts:
        say(f"Episode {one.episode_id}, {one.protocol} {one.version}; owned by {', then '.join(one.done)}.\n")
        owed = [
            (each.obligation, _at(each.due_at), _at(each.ended_at), each.end.replace("_", " "), each.owner)
            for each in one.deadlines.values()
        ]
        table("Deadlines", ("Of", "Due", "Done or ended", "How", "Owner then"), owed, "None was set.")
        left = [
            (str(each.sequence), each.kind.replace("_", " "), each.what, each.who, each.owner, each.reason)
            for each in one.deviations
        ]
        say()
        table("Deviations", ("Entry", "Kind", "What", "Who", "Owner then", "Why"), left, "Everything was kept.")


def _as_object(one: Conformance) -> dict[str, object]:
    return {**asdict(one), "deadlines": [asdict(owed) for owed in one.deadlines.values()]}


def _at(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _day(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=UTC)
