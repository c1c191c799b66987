"""What a reader without the right to substance-use records (42 CFR Part 2) gets to see of a row.

When unsure, deny. A field stays only when it is known to say nothing about substance use:

1. Facts marked `sud` in the protocol are withheld, and whatever the protocol derives from them: instruments, tables,
   decisions, steps, obligations, notices and risk rules that read them, wherever their names stand.
2. Free text is withheld, facts of the type `text` too: it may say anything. So are crisis types: some are about use.
3. Every field that is not listed below is withheld, so that a new one is hidden until somebody has thought about it.

The names of withheld values are hidden with them. What stays hangs together by hashes as before.

A protocol marked `sud` as a whole tells of substance use by its name, which every row hangs on: nothing of an episode
under it is for such a reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from protocol.canonical import leaves
from protocol.spec import ProtocolSpec
from protocol.trail import DisclosedRow, TrailRow, Withheld, disclose

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
NOTICE_SOURCE = "42 CFR 2.32(a)(2), as amended by 89 FR 12472 of 16 February 2024"
"""The short statement that must accompany a disclosure. Counsel confirms the wording before the first real export."""

_KNOWN_TO_BE_SILENT = """
    actor at by channel channels client_ref code command command_id decision delivered drill due_at entry episode_id
    expected_revision first_page_at kind late lease_until left level needs_cosignature next_page_at number obligation
    obligation_id occurred_at outcome owner owner_role page_id party previous protocol protocol_hash protocol_version
    recipients refers_to role rule rung risk stage step subject to
"""
STAYS = frozenset(_KNOWN_TO_BE_SILENT.split())
"""Fields of events and commands, below `event/` and `command/`."""

DERIVED = ("instruments", "tables", "decisions", "steps", "obligations", "notices", "refusals")
"""Parts of a protocol whose elements tell something about the facts they read."""


class RedactionError(Exception):
    """Such a reader may see nothing of an episode; the message says why."""

    REMEDY = "leave it out, or hand it to a reader who has the right"


def redactor(spec: ProtocolSpec) -> Redactor:
    """Who withholds under this protocol. Raises RedactionError when the protocol tells of substance use by itself."""
    if spec.sud:
        raise RedactionError(
            f"“{spec.title}” is about substance use as a whole (42 CFR Part 2), so that an episode under it tells of "
            "that however it is redacted"
        )
    return Redactor(spec)


class Redactor:
    """Withholds what such a reader may not see of episodes under one protocol."""

    def __init__(self, spec: ProtocolSpec) -> None:
        document = json.loads(spec.canonical())
        self._texts = {name for name, fact in spec.facts.items() if fact.type == "text"}
        self.names = _about_substances(spec, document)
        """The names in the protocol that tell something about substance use."""
        self.rules = {place for place, rule in enumerate(document["risk"]["rules"]) if _mentions(rule, self.names)}
        """The numbers of the risk rules that do."""

    def row(self, row: TrailRow) -> DisclosedRow:
        """The row for that reader. Raises ValueError when the payload can't be read any more."""
        hidden = {path for path, value in _values(row.payload or {}) if not self._stays(path, value)}
        return disclose(row, hidden.__contains__)

    def shows(self, field: str, value: str) -> bool:
        """Whether that reader may see this value of this field of an event."""
        return field in STAYS and not self._tells(value)

    def _stays(self, path: str, value: Any) -> bool:
        field = path.partition("/")[2]
        group, _, name = field.partition("/")
        if group in ("facts", "seen"):
            return name not in self.names and (group == "seen" or name not in self._texts)
        if field == "rule":
            return value not in self.rules
        named = cast("list[Any]", value) if isinstance(value, list) else [value]
        return field in STAYS and not any(self._tells(one) for one in named)

    def _tells(self, value: Any) -> bool:
        """`daily_ciwa`, and the obligation `daily_ciwa-3`."""
        return isinstance(value, str) and (value in self.names or value.rpartition("-")[0] in self.names)


def withheld(row: DisclosedRow) -> int:
    """How many values of a row are not shown."""
    return sum(isinstance(value, Withheld) for value in row.values)


def _values(payload: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    decoder = json.JSONDecoder()
    for leaf in leaves(payload):
        text = leaf.decode()
        path, end = decoder.raw_decode(text)
        yield path, json.loads(text[end + 1 :])


def _about_substances(spec: ProtocolSpec, document: dict[str, Any]) -> set[str]:
    tainted = {name for name, fact in spec.facts.items() if fact.sud} | set(spec.crisis_types)
    elements = {name: part for group in DERIVED for name, part in document.get(group, {}).items()}
    while True:
        more = {name for name, part in elements.items() if name not in tainted and _mentions(part, tainted)}
        if not more:
            return tainted
        tainted |= more


def _mentions(part: Any, names: set[str]) -> bool:
    """A name stands somewhere in it; of `ciwa.status` or `crisis.relapse` a part counts."""
    match part:
        case str():
            return part in names or any(one in names for one in part.split("."))
        case dict():
            inner = cast("dict[str, Any]", part)
            return any(_mentions(one, names) for one in (*inner, *inner.values()))
        case list():
            return any(_mentions(one, names) for one in cast("list[Any]", part))
        case _:
            return False
