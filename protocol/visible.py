"""Text that people wrote, made fit to be shown to others: nothing in it steers a terminal or forges a line."""

from __future__ import annotations

import unicodedata

_INSTEAD = "\N{REPLACEMENT CHARACTER}"
_STEERS = ("Cc", "Zl", "Zp")
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the direction of writing, so that a number could be shown backwards."""


def visible(text: str, keep: str = "\n") -> str:
    """The text with each character that steers a terminal replaced, except those to keep."""
    if _without(text, keep).isprintable():  # then it has no mark that steers: all of those count as not printable
        return text
    return "".join(_INSTEAD if one not in keep and _is_steering(one) else one for one in text)


def one_line(text: str) -> str:
    """The text on one line, its line breaks shown as `⏎`."""
    return visible("⏎".join(text.splitlines()) if len(text.splitlines()) > 1 else text, keep="")


def _without(text: str, keep: str) -> str:
    for one in keep:
        text = text.replace(one, "")
    return text


def _is_steering(one: str) -> bool:
    return one in _TURNS or unicodedata.category(one) in _STEERS
