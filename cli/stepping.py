"""One entry of an episode with everything that was known then; and a prompt that steps from one to the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from textwrap import wrap

from audit.history import History
from cli.output import say
from protocol.account import Entry
from protocol.local_time import show_time
from protocol.words import NO_BREAK, Words, person, plain

WIDTH = 100
HELP = "Enter or n: next; p: previous; a number: that entry; b: first breach; e: end; q: leave"


def at_entry(told: History, at: int) -> Iterator[str]:
    """The entry and the state after it, at most 100 columns wide."""
    entry, words = told.entries[at - 1], Words(told.spec)
    who = "Holdfast" if entry.role == "system" else f"{person(entry.actor)}, {words.role(entry.role)},"
    yield f"Entry {at} of {len(told.entries)} · known {show_time(entry.known_at, words.zone)}"
    if entry.late is not None:
        yield f"LATE ENTRY: happened {show_time(entry.happened_at, words.zone)}"
    if entry.refers_to is not None:
        yield f"ADDENDUM: adds to entry {entry.refers_to}"
    yield from _hung("", f"{who} {entry.deed}")
    yield from _hung("  ", f"{entry.line.label}: {entry.line.text}".removeprefix(": "))
    if entry.rule is not None:
        yield from _hung("  by ", f"{entry.rule.name}: {entry.rule.because} {entry.rule.source}")
    for difference in entry.differences:
        yield from _hung("  DIFFERS: ", difference)
    yield from _after(entry, words)


def _after(entry: Entry, words: Words) -> Iterator[str]:
    state = entry.state
    yield f"Now: {state.stage}; risk {state.risk}; owned by {person(state.owner)}"
    for owed in state.owed:
        overdue = ", OVERDUE" if owed.overdue else ""
        due = show_time(owed.due_at, words.zone, entry.known_at)
        yield from _hung("  owes  ", f"{owed.title}, due {due}{overdue}")
    for page in state.pages:
        until = f" until {show_time(page.silent_until, words.zone, entry.known_at)}" if page.silent_until else ""
        yield from _hung("  page  ", f"{page.page_id} about {page.title}: {page.answer}{until}")
    for name, known in state.facts.items():
        new = " (new)" if known.sequence >= entry.step else ""
        yield from _hung("  known ", f"{plain(name)}: {words.answer(known.value)}{new}")


def step_through(told: History, at: int) -> None:
    """Show entries as asked for, until told to leave or the input ends."""
    while True:
        say("\n".join(line.replace(NO_BREAK, " ") for line in chain(["", *at_entry(told, at)], ["", HELP])))
        given = sys.stdin.readline()
        if not given or (goal := _goal(told, at, given.strip())) is None:
            return
        at = min(max(goal, 1), len(told.entries))


def _goal(told: History, at: int, given: str) -> int | None:
    """The entry that is meant; None to leave. What is not understood stays where it is."""
    if given.isdecimal() and len(given) < 8:
        return int(given)
    goals = {"": at + 1, "n": at + 1, "p": at - 1, "e": len(told.entries), "q": None}
    goals["b"] = told.breaches[0].missed if told.breaches else at
    return goals.get(given, at)


def _hung(lead: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False)
