"""`holdfast audit replay`: an episode told entry by entry from the records, every decision made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from itertools import chain, groupby
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from audit.access import Access, record
from audit.from_bundle import check_bundle, episodes_in, history_in
from audit.history import History, HistoryError, history
from cli.books import Books, with_books
from cli.desk import utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.stepping import at_entry, step_through
from cli.who import ROLE, somebody
from protocol.account import LATE, Entry, Rule
from protocol.breaches import ENDS, Breach
from protocol.local_time import show_clock, show_day, show_span, show_time
from protocol.words import NO_BREAK, Words, person

WIDTH = 100
TIME = 10
NUMBER = 6
LABEL = 10
DEEP = TIME + NUMBER + LABEL


def replay(
    reference: Annotated[
        str,
        typer.Argument(metavar="EPISODE", help="An episode, or the beginning of its id."),
    ] = "",
    only_breaches: Annotated[
        bool, typer.Option("--breaches", help="Only missed deadlines and what led there.")
    ] = False,
    at: Annotated[
        int | None, typer.Option("--at", min=1, help="One entry, with all that was known and owed after it.")
    ] = None,
    step: Annotated[
        bool, typer.Option("--step", help="Step from entry to entry at a prompt, from --at or the first.")
    ] = False,
    purpose: Annotated[str, typer.Option("--purpose", help="Why you look; kept in the access trail.")] = "",
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="From this export alone, without the records.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="The public keys that you pinned, for --bundle.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell an episode entry by entry from the records alone, and decide every command anew.

    Each entry shows when it happened and when it was known, who did it, the rule of the pinned protocol behind it,
    and where the episode stands after it. Temporal need not run. Exit code 1 when the chain is damaged or an entry
    is not what the protocol asks for.
    """
    if step and as_json:
        raise Trouble("--step speaks with a person", "leave out --json, or use --at", USAGE)
    if bundle is not None:
        told = _in_bundle(bundle, key or [], reference)
    elif not reference:
        raise Trouble("which episode?", "name it, or give an export by --bundle", USAGE)
    else:
        told = with_books(lambda books: _history(books, reference, purpose))
    if at is not None and at > len(told.entries):
        raise Trouble(f"there is no entry {at}", f"the episode has {len(told.entries)}", USAGE)
    if as_json:
        say_json(as_object(told, only_breaches=only_breaches, at=at))
    elif step and told.entries:
        step_through(told, at or 1)
    elif at is not None:
        say("\n".join(line.replace(NO_BREAK, " ") for line in at_entry(told, at)))
    else:
        say("\n".join(line.replace(NO_BREAK, " ") for line in lines(told, only_breaches=only_breaches)))
    if not told.sound:
        raise typer.Exit(FOUND)


async def _history(books: Books, reference: str, purpose: str) -> History:
    told = await history(books.records, books.ring, await books.find(reference), books.witness)
    await record(books.records, Access(utc_now(), somebody(), ROLE, "replayed", purpose, episode_id=told.episode_id))
    return told


def _in_bundle(path: Path, keys: Sequence[str], reference: str) -> History:
    if not keys:
        raise Trouble("there is no key to check the bundle with", "give the one that you pinned by --key", USAGE)
    try:
        check_bundle(path, keys)
        fitting = [one for one in episodes_in(path) if one.startswith(reference)]
        if len(fitting) != 1 and reference not in fitting:
            some = ", ".join(fitting[:5]) or "none"
            raise Trouble(f"{reference or 'the bundle'} means: {some}", "name one episode", USAGE)
        return history_in(path, reference if reference in fitting else fitting[0])
    except HistoryError as error:
        raise Trouble(str(error), "get the bundle anew; what it holds proves nothing", FOUND) from None
    except (OSError, ValueError) as error:
        raise Trouble(
            f"the bundle or a key can't be read ({type(error).__name__})", "look at both paths", USAGE
        ) from None


TOLD = (*(one.name for one in fields(Entry) if one.name not in ("after", "words")), "state")
"""What JSON has of an entry: neither the whole episode after it nor the protocol's words."""


def as_object(told: History, *, only_breaches: bool, at: int | None = None) -> dict[str, Any]:
    """For `--json`; `at`: this entry alone."""
    spec = told.spec
    found: dict[str, Any] = {
        "episode_id": told.episode_id,
        "sound": told.sound,
        "chain": {"rows": told.verdict.rows, "head": told.verdict.head.hash, "fault": told.verdict.fault},
        "checkpoints": told.witnessed,
        "protocol": {"name": spec.protocol, "version": spec.version, "hash": spec.content_hash},
        "exceptions": told.exceptions,
        "differences": told.differences,
        "stopped": told.stopped,
        "withheld": told.withheld,
        "breaches": [{**asdict(one), "led": [entry.sequence for entry in one.led]} for one in told.breaches],
    }
    shown: Iterable[Entry] = told.entries
    if only_breaches:
        shown = {entry.sequence: entry for one in told.breaches for entry in one.led}.values()
    if at is not None:
        shown = told.entries[at - 1 : at]
    return found | {"entries": [_entry_as_object(one) for one in sorted(shown, key=lambda one: one.sequence)]}


def _entry_as_object(entry: Entry) -> dict[str, Any]:
    """Spans in seconds; the command stands on the first entry of what it brought about."""
    return {
        **to_jsonable_python({name: getattr(entry, name) for name in TOLD}),
        "late": None if entry.late is None else entry.late.total_seconds(),
        "command": entry.command if entry.sequence == entry.step else entry.command.command_id,
    }


def lines(told: History, *, only_breaches: bool) -> Iterator[str]:
    """The whole account as text, at most 100 columns wide."""
    words = Words(told.spec)
    yield f"Episode {told.episode_id}"
    yield from _hung("", f"Protocol: {told.spec.title}, version {told.spec.version}, {told.spec.content_hash}.")
    for exception in told.exceptions:
        yield from _hung("", f"EXCEPTION: {exception}")
    yield from _hung("", f"Told from what was recorded alone. Local time: {told.spec.time_zone}.")
    if only_breaches:
        for number, breach in enumerate(told.breaches, start=1):
            yield from _breach(number, breach, words)
    else:
        yield from _steps(told.entries, words)
    yield from ("", *_ending(told))


def _breach(number: int, breach: Breach, words: Words) -> Iterator[str]:
    yield ""
    due, unnoticed = show_time(breach.due_at, words.zone), breach.noticed_at - breach.due_at
    silent = f"; the engine noticed {show_span(unnoticed)} later" if unnoticed > LATE else ""
    text = f"{breach.title}: was due {due}; {ENDS[breach.end]}{silent}. Missed in entry {breach.missed}."
    yield from _hung(f"{number}. ", text)
    for _, step in _by_day(breach.led, words):
        yield from step


def _steps(entries: Sequence[Entry], words: Words) -> Iterator[str]:
    before: object = None
    for last, step in _by_day(entries, words):
        yield from step
        if last.state.brief != before:
            yield from _state(last, words)
        before = last.state.brief


def _by_day(entries: Sequence[Entry], words: Words) -> Iterator[tuple[Entry, Iterator[str]]]:
    """The last entry of each macro step and its lines, under a heading for each day on which it became known."""
    day = ""
    for _, group in groupby(entries, key=lambda entry: entry.step):
        step = list(group)
        known = show_day(step[0].known_at, words.zone)
        heading = [] if known == day else ["", f"── {known} ".ljust(WIDTH, "─")]
        day = known
        yield step[-1], chain(heading, _step(step, words))


def _step(step: Sequence[Entry], words: Words) -> Iterator[str]:
    first = step[0]
    clock = show_clock(first.known_at, words.zone).ljust(TIME)
    who = f"{person(first.actor)}, {words.role(first.role)}, " if first.role != "system" else "Holdfast "
    yield from _hung(clock, f"{who}{first.deed}")
    if first.late is not None:
        happened = show_time(first.happened_at, words.zone)
        text = f"happened {happened}, known only {show_span(first.late)} later"
        yield from _hung(" " * TIME + "LATE ENTRY: ", text)
    if first.refers_to is not None:
        yield from _hung(" " * TIME + "ADDENDUM: ", f"adds to entry {first.refers_to}, which stays as it is")
    for entry in step:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    number = str(entry.sequence).rjust(NUMBER - 2)
    yield from _hung(" " * TIME + f"{number}  {entry.line.label.ljust(LABEL)}", entry.line.text)
    if entry.rule is not None:
        yield from _hung(" " * DEEP + "by ", _rule(entry.rule))
    if entry.undecided:
        yield from _hung(" " * DEEP + "NOT DECIDED ANEW: ", entry.undecided)
    for difference in entry.differences:
        yield from _hung(" " * DEEP + "DIFFERS: ", difference)


def _rule(rule: Rule) -> str:
    texts = f": {'; '.join(rule.references)}" if rule.references else ""
    return f"{rule.name}: {rule.because.rstrip('.')} {rule.source}{texts}".rstrip()


def _state(after: Entry, words: Words) -> Iterator[str]:
    state, lead = after.state, " " * (TIME + NUMBER)
    yield from _hung(f"{lead}{'now'.ljust(LABEL)}", f"{state.stage}; risk {state.risk}; owned by {person(state.owner)}")
    for owed in state.owed:
        overdue = ", OVERDUE" if owed.overdue else ""
        due = show_time(owed.due_at, words.zone, after.known_at)
        yield from _hung(" " * DEEP + "owes ", f"{owed.title}, due {due}{overdue}")


def _ending(told: History) -> Iterator[str]:
    verdict = told.verdict
    if verdict.fault is not None:
        yield from _hung("BAD: ", str(verdict.fault))
    yield from _hung("", f"Chain: {verdict.rows} good rows, head {verdict.head.hash}.")
    yield from _hung("", told.vouched_for)
    if told.stopped is not None and verdict.fault is None:
        yield from _hung("STOPPED: ", told.stopped)
    if told.withheld:
        numbers = ", ".join(map(str, told.withheld))
        text = f"something of the entries {numbers} is withheld from you; what follows the first can't be decided anew"
        yield from _hung("WITHHELD: ", text)
    differing = f"{told.differences} DIFFER" if told.differences else "every decision comes out the same again"
    rest = f"; {told.undecided} could not be decided anew" if told.undecided else ""
    yield f"Replay: {len(told.entries)} entries; {differing}{rest}."
    late = sum(entry.late is not None and entry.sequence == entry.step for entry in told.entries)
    addenda = sum(entry.refers_to is not None for entry in told.entries)
    yield f"Late entries: {late}. Addenda: {addenda}. Missed deadlines: {len(told.breaches)}."


def _hung(lead: str, text: str) -> Iterator[str]:
    yield from wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False) or [
        lead.rstrip()
    ]
