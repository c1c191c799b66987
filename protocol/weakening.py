"""Which obligations a newer version asks less for, so that an open one would be carried over weakened.

Told by the same rules as `diff`: one more way to end it, no live contact any more, one more role that may waive it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocol.checks.ground import Ground
from protocol.diff import RULES
from protocol.diffs.change import Place, Versions
from protocol.duties import Evidence, Obligation
from protocol.migration import KEEP, Carry, Migration
from protocol.spec import ProtocolSpec

ASKED = ("concern", "contact", "duty_to_try", "owner", "met_by", "waived_by", "waived_when")
"""What the open obligation goes on by. Its deadline and its ladder are its own, kept from when it opened …"""
ANEW = (*ASKED, "ladder")
"""… unless it is opened anew."""
MOST = 64
_KNOWN: dict[tuple[str, str], Mapping[str, tuple[str, ...]]] = {}

PLACES = {"reached": "parties", "attempted": "parties", "done": "steps", "decided": "decisions", "left": "stages"}


def weaker(old: ProtocolSpec, new: ProtocolSpec) -> Mapping[str, tuple[str, ...]]:
    """Old name of an obligation → what became laxer about it, in words; told once for two content hashes.

    What can't be told counts as laxer. Names follow the way that the new version writes from the old one.
    """
    hashes = (old.content_hash, new.content_hash)
    known = _KNOWN.get(hashes)
    if known is None:
        known = _weaker(old, new, new.migrates_from[old.version])
        while len(_KNOWN) >= MOST:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[hashes] = known
    return known


def _weaker(old: ProtocolSpec, new: ProtocolSpec, way: Migration) -> dict[str, tuple[str, ...]]:
    grounds, found = (Ground(old), Ground(new)), dict[str, tuple[str, ...]]()
    for name, before in old.obligations.items():
        carry = way.obligations.get(name, KEEP)
        after = new.obligations.get(carry.to or name)
        if after is not None and carry.deadline != "waive":
            found[name] = tuple(_laxer(grounds, _called_anew(before, way), after, carry))
    return found


def _laxer(grounds: tuple[Ground, Ground], before: Obligation, after: Obligation, carry: Carry) -> Iterable[str]:
    fields = ANEW if carry.deadline == "rearm" else ASKED
    rules = {**RULES, Obligation: {field: RULES[Obligation][field] for field in fields}}
    place = Place(Versions(*grounds, rules), ("obligations",), after.title, (before, after))
    return (change.text for change in place.compare(before, after) if change.effect == "laxer")


def _called_anew(owed: Obligation, way: Migration) -> Obligation:
    """An obligation of the old version with its evidence under the names of the new one."""
    return owed.model_copy(update={"met_by": tuple(_renamed(one, way) for one in owed.met_by)})


def _renamed(evidence: Evidence, way: Migration) -> Evidence:
    names: dict[str, object] = {
        key: way.renamed(section).get(name, name)
        for key, section in PLACES.items()
        if (name := getattr(evidence, key)) is not None
    }
    facts = way.renamed("facts")
    return evidence.model_copy(update={**names, "refreshed": tuple(facts.get(one, one) for one in evidence.refreshed)})
