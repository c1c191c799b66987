"""Checkpoints on the command line: printed to be kept outside, read back to hold the records against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.checkpoints import Signed, as_object, vouched
from audit.outside import NotKeptError, read_kept
from cli.books import Books, verify_keys, with_books
from cli.output import FOUND, USAGE, Trouble, say_json


def checkpoint() -> None:
    """Print the latest checkpoint of the trail. Keep it outside: on paper, in a mail, on another machine.

    `holdfast audit verify --checkpoint FILE` later holds the records against it.
    """
    last = with_books(_latest)
    if last is None:
        raise Trouble("there is no checkpoint yet", "start the watchdog: it signs the first one at once", FOUND)
    say_json(as_object(last))


async def _latest(books: Books) -> Signed | None:
    return (await vouched(books.records, verify_keys())).last


def read_pinned(path: Path) -> Sequence[Signed]:
    """The checkpoints that were kept outside, one a line or a single one. Raises Trouble."""
    remedy = "give a file printed by `holdfast audit checkpoint`, or the one that the watchdog keeps"
    try:
        found = tuple(read_kept(path))
    except NotKeptError as error:
        raise Trouble(str(error), remedy, USAGE) from None
    if not found:
        raise Trouble(f"{path} holds no checkpoint", remedy, USAGE)
    return found
