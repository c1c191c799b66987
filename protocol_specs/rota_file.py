"""The rota as clinical operations keep it: a YAML file that may be changed at any time."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from protocol.rota import Rota
from protocol_specs.loader import SpecErrors, load

log = structlog.get_logger()


class RotaFile:
    """Reads the file again when it has changed. A broken change is reported and the last good rota kept."""

    def __init__(self, path: Path) -> None:
        """Raises SpecErrors when the file is no rota."""
        self._path = path
        self._changed = self._stamp()
        self._rota = load(path, Rota)

    async def current(self) -> Rota:
        """The rota as the file says now, or as it last said something readable."""
        changed = self._stamp()
        if changed != self._changed:
            self._changed = changed
            self._read_again()
        return self._rota

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the practice, as the last readable rota says."""
        return ZoneInfo(self._rota.time_zone)

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)

    def _read_again(self) -> None:
        try:
            self._rota = load(self._path, Rota)
        except SpecErrors as error:
            log.error("the rota can't be read; the last good one is kept", path=str(self._path), exc_info=error)
        else:
            log.info("rota read", path=str(self._path), count=len(self._rota.people))
