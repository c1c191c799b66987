"""The chained record of an episode: what a row is, how rows hang together, how to see that none was changed.

    salt        = HMAC-SHA-256(salt key, sequence), one for each row
    leaf        = SHA-256(its 32 bytes of SHAKE-256(salt), path and value), one for each value of the payload
    commitment  = SHA-256(the leaves in order of their paths)
    hash        = SHA-256(version, previous hash, the clear columns, commitment), written as one JSON list

The chain needs only the clear columns and the commitment. So a payload can be withheld value by value
(`disclose`) or made unreadable for good, and the chain still verifies. The salts keep anybody from guessing
what was withheld: a yes and a no look alike.

All times are aware UTC. Hashes, salts and commitments are lower-case hexadecimal.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256, shake_256
from typing import Any, NamedTuple, Protocol

from protocol.canonical import NotCanonicalError, leaves, quoted, rfc3339
from protocol.values import value

VERSION = "holdfast-trail-1"
_SALT_BYTES = 32
_HASHED = 10
"""Columns of a link that its hash is over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it is to be recorded."""

    episode_id: str
    sequence: int
    occurred_at: datetime
    """When it happened."""
    recorded_at: datetime
    """When the engine took it in."""
    actor: str
    role: str
    command_id: str
    kind: str
    payload: dict[str, Any]
    """Made by `payload_of`."""


@value
class Head:
    """The last row of a chain: all that is needed to continue it."""

    sequence: int
    hash: str


@value
class TrailRow:
    """A event in its chain. Without payload and salt its key was destroyed; the chain still holds."""

    episode_id: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    role: str
    command_id: str
    kind: str
    payload: dict[str, Any] | None
    salt: str | None
    commitment: str
    previous_hash: str
    hash: str

    @property
    def head(self) -> Head:
        """The head of the chain that ends here."""
        return Head(self.sequence, self.hash)


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that the reader may see, with the salt that ties it to the commitment."""

    leaf: str
    """Path and value, `"event/facts/ideation":"yes"`."""
    salt: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that the reader may not see: neither its name nor its content."""

    hash: str


@dataclass(frozen=True, slots=True)
class DisclosedRow:
    """A row for a reader who may not see all of it. It verifies like the whole row."""

    episode_id: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    role: str
    command_id: str
    kind: str
    values: tuple[Shown | Withheld, ...]
    commitment: str
    previous_hash: str
    hash: str


AnyRow = TrailRow | DisclosedRow


class Wrong(StrEnum):
    """What can be wrong with a chain."""

    EDITED = "edited"  #: the row is not what its hash says
    CONTENT = "content"  #: the payload is not what the row's commitment says
    SEAL = "seal"  #: the sealed payload, its key, or the time of writing was changed
    UNLINKED = "unlinked"  #: the row is whole in itself but continues another chain: rewritten from here on
    MISSING = "missing"  #: a row was deleted
    REORDERED = "reordered"  #: the row stands in the wrong place
    INSERTED = "inserted"  #: a row too many
    FOREIGN = "foreign"  #: the row belongs to another episode
    TRUNCATED = "truncated"  #: the last rows are gone
    REWRITTEN = "rewritten"  #: each row fits the one before, but the end is not the expected one


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bad row of a chain."""

    episode_id: str
    sequence: int
    wrong: Wrong
    detail: str

    def __str__(self) -> str:
        return f"episode {self.episode_id}, row {self.sequence}: {self.wrong}: {self.detail}"


def payload_of(event: dict[str, Any], command: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a row seals, as JSON: the event and, on the first row of a macro step, the whole command."""
    return {"event": event} if command is None else {"event": event, "command": command}


def genesis(episode_id: str) -> Head:
    """Where the chain of an episode begins."""
    return Head(0, _sha(f'["{VERSION}",{quoted(episode_id)}]'))


def append(head: Head, entry: Entry, salt_key: bytes) -> TrailRow:
    """The row that records `entry` after `head`.

    Raises NotCanonicalError when the payload is not JSON, ValueError when the entry is not the next one.
    """
    if entry.sequence != head.sequence + 1:
        raise ValueError(f"entry {entry.sequence} cannot follow row {head.sequence}")
    # Not `hmac.digest`: it lets go of the interpreter's lock for a microsecond's work, and a worker under load then
    # waits for it longer than the whole step takes.
    salt = hmac.new(salt_key, b"%d" % entry.sequence, "sha256").digest().hex()
    commitment = commit(entry.payload, salt)
    return TrailRow(
        entry.episode_id,
        entry.sequence,
        entry.occurred_at,
        entry.recorded_at,
        entry.actor,
        entry.role,
        entry.command_id,
        entry.kind,
        entry.payload,
        salt,
        commitment,
        head.hash,
        row_hash(
            head.hash,
            entry.episode_id,
            entry.sequence,
            rfc3339(entry.occurred_at),
            rfc3339(entry.recorded_at),
            entry.actor,
            entry.role,
            entry.command_id,
            entry.kind,
            commitment,
        ),
    )


def commit(payload: dict[str, Any], salt: str) -> str:
    """The salted commitment to every value of a payload. Raises NotCanonicalError."""
    values = leaves(payload)
    salts = _salts(salt, len(values))
    places = range(0, len(salts), _SALT_BYTES)
    hashes = [sha256(salts[at : at + _SALT_BYTES] + leaf).digest() for at, leaf in zip(places, values, strict=True)]
    return sha256(b"".join(hashes)).hexdigest()


def row_hash(
    previous_hash: str,
    episode_id: str,
    sequence: int,
    occurred_at: str,
    recorded_at: str,
    actor: str,
    role: str,
    command_id: str,
    kind: str,
    commitment: str,
) -> str:
    """The hash of a row from its clear columns, times in RFC 3339. Raises NotCanonicalError."""
    try:
        return _sha(
            f'["{VERSION}",{quoted(previous_hash)},{quoted(episode_id)},{sequence},{quoted(occurred_at)},'
            f"{quoted(recorded_at)},{quoted(actor)},{quoted(role)},{quoted(command_id)},{quoted(kind)},"
            f"{quoted(commitment)}]"
        )
    except TypeError:
        raise NotCanonicalError("a column that should be text is not") from None


def disclose(row: TrailRow, withhold: Callable[[str], bool]) -> DisclosedRow:
    """The row without the values whose path `withhold` picks; `event/facts/ideation` is a path.

    Raises ValueError when the payload cannot be read any more.
    """
    if row.payload is None or row.salt is None:
        raise ValueError(f"row {row.sequence} cannot be read: its key was destroyed")
    values = leaves(row.payload)
    salts = _salts(row.salt, len(values))
    shown: list[Shown | Withheld] = []
    for number, leaf in enumerate(values):
        salt = salts[number * _SALT_BYTES : (number + 1) * _SALT_BYTES]
        text = leaf.decode()
        if withhold(_path(text)):
            shown.append(Withheld(sha256(salt + leaf).hexdigest()))
        else:
            shown.append(Shown(text, salt.hex()))
    return DisclosedRow(
        *(row.episode_id, row.sequence, row.occurred_at, row.recorded_at, row.actor, row.role),
        *(row.command_id, row.kind, tuple(shown), row.commitment, row.previous_hash, row.hash),
    )


def verify(
    rows: Iterable[AnyRow], episode_id: str, expected_head: Head | None = None, start: Head | None = None
) -> Fault | None:
    """The first bad row of an episode's chain, or None. Rows come in the order of their sequence.

    Without `expected_head`, known from outside the records, a cut-off end and a chain rewritten to its end
    cannot be seen: nothing inside the records tells them from the truth. `start` is the row before the first
    one given, when that is not the beginning.
    """
    head = start or genesis(episode_id)
    coming = iter(rows)
    for row in coming:
        fault = check_link(head, episode_id, link_of(row)) or _check_content(row)
        if fault is not None:
            return _reordered(fault, coming) if fault.wrong is Wrong.MISSING else fault
        head = Head(row.sequence, row.hash)
    return None if expected_head is None else check_end(head, episode_id, expected_head)


class Linked(Protocol):
    """A row that begins with the columns of `Link`, whatever follows them."""

    @property
    def previous_hash(self) -> str: ...
    @property
    def episode_id(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def hash(self) -> str: ...
    def __getitem__(self, places: slice, /) -> tuple[Any, ...]: ...


class Link(NamedTuple):
    """What the chain needs of a row, times in RFC 3339: what is hashed in its order, then the hash."""

    previous_hash: str
    episode_id: str
    sequence: int
    occurred_at: str
    recorded_at: str
    actor: str
    role: str
    command_id: str
    kind: str
    commitment: str
    hash: str


def link_of(row: AnyRow) -> Link:
    """The link of a row. Raises NotCanonicalError for a time without a zone."""
    return Link(
        *(
            row.previous_hash,
            row.episode_id,
            row.sequence,
            rfc3339(row.occurred_at),
            rfc3339(row.recorded_at),
        ),
        *(row.actor, row.role, row.command_id, row.kind, row.commitment, row.hash),
    )


def check_link(head: Head | Linked, episode_id: str, link: Linked) -> Fault | None:
    """What is wrong with the row that should follow `head`; its content is not looked at."""
    expected = head.sequence + 1
    if link.episode_id != episode_id:
        return Fault(episode_id, expected, Wrong.FOREIGN, f"here stands a row of episode {link.episode_id}")
    if link.sequence != expected:
        if link.sequence > expected:
            return Fault(episode_id, expected, Wrong.MISSING, f"after row {head.sequence} comes {link.sequence}")
        return Fault(episode_id, link.sequence, Wrong.INSERTED, f"this row stands after row {head.sequence}")
    if link.hash != _hash_of(link):
        return Fault(episode_id, expected, Wrong.EDITED, "the columns do not make the row's hash")
    if link.previous_hash != head.hash:
        suspect = max(head.sequence, 1)
        return Fault(episode_id, suspect, Wrong.UNLINKED, f"row {expected} continues another row than this")
    return None


def check_end(head: Head, episode_id: str, expected: Head) -> Fault | None:
    """What is wrong with a chain that ends at `head` and should end at `expected`."""
    if head.sequence < expected.sequence:
        detail = f"the chain should reach row {expected.sequence}"
        return Fault(episode_id, head.sequence + 1, Wrong.TRUNCATED, detail)
    if head.sequence > expected.sequence:
        detail = f"the chain should end at row {expected.sequence}"
        return Fault(episode_id, expected.sequence + 1, Wrong.INSERTED, detail)
    if head.hash != expected.hash:
        detail = "the end is not the expected one: this row or some before it were rewritten"
        return Fault(episode_id, head.sequence, Wrong.REWRITTEN, detail)
    return None


def _hash_of(link: Linked) -> str | None:
    try:
        return row_hash(*link[:_HASHED])
    except NotCanonicalError:
        return None


def _check_content(row: AnyRow) -> Fault | None:
    try:
        whole = row.commitment == _commitment_of(row)
    except ValueError:
        whole = False
    if whole:
        return None
    return Fault(row.episode_id, row.sequence, Wrong.CONTENT, "the payload is not what the row committed to")


def _commitment_of(row: AnyRow) -> str | None:
    if isinstance(row, DisclosedRow):
        return sha256(b"".join(_leaf_hash(value) for value in row.values)).hexdigest()
    if row.payload is None and row.salt is None:
        return row.commitment
    return None if row.payload is None or row.salt is None else commit(row.payload, row.salt)


def _leaf_hash(value: Shown | Withheld) -> bytes:
    if isinstance(value, Withheld):
        return bytes.fromhex(value.hash)
    return sha256(bytes.fromhex(value.salt) + value.leaf.encode()).digest()


def _reordered(missing: Fault, coming: Iterable[AnyRow]) -> Fault:
    """A missing row that comes later is only misplaced."""
    if all(row.sequence != missing.sequence for row in coming):
        return missing
    return Fault(missing.episode_id, missing.sequence, Wrong.REORDERED, "this row comes later than it should")


def _salts(salt: str, count: int) -> bytes:
    return shake_256(bytes.fromhex(salt)).digest(count * _SALT_BYTES)


def _path(leaf: str) -> str:
    return json.JSONDecoder().raw_decode(leaf)[0]


def _sha(text: str) -> str:
    try:
        return sha256(text.encode()).hexdigest()
    except UnicodeEncodeError:
        raise NotCanonicalError("half a character (a lone surrogate)") from None
