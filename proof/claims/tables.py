"""Claims about tables and loops: what can be told from the document, looked at in every combination."""

from __future__ import annotations

from collections.abc import Iterator

from proof.claims.common import Ground
from proof.verdicts import Claim, Doubt, settled
from protocol.checks.ground import Ground as Checked
from protocol.checks.tables import check_tables
from protocol.explain import explain
from protocol.findings import Finding
from protocol.spec import ProtocolSpec


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    yield total(ground.program.spec)
    yield loops(ground.program.spec)


def total(spec: ProtocolSpec) -> Claim:
    """Each table has one answer in every case."""
    doubts = [Doubt(finding, certain=True) for finding in check_tables(Checked(spec))]
    cases = sum(found.cases for name in spec.tables if (found := explain(spec, name)) is not None)
    how = f"All {cases} combinations that the rows of {len(spec.tables)} tables can tell apart, unknown included."
    title = "Every table has exactly one answer in every case, and no row for nothing."
    return Claim("tables", title, settled(doubts), how, cases, 0, tuple(doubts))


def loops(spec: ProtocolSpec) -> Claim:
    """A circle of stages is bounded by deadlines, and a duty that opens itself anew leaves time between."""
    doubts: list[Doubt] = []
    circles = [name for name in spec.stages if _returns(spec, name)]
    for name in circles:
        limits = [
            key
            for key, one in spec.obligations.items()
            if any(trigger.entered == name for trigger in one.opens) and any(part.left == name for part in one.met_by)
        ]
        if not limits:
            message = f"one can go in a circle through {name} for ever, and no deadline of {name} stands against it"
            remedy = f"add an obligation with `opens: [{{entered: {name}}}]` and `met_by: [{{left: {name}}}]`"
            doubts.append(Doubt(Finding(("stages", name), message, remedy, about_key=True), certain=True))
    for key, one in spec.obligations.items():
        again = any(key in (trigger.met, trigger.missed) for trigger in one.opens) and one.at_most is None
        if again and any(duration.startswith("0") for duration in one.durations()):
            message = f"{key} opens itself anew each time, with no time until it is due"
            finding = Finding(("obligations", key, "due"), message, "give it time, or `at_most`")
            doubts.append(Doubt(finding, certain=True))
    how = f"Every circle of stages ({len(circles)} stages lie on one) and every obligation that opens itself anew."
    title = "No loop without a deadline."
    return Claim("loops", title, settled(doubts), how, len(circles), 0, tuple(doubts))


def _returns(spec: ProtocolSpec, start: str) -> bool:
    """Whether going forward leads back to a stage."""
    seen: set[str] = set()
    ahead = list(spec.stages[start].next)
    while ahead:
        name = ahead.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            ahead.extend(spec.stages[name].next)
    return False
