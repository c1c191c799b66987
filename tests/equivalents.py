"""Mutants of the core that change nothing that anybody could see, each with the reason. They don't count."""

from __future__ import annotations

from tests.mutants import Mutant

EQUIVALENTS: dict[tuple[str, str, str], str] = {
    (
        "migrating",
        "migrate",
        "`isinstance(planned, Refused)` left out of `refused is not None or isinstance(planned, Refused)`",
    ): "it is refused in both cases; the second half only tells the type checker",
}
"""By module, place and what is wrong."""


def is_equivalent(mutant: Mutant) -> bool:
    """Whether somebody looked at it and found that no test could break."""
    return (mutant.module, mutant.place, mutant.what) in EQUIVALENTS
