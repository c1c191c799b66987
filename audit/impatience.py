"""A connection to PostgreSQL that gives up a server which says nothing any more.

TCP notices a peer that is gone, but not one whose packets something in between (a proxy, a tunnel, a balancer) takes
and never hands on; libpq then waits for ever, and every thread of the pool with it.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")


class ImpatientConnection(psycopg.Connection[Any]):
    """Closes itself when an answer takes longer than any answer may; the pool then makes a new one."""

    patience: float | None = None
    """Seconds for one answer; None waits for ever."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the end of one exchange. Raises OperationalError when it takes too long."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not the server's word
                self.close()
            raise
