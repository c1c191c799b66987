"""The protocols of this installation: the files that may be opened now, and those that episodes were opened under."""

from __future__ import annotations

from pathlib import Path

import structlog

from audit.queries import Queries
from audit.shelf import ShelfError, genuine
from protocol.program import Program, program
from protocol.spec import ProtocolSpec
from protocol.words import plain
from protocol_specs.loader import NOT_PROTOCOLS, load_protocol
from protocol_specs.located import SpecErrors

log = structlog.get_logger()


class UnknownProtocolError(LookupError):
    """The protocol of an episode is neither among the files nor in the records yet."""


class Shelf:
    """Reads a file again when it has changed; a broken one keeps its last good form."""

    def __init__(self, folder: Path, queries: Queries) -> None:
        self._folder = folder
        self._queries = queries
        self._read: dict[Path, tuple[int, ProtocolSpec | None]] = {}
        self._pinned: dict[str, Program] = {}

    def open_now(self) -> dict[str, ProtocolSpec]:
        """The protocols that an episode may be opened under, by name."""
        found: dict[str, ProtocolSpec] = {}
        for path in sorted(self._folder.glob("*.yaml")):
            spec = self._current(path) if path.stem not in NOT_PROTOCOLS else None
            if spec is not None:
                found[spec.protocol] = spec
        return found

    async def pinned(self, content_hash: str) -> Program:
        """The protocol with this hash. Raises UnknownProtocolError."""
        known = self._pinned.get(content_hash)
        if known is None:
            known = self._pinned[content_hash] = program(await self._find(content_hash))
        return known

    async def stage_title(self, content_hash: str, stage: str) -> str:
        """A stage's title for a list; its name where the protocol is not at hand."""
        try:
            stages = (await self.pinned(content_hash)).spec.stages
        except UnknownProtocolError:
            return plain(stage)
        return stages[stage].title if stage in stages else plain(stage)

    async def _find(self, content_hash: str) -> ProtocolSpec:
        for spec in self.open_now().values():
            if spec.content_hash == content_hash:
                return spec
        stored = await self._queries.get_protocol(content_hash)
        if stored is None:
            raise UnknownProtocolError("the protocol of this episode is not at hand; try again in a moment")
        try:
            return genuine(stored.document, content_hash)
        except ShelfError as error:  # nobody is to be led by what somebody wrote into the records
            raise UnknownProtocolError(str(error)) from None

    def _current(self, path: Path) -> ProtocolSpec | None:
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        before = self._read.get(path)
        if before is not None and before[0] == changed:
            return before[1]
        try:
            spec = load_protocol(path)
        except SpecErrors as error:
            log.error("a protocol can't be read; its last good form is kept", path=path.name, exc_info=error)
            spec = before[1] if before is not None else None
        self._read[path] = (changed, spec)
        return spec
