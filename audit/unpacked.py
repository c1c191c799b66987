"""Reads an export back: the rows of each episode and the protocols they name. Its chains are verified on the way."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from protocol.canonical import NotCanonicalError
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow, verify

LARGEST = 256 * 1024 * 1024
"""Bytes of one entry, unpacked."""
LONGEST_LINE = 4 * 1024 * 1024
ROWS = "rows.ndjson"


class UnpackError(Exception):
    """The file is no export that can be read; the message says why."""


def unpacked(path: Path) -> Iterator[tuple[str, tuple[TrailRow, ...]]]:
    """Each episode with its rows. Raises UnpackError. `offline_verifier.py` checks the signature of the whole file."""
    try:
        with zipfile.ZipFile(path) as archive, _open(archive, ROWS) as lines:
            for episode_id, group in groupby(map(_row, _lines(lines)), key=lambda row: row.episode_id):
                rows = tuple(group)
                fault = verify(rows, episode_id)
                if fault is not None:
                    raise UnpackError(str(fault))
                yield episode_id, rows
    except zipfile.BadZipFile:
        raise UnpackError("it is no export of this system, or it is damaged") from None
    except OSError as error:
        raise UnpackError(f"it can't be read: {error.strerror or error}") from None


def protocol_in(path: Path, content_hash: str) -> ProtocolSpec:
    """A protocol of the export. Raises UnpackError."""
    try:
        with zipfile.ZipFile(path) as archive, _open(archive, f"protocols/{content_hash}.json") as file:
            document = file.read(LARGEST)
        if hashlib.sha256(document).hexdigest() != content_hash:
            raise UnpackError(f"the protocol {content_hash} was changed in the export")
        return ProtocolSpec.model_validate_json(document)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnpackError(f"the protocol {content_hash} can't be read: {type(error).__name__}") from None


def _open(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        if archive.getinfo(name).file_size > LARGEST:
            raise UnpackError(f"{name} is larger than {LARGEST // 1024 // 1024} MB; export fewer episodes")
        return archive.open(name)
    except KeyError:
        raise UnpackError(f"the file has no {name}; give one made by `holdfast audit export`") from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise UnpackError(f"a row has more than {LONGEST_LINE} bytes")
        yield line


def _row(line: bytes) -> TrailRow:
    try:
        said: dict[str, Any] = json.loads(line)
        if "values" in said:
            raise UnpackError("it was redacted: without all answers nothing can be decided anew")
        times = {name: datetime.fromisoformat(said[name]) for name in ("occurred_at", "recorded_at")}
        columns: dict[str, Any] = {"payload": None, "salt": None, **said, **times}
        return TrailRow(**columns)
    except (ValueError, TypeError, KeyError, RecursionError, NotCanonicalError):
        raise UnpackError("a row can't be read") from None
