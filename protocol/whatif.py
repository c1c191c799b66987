"""What a draft would have done: recorded episodes decided anew under it, with what people did and when they did it.

Both the pinned version and the draft are run in the same way, on an ideal clock: each deadline fires at its moment.
So what differs comes from the document, not from a busy machine. Pages that were not delivered then are not delivered
in either run. Needs the trail and both documents, neither Temporal nor a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from protocol import events as e
from protocol.local_time import show_time
from protocol.migration import SECTIONS, Migration
from protocol.rerun import Act, NotComparableError, Rerun, acts_of
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two versions part first."""

    at: datetime
    pinned: str
    """What the version of then brings about; empty when nothing."""
    draft: str


@dataclass(frozen=True, slots=True)
class Unlike:
    """An act that one version takes and the other refuses."""

    sequence: int
    at: datetime
    deed: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One recorded episode under the draft."""

    episode_id: str
    version: str
    first: Difference | None
    """None when the draft would have changed nothing."""
    highest_risk: tuple[str, str]
    """Under the version of then and under the draft."""
    step_ups: tuple[str, ...]
    """What the draft asks for beyond the version of then: emergencies, decisions owed, more intensive advice."""
    missed: tuple[str, ...]
    """Deadlines that only the draft would have seen missed, with their due times; contacts first."""
    missed_contacts: int
    """How many of those are contacts with a person."""
    spared: tuple[str, ...]
    """Deadlines that only the version of then saw missed."""
    pages: dict[str, tuple[int, int]]
    """Role → pages under the version of then and under the draft."""
    refused: tuple[Unlike, ...]
    """What people did and the draft would not have taken."""
    allowed: tuple[Unlike, ...]
    """What was refused then and the draft would have taken."""
    notes: tuple[str, ...]


def compare(pinned: ProtocolSpec, draft: ProtocolSpec, rows: Sequence[TrailRow]) -> Comparison:
    """Run a recorded episode under both. Raises NotComparableError."""
    if pinned.protocol != draft.protocol:
        raise NotComparableError(f"it ran under {pinned.protocol}, which is another protocol than {draft.protocol}")
    acts = acts_of(pinned, rows)
    until = rows[-1].recorded_at
    before = Rerun(pinned, Migration(), acts, until)
    after = Rerun(draft, draft.migrates_from.get(pinned.version, Migration()), acts, until)
    return _compared(before, after)


def _compared(before: Rerun, after: Rerun) -> Comparison:
    names = {section: after.way.renamed(section) for section in SECTIONS}
    kinds = names["obligations"]
    missed = _extra(before.missed, after.missed, kinds, after)
    contacts = [one for one in missed if after.spec.obligations[one.obligation].contact]
    ordered = [*contacts, *(one for one in missed if one not in contacts)]
    back = {new: old for old, new in kinds.items()}
    spared = _extra(after.missed, before.missed, back, before)
    roles = sorted({*before.pages, *after.pages})
    return Comparison(
        episode_id="",
        version=before.spec.version,
        first=_first(before, after, names),
        highest_risk=(before.highest, after.highest),
        step_ups=tuple(_step_ups(before, after, kinds)),
        missed=tuple(_due(after, one) for one in ordered),
        missed_contacts=len(contacts),
        spared=tuple(_due(before, one) for one in spared),
        pages={after.words.role(role): (before.pages[role], after.pages[role]) for role in roles},
        refused=tuple(
            _unlike(before, act, why) for number, (act, why) in after.refused.items() if number not in before.refused
        ),
        allowed=tuple(
            _unlike(before, act, "") for number, act in after.allowed.items() if number not in before.allowed
        ),
        notes=tuple(after.notes),
    )


def _extra(
    fewer: dict[str, list[e.DeadlineMissed]],
    more: dict[str, list[e.DeadlineMissed]],
    kinds: dict[str, str],
    run: Rerun,
) -> list[e.DeadlineMissed]:
    """What was missed more often in one run than in the other, by obligation."""
    known = Counter[str]()
    for kind, found in fewer.items():
        known[kinds.get(kind, kind)] += len(found)
    return [one for kind, found in more.items() if kind in run.spec.obligations for one in found[known[kind] :]]


def _due(run: Rerun, one: e.DeadlineMissed) -> str:
    return f"{run.words.obligation(one.obligation)}, due {show_time(one.due_at, run.words.zone)}"


def _unlike(run: Rerun, act: Act, why: str) -> Unlike:
    return Unlike(act.sequence, act.now, run.words.deed(act.command), why)


def _first(before: Rerun, after: Rerun, names: dict[str, dict[str, str]]) -> Difference | None:
    everything = {old: new for section in names.values() for old, new in section.items()}
    for was, would in zip_longest(before.said, after.said):
        renamed = was and (was.at, tuple(everything.get(part, part) for part in was.key))
        if renamed == (would and (would.at, would.key)):
            continue
        earliest = min(one.at for one in (was, would) if one is not None)
        shown = [one.line if one is not None and one.at == earliest else "" for one in (was, would)]
        return Difference(earliest, *shown)
    return None


def _step_ups(before: Rerun, after: Rerun, kinds: dict[str, str]) -> Iterable[str]:
    emergency = after.spec.emergency.stage
    extra = _entered(after, emergency) - _entered(before, before.spec.emergency.stage)
    if extra > 0:
        yield f"{extra} more times into {after.words.stage(emergency)}"
    for sequence, (decision, advised) in after.advised.items():
        _, then = before.advised.get(sequence, (decision, None))
        if _more(after.spec, decision, then, advised) and advised is not None:
            option = after.words.option(decision, advised)
            yield f"{after.words.decision(decision)}: the advice would have been {option}"
    known = Counter[str]()
    for kind, count in before.owed.items():
        known[kinds.get(kind, kind)] += count
    for kind, count in after.owed.items():
        decides = any(proof.decided for proof in after.spec.obligations[kind].met_by)
        if decides and count > known[kind]:
            yield f"{count - known[kind]} more decisions owed: {after.words.obligation(kind)}"


def _entered(run: Rerun, stage: str) -> int:
    return sum(one.key == ("stage", stage) for one in run.said)


def _more(spec: ProtocolSpec, decision: str, then: str | None, advised: str | None) -> bool:
    options = list(spec.decisions[decision].options) if decision in spec.decisions else []
    if advised not in options or advised == then:
        return False
    return then not in options or options.index(advised) > options.index(then)


def load(compared: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Pages per role over several episodes: under the version of then, and under the draft."""
    then, now = Counter[str](), Counter[str]()
    for one in compared:
        for role, (before, after) in one.pages.items():
            then[role] += before
            now[role] += after
    return {role: (then[role], now[role]) for role in sorted({*then, *now})}
