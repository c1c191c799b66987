"""Who looked at an episode at the command line, written into the access trail before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.access import Access, as_row, record_rows
from audit.spool import FOLDER, Spool
from cli.desk import Desk, utc_now
from cli.who import ROLE, somebody

log = structlog.get_logger()

Named = tuple[str, str]
"""Episode and client."""


class Looks:
    """The looks of one command; a command that keeps showing has looked once."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._noted: set[Named] = set()

    async def shows(self, desk: Desk, named: Iterable[Named], *, urgent: bool = False) -> None:
        """Write down that these are shown. Raises SQLAlchemyError; where it is urgent, they are kept in a file."""
        new = [one for one in dict.fromkeys(named) if one not in self._noted]
        now, who = utc_now(), somebody()
        rows = [as_row(Access(now, who, ROLE, "read", "", *one, {"view": self._view})) for one in new]
        try:
            await record_rows(desk.records, rows)
        except SQLAlchemyError as error:
            if not urgent:
                raise
            log.error("a look is not in the access trail yet; it is kept in a file", error_type=type(error).__name__)
            _keep(desk, rows)
        self._noted |= set(new)


def _keep(desk: Desk, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        Spool(desk.settings.var / FOLDER, desk.ring).keep(rows)
    except OSError as full:  # a life is worth more than a row
        log.critical("a look can't be kept anywhere", error_type=type(full).__name__)
