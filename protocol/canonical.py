"""One way to write a JSON value, and the leaves it is made of.

Two people who hash the same record must hash the same bytes: keys sorted, no white space, UTF-8 as it is,
times as RFC 3339 in UTC with microseconds, no NaN or infinity.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, cast

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


quoted: Callable[[str], str] = encode_basestring
"""A text as a JSON string. Raises TypeError for anything else."""


class NotCanonicalError(ValueError):
    """No canonical form: not JSON, NaN or infinite, a name that is no text, half a character."""


def rfc3339(moment: datetime) -> str:
    """`2026-11-01T09:30:00.000000Z`. Raises NotCanonicalError for a time without a zone."""
    if moment.tzinfo is not UTC:
        offset = moment.utcoffset()
        if offset is None:
            raise NotCanonicalError("a time needs a zone")
        if offset:
            moment = moment.astimezone(UTC)
    return _written(moment)


@lru_cache(maxsize=1024)
def _written(moment: datetime) -> str:
    """Kept for a while: all rows of a step bear the same times, and each is written some ten times on its way.

    Only for an offset of zero: in other zones two times an hour apart may count as equal, where clocks are set back.
    """
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def canonical(value: Any) -> bytes:
    """The canonical form of a JSON value. Raises NotCanonicalError."""
    _refuse_other_names(value)
    return _utf8(_text(value))


def leaves(document: dict[str, Any]) -> list[bytes]:
    """Each value of a document with its path, in order of the paths: `"facts/ideation":"yes"`.

    Objects are walked into, so that one fact can be withheld without its neighbours; a list is one value.
    Paths are JSON Pointers without the first slash (`~1` stands for `/` in a name, `~0` for `~`).
    Raises NotCanonicalError.
    """
    found: list[tuple[str, str]] = []
    _walk(document, "", found)
    found.sort()
    try:
        return [f"{encode_basestring(path)}:{text}".encode() for path, text in found]
    except UnicodeEncodeError:
        raise NotCanonicalError("half a character (a lone surrogate)") from None


def _walk(document: dict[str, Any], prefix: str, found: list[tuple[str, str]]) -> None:
    for name, value in document.items():
        if type(name) is not str:
            raise NotCanonicalError(f"a name must be text, not {type(name).__name__}")
        if "~" in name or "/" in name:
            name = name.replace("~", "~0").replace("/", "~1")
        path = prefix + name
        if type(value) is str:
            found.append((path, encode_basestring(value)))
        elif type(value) is int and value.bit_length() < 64:
            found.append((path, str(value)))
        elif value and isinstance(value, dict):
            _walk(cast("dict[str, Any]", value), path + "/", found)
        else:
            _refuse_other_names(value)
            found.append((path, _text(value)))


def _text(value: Any) -> str:
    if value is None:
        return "null"
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotCanonicalError(str(error)) from None


def _refuse_other_names(value: Any) -> None:
    """JSON would quietly turn a name 1 into "1" and sort it elsewhere."""
    if isinstance(value, dict):
        for name, inner in cast("dict[Any, Any]", value).items():
            if type(name) is not str:
                raise NotCanonicalError(f"a name must be text, not {type(name).__name__}")
            _refuse_other_names(inner)
    elif isinstance(value, list | tuple):
        for inner in cast("list[Any]", value):
            _refuse_other_names(inner)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("half a character (a lone surrogate)") from None
