"""Publishing a protocol: draft → in review → published → retired, and which version counts at a moment.

Pure: rules over the list of what was done so far. `audit.publications` keeps that list, in order and chained.
A version is its content hash: a changed file is another draft. All times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from protocol.commands import STRICT, Identifier, Reason, Text, Word
from protocol.facts import Refused
from protocol.spec import ProtocolSpec

Act = Literal["submitted", "sent_back", "published", "retired"]
State = Literal["draft", "in review", "scheduled", "in effect", "superseded", "retired"]
"""`superseded`: published, and another version counts now. `draft`: never submitted, or sent back."""
ProofVerdict = Literal["proved", "failed", "unfinished", "not run"]

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Trial:
    """What was tried with a document before somebody relies on it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    warnings: int
    """Of `lint`; a document with errors can't be submitted at all."""
    proof: ProofVerdict
    proof_told: Text
    scenarios: int
    failed: tuple[str, ...]
    """Names of the scenarios that failed."""

    @property
    def good(self) -> bool:
        """Proved, and tested by at least one scenario without a failure."""
        return self.proof == "proved" and self.scenarios > 0 and not self.failed

    @property
    def told(self) -> str:
        """In one line."""
        failed = f", {len(self.failed)} FAILED: {', '.join(self.failed)}" if self.failed else ""
        proof = "proved" if self.proof == "proved" else f"NOT PROVED ({self.proof})"
        return f"{proof}; {self.scenarios} scenarios{failed}; {self.warnings} warnings"


NOT_TRIED = Trial(0, "not run", "", 0, ())


@dataclass(frozen=True)
class SignOff:
    """A clinician who answers by name for an exception."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    by: Identifier
    role: Word
    reason: Reason


@dataclass(frozen=True)
class Publication:
    """One thing that was done with a version."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    act: Act
    at: AwareDatetime
    protocol: str
    version: str
    protocol_hash: Hash
    by: Identifier
    role: Word
    reason: Text = ""
    effective_at: AwareDatetime | None = None
    """From when on new episodes take it; with `published` alone."""
    trial: Trial | None = None
    """With `submitted` and `published`: what was found then."""
    sign_off: SignOff | None = None
    """Who answers for publishing it though the trial was not good."""


PUBLICATION: TypeAdapter[Publication] = TypeAdapter(Publication)
"""Reads and writes a publication."""

Record = Sequence[Publication]
"""All that was done so far, oldest first."""


def of_protocol(record: Record, protocol: str) -> list[Publication]:
    """What was done with the versions of one protocol."""
    return [one for one in record if one.protocol == protocol]


def in_effect(record: Record, protocol: str, at: datetime) -> Publication | None:
    """The version that a new episode takes at that moment; None where there is none.

    The latest effective date counts, of equal ones the later act. A version that was retired before its date never
    came into effect; one that is retired while it counts leaves none: nothing falls back to an older one by itself.
    """
    best: tuple[datetime, int] | None = None
    found: Publication | None = None
    for place, one in enumerate(record):
        if one.protocol != protocol or one.act != "published" or one.effective_at is None:
            continue
        retired = _retired_at(record[place + 1 :], one.protocol_hash)
        if one.effective_at > at or (retired is not None and retired < one.effective_at):
            continue
        if best is None or (one.effective_at, place) > best:
            best = (one.effective_at, place)
            found = None if retired is not None and retired <= at else one
    return found


def _retired_at(later: Iterable[Publication], protocol_hash: str) -> datetime | None:
    """When a publication was taken back; a later one of the same version does not undo that."""
    return next((one.at for one in later if one.act == "retired" and one.protocol_hash == protocol_hash), None)


def state_of(record: Record, protocol_hash: str, at: datetime) -> State:
    """Where a version stands at a moment."""
    last = _last(record, protocol_hash)
    if last is None or last.act == "sent_back":
        return "draft"
    if last.act == "submitted":
        return "in review"
    if last.act == "retired":
        return "retired"
    counts = in_effect(record, last.protocol, at)
    if counts is not None and counts.protocol_hash == protocol_hash:
        return "in effect"
    return "scheduled" if last.effective_at is not None and last.effective_at > at else "superseded"


def left_effect(record: Record, protocol: str, protocol_hash: str, at: datetime) -> datetime | None:
    """When a version was in effect last; None when it never was, or still is, or will be."""
    if state_of(record, protocol_hash, at) in ("in effect", "scheduled"):
        return None
    acts = of_protocol(record, protocol)
    moments = sorted({at, *(one.effective_at for one in acts if one.effective_at), *(one.at for one in acts)})
    ended: datetime | None = None
    for begins, ends in pairwise(one for one in moments if one <= at):
        counts = in_effect(record, protocol, begins)
        if counts is not None and counts.protocol_hash == protocol_hash:
            ended = ends
    return ended


def _last(record: Record, protocol_hash: str) -> Publication | None:
    return next((one for one in reversed(record) if one.protocol_hash == protocol_hash), None)


def author_of(record: Record, protocol_hash: str) -> str | None:
    """Who submitted a version last."""
    return next(
        (one.by for one in reversed(record) if one.protocol_hash == protocol_hash and one.act == "submitted"), None
    )


def authors_of(record: Record, protocol_hash: str) -> frozenset[str]:
    """Everybody who ever submitted a version: submitting it once more makes nobody else's work of it."""
    return frozenset(one.by for one in record if one.protocol_hash == protocol_hash and one.act == "submitted")


def trial_of(record: Record, protocol_hash: str) -> Trial | None:
    """What was found when a version was tried last."""
    return next((one.trial for one in reversed(record) if one.protocol_hash == protocol_hash and one.trial), None)


def publication_of(record: Record, protocol_hash: str) -> Publication | None:
    """The latest publishing of a version, with its sign-off if it was an exception."""
    return next(
        (one for one in reversed(record) if one.protocol_hash == protocol_hash and one.act == "published"), None
    )


def exception_of(published: Publication | None) -> str:
    """Who answers for publishing a version that was not found good; empty where nobody had to."""
    if published is None or published.sign_off is None:
        return ""
    found = f" ({published.trial.told})" if published.trial else ""
    return f"signed by {published.sign_off.by}, {published.sign_off.role}: {published.sign_off.reason}{found}"


@dataclass(frozen=True)
class Actor:
    """Who acts, in which role of the protocol, when."""

    by: str
    role: str
    at: datetime


def submit(record: Record, spec: ProtocolSpec, actor: Actor, trial: Trial, note: str = "") -> Publication | Refused:
    """Ask for review, with a note to whoever reviews. The trial's result is kept, whatever it is."""
    state = state_of(record, spec.content_hash, actor.at)
    if state == "in review":
        return Refused("in_review", f"{_name(spec)} is in review already.", "Wait for it, or change the document.")
    if state in ("scheduled", "in effect"):
        return Refused("published", f"{_name(spec)} is published.", "Change the document and raise its version.")
    taken = [one for one in of_protocol(record, spec.protocol) if one.version == spec.version and _other(one, spec)]
    if taken:
        message = f"Version {spec.version} of {spec.protocol} was published with another content."
        return Refused("version_taken", message, "Raise `version`: what is published never changes.")
    return _act("submitted", spec, actor, trial=trial, reason=note)


def _other(one: Publication, spec: ProtocolSpec) -> bool:
    return one.act == "published" and one.protocol_hash != spec.content_hash


def send_back(record: Record, spec: ProtocolSpec, actor: Actor, reason: str) -> Publication | Refused:
    """Give a version back to its author, with a reason."""
    if state_of(record, spec.content_hash, actor.at) != "in review":
        return Refused("not_in_review", f"{_name(spec)} is not in review.", REMEDY)
    return _unreasoned(reason) or _act("sent_back", spec, actor, reason=reason)


def publish(
    record: Record,
    spec: ProtocolSpec,
    actor: Actor,
    trial: Trial,
    effective_at: datetime | None = None,
    sign_off: SignOff | None = None,
) -> Publication | Refused:
    """Approve a version, from a date on. A version that was published before may be published again: a rollback."""
    state, authors = state_of(record, spec.content_hash, actor.at), authors_of(record, spec.content_hash)
    if state == "draft" or not authors:
        message = f"{_name(spec)} was not submitted; a changed file is another draft."
        return Refused("not_in_review", message, REMEDY)
    if state == "in effect":
        return Refused("published", f"{_name(spec)} is in effect already.", "There is nothing to do.")
    refused = _unlicensed(spec, actor.role) or _own(authors, actor.by)
    if refused is None and effective_at is not None and effective_at < actor.at:
        refused = Refused("past", "The effective date lies in the past.", "Leave it out for now, or name a later one.")
    if refused is None and not trial.good:
        refused = _unsigned(spec, authors, trial, sign_off)
    if refused is not None:
        return refused
    exception = None if trial.good else sign_off
    return _act("published", spec, actor, trial=trial, effective_at=effective_at or actor.at, sign_off=exception)


def retire(record: Record, spec: ProtocolSpec, actor: Actor, reason: str) -> Publication | Refused:
    """Let no new episode begin under a version. Open ones go on under it."""
    if state_of(record, spec.content_hash, actor.at) not in ("scheduled", "in effect", "superseded"):
        return Refused("not_published", f"{_name(spec)} is not published.", "`holdfast protocol versions` lists them.")
    return _unlicensed(spec, actor.role) or _unreasoned(reason) or _act("retired", spec, actor, reason=reason)


REMEDY = "Submit it with `holdfast protocol submit`."


def _act(
    act: Act,
    spec: ProtocolSpec,
    actor: Actor,
    *,
    reason: str = "",
    effective_at: datetime | None = None,
    trial: Trial | None = None,
    sign_off: SignOff | None = None,
) -> Publication:
    return Publication(
        *(act, actor.at, spec.protocol, spec.version, spec.content_hash, actor.by, actor.role),
        *(reason, effective_at, trial, sign_off),
    )


def _unlicensed(spec: ProtocolSpec, role: str) -> Refused | None:
    known = spec.roles.get(role)
    if known is not None and known.licensed:
        return None
    licensed = ", ".join(name for name, one in spec.roles.items() if one.licensed)
    return Refused("wrong_role", "Only licensed staff publishes and retires.", f"Act as one of: {licensed}.")


def _own(authors: frozenset[str], by: str) -> Refused | None:
    if by not in authors:
        return None
    return Refused("own_work", "Nobody publishes what they submitted themselves.", "Ask a second person.")


def _unreasoned(reason: str) -> Refused | None:
    return None if reason.strip() else Refused("no_reason", "A reason is missing.", "Say why, with `--reason`.")


def _unsigned(spec: ProtocolSpec, authors: frozenset[str], trial: Trial, sign_off: SignOff | None) -> Refused | None:
    if sign_off is None:
        message = f"{_name(spec)} was not found good: {trial.told}."
        return Refused("not_good", message, "Mend it; or have a clinician sign the exception by name, with a reason.")
    if sign_off.by in authors:
        return Refused("own_work", "Nobody signs an exception for their own work.", "Ask a second person.")
    return _unlicensed(spec, sign_off.role) or _unreasoned(sign_off.reason)


def _name(spec: ProtocolSpec) -> str:
    return f"{spec.protocol} {spec.version} ({spec.content_hash[:12]})"
