"""A draft as it is read: what is wrong in it and where, and the protocol that it is. Read once for each text."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from practice.protocol_drafts import About
from protocol.spec import ProtocolSpec
from protocol_specs.lint import Looked, as_object, look, summary
from protocol_specs.loader import read_yaml
from protocol_specs.located import SpecErrors
from web.thread import in_thread

REMEMBERED = 32
_read: OrderedDict[bytes, Reading] = OrderedDict()


@dataclass(frozen=True)
class Reading:
    """What is found in a text."""

    looked: Looked
    about: About

    @property
    def spec(self) -> ProtocolSpec | None:
        """The protocol that the text is; None while it is none."""
        return self.looked.spec

    @property
    def usable(self) -> bool:
        """Nothing keeps it from being tried."""
        return self.looked.usable

    @property
    def found(self) -> list[dict[str, Any]]:
        """The findings in reading order."""
        return [as_object(one) for one in self.looked.found]

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return sum(one.finding.severity == "error" for one in self.looked.found)

    @property
    def counted(self) -> str:
        """`1 error, 2 warnings`."""
        return summary(self.looked.found)


async def reading(text: str) -> Reading:
    """Read a text; never fails."""
    key = sha256(text.encode(errors="surrogatepass")).digest()
    if key not in _read:
        _read[key] = await in_thread(_look, text)
        while len(_read) > REMEMBERED:
            _read.popitem(last=False)
    _read.move_to_end(key)
    return _read[key]


def _look(text: str) -> Reading:
    looked = look(text.encode(errors="replace"))
    spec = looked.spec
    if spec is not None:
        return Reading(looked, About(spec.protocol, spec.title, spec.content_hash))
    name = re.search(r"(?m)^protocol:[ \t]*([a-z][a-z0-9_]{0,47})[ \t]*$", text)
    title = re.search(r"(?m)^title:[ \t]*[\"']?(.{1,120}?)[\"']?[ \t]*$", text)
    return Reading(looked, About(name[1] if name else "", title[1] if title else "", ""))


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line of a place in a text; 1 where it can't be told."""
    try:
        return read_yaml(text).place(path)[0]
    except SpecErrors:
        return 1
