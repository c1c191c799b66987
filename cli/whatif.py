"""`holdfast protocol whatif`: a draft over recorded episodes. Reads the records or an export; Temporal need not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.access import Access, record
from audit.counterfactual import Tried, over_export, over_records
from audit.trails import episode_ids
from audit.unpacked import UnpackError
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.shelf import must_be_no_path, protocol_file
from cli.who import ROLE, somebody
from protocol.local_time import show_time
from protocol.spec import ProtocolSpec
from protocol.whatif import Comparison, load
from protocol.words import Words
from protocol_specs.loader import load_protocol


def whatif(
    new: Annotated[str, typer.Argument(metavar="NEW", help="The draft: a name, or the path of its file.")],
    sources: Annotated[
        list[str] | None, typer.Option("--from", help="An episode, or a file made by `audit export`. Repeat it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every recorded episode of this protocol.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a draft over recorded episodes: where it would have differed, missed contacts, step-ups, added load.

    What people did is kept, and when; deadlines and pages are the draft's. Ends with 1 when nothing can be compared.
    """
    draft = load_protocol(protocol_file(new))
    if bool(sources) == everything:
        raise Trouble("which episodes?", "name them with --from, or say --all", USAGE)
    files = [Path(one) for one in sources or () if Path(one).is_file()]
    named = [one for one in sources or () if not Path(one).is_file()]
    for one in named:
        must_be_no_path(one)
    found = [tried for file in files for tried in _from_file(draft, file)]
    if named or everything:
        found += with_books(lambda books: _from_records(books, draft, named))
    if as_json:
        say_json(_as_object(found))
    else:
        for line in _lines(found, draft):
            say(line)
    if not any(one.comparison for one in found):
        raise typer.Exit(FOUND)


async def _from_records(books: Books, draft: ProtocolSpec, named: Sequence[str]) -> list[Tried]:
    ids = [await books.find(one) for one in named]
    ids = ids or list(await episode_ids(books.records, draft.protocol, open_only=False))
    now = utc_now()
    looks = [Access(now, somebody(), ROLE, "replayed", f"what if {draft.version}", one) for one in ids]
    await record(books.records, *looks)
    return [one async for one in over_records(books.records, books.ring, draft, ids)]


def _from_file(draft: ProtocolSpec, file: Path) -> list[Tried]:
    try:
        return list(over_export(draft, file))
    except UnpackError as error:
        raise Trouble(f"{file}: {error}", "make it anew with `holdfast audit export`, unredacted", FOUND) from None


def _as_object(found: Sequence[Tried]) -> dict[str, Any]:
    compared = [one.comparison for one in found if one.comparison is not None]
    return {
        "compared": len(compared),
        "differ": sum(one.first is not None for one in compared),
        "missed_contacts": sum(one.missed_contacts for one in compared),
        "step_ups": sum(len(one.step_ups) for one in compared),
        "pages": {role: {"pinned": then, "draft": now} for role, (then, now) in load(compared).items()},
        "episodes": [asdict(one) for one in compared],
        "not_compared": {one.episode_id: one.why_not for one in found if one.comparison is None},
    }


def _lines(found: Sequence[Tried], draft: ProtocolSpec) -> Iterator[str]:
    compared = [one.comparison for one in found if one.comparison is not None]
    same = sum(one.first is None for one in compared)
    for one in compared:
        if one.first is not None or one.notes:
            yield from _told(one, draft)
            yield ""
    for tried in found:
        if tried.comparison is None:
            yield f"Episode {tried.episode_id} can't be compared: {tried.why_not}."
    yield f"{len(compared)} episodes compared: {len(compared) - same} would have gone otherwise, {same} the same."
    if compared:
        yield f"Missed contacts: {sum(one.missed_contacts for one in compared)} more."
        ups = [one for one in compared if one.step_ups]
        yield f"Step-ups: {sum(len(one.step_ups) for one in ups)} otherwise, in {len(ups)} episodes."
        yield "Pages: " + ("; ".join(_change(*pages) for pages in load(compared).items()) or "none")


def _told(one: Comparison, draft: ProtocolSpec) -> Iterator[str]:
    yield f"Episode {one.episode_id}, {one.version} → {draft.version}"
    if one.first is not None:
        yield f"  first differs {show_time(one.first.at, Words(draft).zone)}"
        yield f"    then:  {one.first.pinned or 'nothing'}"
        yield f"    draft: {one.first.draft or 'nothing'}"
    if one.highest_risk[0] != one.highest_risk[1]:
        yield f"  highest risk: {one.highest_risk[0]} → {one.highest_risk[1]}"
    for label, told in (
        ("step-up", one.step_ups),
        ("would be missed", one.missed),
        ("would not be missed", one.spared),
    ):
        yield from (f"  {label}: {line}" for line in told)
    for unlike in one.refused:
        yield f"  would be refused: entry {unlike.sequence}, {unlike.deed}: {unlike.why}"
    for unlike in one.allowed:
        yield f"  would be taken: entry {unlike.sequence}, {unlike.deed}"
    yield from (f"  note: {note}" for note in one.notes)
    changed = [_change(role, pages) for role, pages in one.pages.items() if pages[0] != pages[1]]
    if changed:
        yield f"  pages: {'; '.join(changed)}"


def _change(role: str, pages: tuple[int, int]) -> str:
    then, now = pages
    return f"{role} {then} → {now} ({now - then:+d})"
