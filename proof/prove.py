"""`prove(spec)`: everything that is claimed of a protocol, each claim with its verdict and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from proof.claims import authored, ladders, owed, tables, ways
from proof.claims.common import Ground
from proof.claims.paging import paging
from proof.explore import Going, in_silence
from proof.verdicts import Claim, Doubt, Paging, Proof
from protocol.check import check
from protocol.program import program
from protocol.spec import ProtocolSpec

Told = Callable[[Claim], None]
"""Is told of each claim as soon as it is settled."""

KINDS = (tables.claims, ways.claims, ladders.claims, owed.claims, authored.claims)


FIRST_DAY = date(2026, 1, 1)


def prove(
    spec: ProtocolSpec, told: Told | None = None, first_day: date = FIRST_DAY, going: Going = in_silence
) -> Proof:
    """Prove a protocol. What can't be used at all is not explored: then the only claim is that it can, refuted.

    Times until a page are the worst of the two years from `first_day` (local) on. `going` hears, between two claims,
    how many configurations were visited.
    """
    found: list[Claim] = []
    first = usable(spec)
    _tell(first, found, told)
    times: tuple[Paging, ...] = ()
    if first.verdict == "proved":
        ground = Ground(program(spec), going)
        for kind in KINDS:
            for claim in kind(ground):
                _tell(claim, found, told)
        times = paging(ground, first_day)
    return Proof(spec.protocol, spec.version, spec.content_hash, tuple(found), times)


def _tell(claim: Claim, found: list[Claim], told: Told | None) -> None:
    found.append(claim)
    if told is not None:
        told(claim)


def usable(spec: ProtocolSpec) -> Claim:
    """What `lint` finds: names, types, reachability, laxity."""
    errors = [finding for finding in check(spec) if finding.severity == "error"]
    title = "The document makes sense: names, types, times, roles."
    how = "Every check of `holdfast protocol lint`."
    verdict = "refuted" if errors else "proved"
    return Claim("usable", title, verdict, how, doubts=tuple(Doubt(finding) for finding in errors))
