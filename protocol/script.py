"""What is read aloud to the emergency service: lines in which `{fact}` stands for what is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from protocol.spec import ProtocolSpec

if TYPE_CHECKING:
    from protocol.episode import Known

BLANK = re.compile(r"\{([^{}]*)\}")


def blanks(line: str) -> tuple[str, ...]:
    """The facts that a line names, in their order."""
    return tuple(BLANK.findall(line))


def spoken(spec: ProtocolSpec, facts: Mapping[str, Known]) -> tuple[str, ...]:
    """The lines with what is known filled in; what is not known stands there as what is to be asked."""
    from protocol.directory import county_said
    from protocol.words import Words  # brings every command along, which checking a script needs not

    words = Words(spec)

    def said(name: str) -> str:
        known = facts.get(name)
        if known is not None and known.value not in ("refused", "unknown", ""):
            return county_said(str(known.value)) if name == spec.pages.county else words.answer(known.value)
        return f"({spec.facts[name].ask.rstrip('?.:')})"

    return tuple(BLANK.sub(lambda found: said(found[1]), line) for line in spec.emergency.script)
