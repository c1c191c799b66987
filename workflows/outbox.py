"""The rows that the records do not have yet, in their order, and how large they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from pydantic_core import to_json

from protocol.trail import TrailRow
from workflows.ports import LARGEST_BATCH, MOST_ROWS, batch_length

WIDEST = 6
"""Characters by which a batch is measured for a byte of JSON by which a row is, at most: an escaped `DEL`."""


class Outbox:
    """First in, first out. A row leaves only when it was recorded."""

    def __init__(self, rows: Iterable[TrailRow]) -> None:
        self._rows: deque[tuple[TrailRow, int]] = deque()
        self.size = 0
        """Bytes of JSON of all rows; the same on every machine."""
        self.extend(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def extend(self, rows: Iterable[TrailRow]) -> None:
        """Take in new rows."""
        for row in rows:
            size = len(to_json(row))
            self._rows.append((row, size))
            self.size += size

    def all(self) -> tuple[TrailRow, ...]:
        """Every row that waits."""
        return tuple(row for row, _ in self._rows)

    def batch(self) -> tuple[TrailRow, ...]:
        """The first rows, as many as travel together. Few and small ones need no measuring."""
        if len(self._rows) <= MOST_ROWS and WIDEST * self.size <= LARGEST_BATCH:
            return self.all()
        length = batch_length(row for row, _ in self._rows)
        return tuple(row for row, _ in islice(self._rows, length))

    def drop(self, count: int) -> None:
        """Let go of the first rows: the records have them."""
        for _ in range(count):
            self.size -= self._rows.popleft()[1]
