"""How far long work is, in one line of the terminal that is written over; nothing where nobody watches."""

from __future__ import annotations

import shutil
import sys

from protocol.visible import visible


class Progress:
    """Writes on standard error, and only if that is a terminal. Use as a context: at its end the line is gone."""

    def __init__(self, *, wanted: bool) -> None:
        self._shown = wanted and sys.stderr.isatty()
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("\r")

    def now(self, text: str) -> None:
        """How far it is at this moment."""
        room = shutil.get_terminal_size().columns - 1
        line = visible(text)[:room]
        self._write(line)
        self._width = len(line)

    def done(self, text: str) -> None:
        """What is settled: a line that stays."""
        self._write(f"{visible(text)}\n")

    def _write(self, line: str) -> None:
        """Over the former line."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * self._width}\r{line}")
            sys.stderr.flush()
            self._width = 0
