"""Which version of a protocol a new episode takes: as the records say, or as they last said while they are away.

A crisis must be taken in also while the records are away, so the answer is kept in a file beside.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from audit.database import Database
from audit.publications import PublicationError, Publications
from audit.shelf import Shelf, ShelfError
from protocol.publishing import PUBLICATION, Publication, in_effect
from protocol.spec import ProtocolSpec

KEPT = "published"
"""Folder below `var` with what was last known to be in effect."""


@dataclass(frozen=True, slots=True)
class ToOpen:
    """The version that a new episode takes."""

    spec: ProtocolSpec
    publication: Publication
    warning: str = ""
    """Why this is what was known before, and not what the records say now; empty when they say so."""


class Current:
    """Looks up the version in effect. `kept` is the folder for what was last known."""

    def __init__(self, database: Database, publications: Publications, kept: Path) -> None:
        self._publications = publications
        self._shelf = Shelf(database)
        self._kept = kept

    async def of(self, protocol: str, now: datetime) -> ToOpen | None:
        """The version of this protocol in effect; None when none is.

        Raises SQLAlchemyError, PublicationError or ShelfError when the records don't tell and nothing was kept.
        """
        try:
            found = in_effect((await self._publications.read()).record, protocol, now)
            return None if found is None else await self._take(found)
        except (SQLAlchemyError, PublicationError, ShelfError) as error:
            if (last := self._last_known(protocol, _reason(error))) is None:
                raise
            return last

    async def all(self, now: datetime) -> dict[str, ToOpen]:
        """Every protocol with a version in effect, by name; one whose document is broken and was not kept is left out.

        Raises SQLAlchemyError or PublicationError when the records don't tell and nothing was kept.
        """
        try:
            record = (await self._publications.read()).record
        except (SQLAlchemyError, PublicationError) as error:
            names = sorted(file.stem for file in self._kept.glob("*.json"))
            kept = {name: last for name in names if (last := self._last_known(name, _reason(error)))}
            if not kept:
                raise
            return kept
        found: dict[str, ToOpen] = {}
        for name in sorted({one.protocol for one in record}):
            if (published := in_effect(record, name, now)) is None:
                continue
            try:
                found[name] = await self._take(published)
            except (SQLAlchemyError, ShelfError) as error:
                if (last := self._last_known(name, _reason(error))) is not None:
                    found[name] = last
        return found

    async def _take(self, found: Publication) -> ToOpen:
        known = ToOpen(await self._shelf.protocol(found.protocol_hash), found)
        self._keep(known)
        return known

    async def ever(self, protocol: str) -> bool:
        """Whether any version of this protocol was ever published. Raises like `of`."""
        record = (await self._publications.read()).record
        return any(one.protocol == protocol and one.act == "published" for one in record)

    def _file(self, protocol: str) -> Path:
        return self._kept / f"{protocol}.json"

    def _keep(self, known: ToOpen) -> None:
        said = PUBLICATION.dump_python(known.publication, mode="json")
        text = json.dumps({"publication": said, "document": known.spec.canonical()}, ensure_ascii=False)
        file = self._file(known.spec.protocol)
        with suppress(OSError):  # a full disk must not keep an episode from being opened
            if file.is_file() and file.read_text(encoding="utf-8") == text:
                return
            self._kept.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(text, encoding="utf-8")
            draft.replace(file)

    def _last_known(self, protocol: str, reason: str) -> ToOpen | None:
        try:
            kept = json.loads(self._file(protocol).read_text(encoding="utf-8"))
            publication = PUBLICATION.validate_json(json.dumps(kept["publication"]))
            spec = ProtocolSpec.model_validate_json(kept["document"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
        same = hashlib.sha256(kept["document"].encode()).hexdigest() == publication.protocol_hash
        return ToOpen(spec, publication, reason) if same else None


def _reason(error: Exception) -> str:
    away = "the records do not answer" if isinstance(error, SQLAlchemyError) else str(error)
    return f"{away}; this is the version that was last known to be in effect"
