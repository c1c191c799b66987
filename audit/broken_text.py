"""Text that is none: SQLite keeps whatever bytes somebody forces into a text column, and its driver stumbles over them.

An auditor must be told which row it is. So such bytes are read as lone surrogates, which no hash of ours accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, LargeBinary, Text, cast, literal
from sqlalchemy.exc import OperationalError

T = TypeVar("T")

_BY_BYTE = "surrogateescape"


def reading_anything(connection: Connection, read: Callable[[], T]) -> T:
    """What `read` gives, with bytes that are no text as lone surrogates where the driver refuses them."""
    try:
        return read()
    except OperationalError as error:
        if not is_broken(error):
            raise
    driver = connection.connection.driver_connection
    assert driver is not None  # it has just answered
    driver.text_factory = partial(str, encoding="utf-8", errors=_BY_BYTE)
    try:
        return read()
    finally:
        driver.text_factory = str


def is_broken(error: OperationalError) -> bool:
    """Whether SQLite's driver stumbled over bytes that are no text."""
    return "decode to UTF-8" in str(error.orig)


def is_text(value: str) -> bool:
    """False for bytes that were read as lone surrogates."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def as_stored(value: str) -> ColumnElement[str]:
    """The text for a comparison in SQL, with the very bytes that were read."""
    if is_text(value):
        return literal(value, Text())
    return cast(literal(value.encode(errors=_BY_BYTE), LargeBinary()), Text())


def shown(value: str) -> str:
    """The text for people: `ep-\\xff` for bytes that are none."""
    return value.encode(errors=_BY_BYTE).decode(errors="backslashreplace")
