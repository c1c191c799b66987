"""Who looked at the command line, written into the access trail before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.access import Access, What, as_row, record_rows
from audit.spool import FOLDER, Spool
from cli.books import Books
from cli.desk import Desk, utc_now
from cli.who import ROLE, somebody

log = structlog.get_logger()

Named = tuple[str, str]
"""Episode and client; an empty one is not known, or there is none."""


class Looks:
    """The looks of one command; a command that keeps showing has looked once."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._noted: set[Named] = set()

    async def shows(self, desk: Desk | Books, named: Iterable[Named], *, urgent: bool = False) -> None:
        """Write down that these are shown. Raises SQLAlchemyError; where it is urgent, they are kept in a file."""
        new = [one for one in dict.fromkeys(named) if one not in self._noted]
        await note(desk, *(look(self._view, "read", *one) for one in new), urgent=urgent)
        self._noted |= set(new)


def look(view: str, what: What, episode_id: str = "", client_ref: str = "", purpose: str = "", **detail: Any) -> Access:
    """A look by whoever sits here, now; `view` is the command."""
    return Access(utc_now(), somebody(), ROLE, what, purpose, episode_id, client_ref, {"view": view, **detail})


async def note(desk: Desk | Books, *looks: Access, urgent: bool = False) -> None:
    """Write looks. Raises SQLAlchemyError; where it is urgent, they are kept in a file instead."""
    rows = [*map(as_row, looks)]
    try:
        await record_rows(desk.records, rows)
    except SQLAlchemyError as error:
        if not urgent:
            raise
        log.error("a look is not in the access trail yet; it is kept in a file", error_type=type(error).__name__)
        _keep(desk, rows)


def _keep(desk: Desk | Books, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        Spool(desk.settings.var / FOLDER, desk.ring).keep(rows)
    except OSError as full:  # a life is worth more than a row
        log.critical("a look can't be kept anywhere", error_type=type(full).__name__)
