"""What a proof has to say: for each claim whether it holds, how that is known, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from protocol.findings import Finding, dotted
from rehearsal.scenario import Scenario

Verdict = Literal["proved", "refuted", "open"]
"""`open`: neither proved nor refuted; never counts as proved."""


@dataclass(frozen=True)
class Doubt:
    """One thing that speaks against a claim."""

    finding: Finding
    scenario: Scenario | None = None
    """A counterexample: fails on this protocol and passes once it is mended. None where only a proof is missing,
    or where the document itself shows the fault."""
    certain: bool = False
    """The fault is there, although no scenario shows it: it was read from the document, in every combination."""


@dataclass(frozen=True)
class Claim:
    """One property with its verdict."""

    key: str
    title: str
    verdict: Verdict
    how: str
    """What was looked at, and whether that was everything."""
    configurations: int = 0
    steps: int = 0
    """Macro steps of the core that were taken for it."""
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Paging:
    """How long it takes at worst, from a rise of the risk to this level. Seconds; None where nobody is surely paged."""

    level: str
    paged: int | None = None
    by: str = ""
    """The obligation that pages first."""
    last_rung: int | None = None
    role: str = ""
    """Who the last rung of that obligation is."""


@dataclass(frozen=True)
class Proof:
    """All claims about one protocol version."""

    protocol: str
    version: str
    content_hash: str
    claims: tuple[Claim, ...]
    paging: tuple[Paging, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @cached_property
    def proved(self) -> bool:
        """Every claim is proved."""
        return all(claim.verdict == "proved" for claim in self.claims)

    @property
    def complete(self) -> bool:
        """No claim was left open: each was proved or refuted."""
        return all(claim.verdict != "open" for claim in self.claims)

    @property
    def explored(self) -> int:
        """Configurations that were visited, over all claims."""
        return sum(claim.configurations for claim in self.claims)

    @property
    def steps(self) -> int:
        """Macro steps of the core that were taken."""
        return sum(claim.steps for claim in self.claims)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that speaks against a claim, each once."""
        return tuple(dict.fromkeys(doubt.finding for claim in self.claims for doubt in claim.doubts))

    @property
    def counterexamples(self) -> tuple[Scenario, ...]:
        """The scenarios that show what is wrong."""
        return tuple(doubt.scenario for claim in self.claims for doubt in claim.doubts if doubt.scenario is not None)

    def as_object(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "protocol": self.protocol,
            "version": self.version,
            "hash": self.content_hash,
            "proved": self.proved,
            "complete": self.complete,
            "explored": self.explored,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "claims": [_claim(one) for one in self.claims],
            "paging": [vars(one) for one in self.paging],
        }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.key,
        "title": claim.title,
        "verdict": claim.verdict,
        "how": claim.how,
        "configurations": claim.configurations,
        "steps": claim.steps,
        "findings": [
            {
                "path": dotted(doubt.finding.path),
                "message": doubt.finding.message,
                "remedy": doubt.finding.remedy,
                "counterexample": doubt.scenario.scenario if doubt.scenario is not None else None,
            }
            for doubt in claim.doubts
        ],
    }


def settled(doubts: Iterable[Doubt]) -> Verdict:
    """Proved without a doubt, refuted with a counterexample or a fault that is certain, else open."""
    listed = list(doubts)
    if any(doubt.scenario is not None or doubt.certain for doubt in listed):
        return "refuted"
    return "open" if listed else "proved"
