"""How it changed when obligations open and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from protocol import saying as say
from protocol.conditions import Guard
from protocol.diffs.change import Change, Effect, Place
from protocol.diffs.guards import Relation, guarded, relation
from protocol.duties import Evidence, Obligation, Trigger
from protocol.words import plain

T = TypeVar("T", Trigger, Evidence)

DEEDS = ("reached", "attempted", "done", "decided", "left", "acknowledged")
"""The keys of an evidence that name one thing."""

_HAPPENS = {
    "event": "{}",
    "entered": "{} is entered",
    "done": "{} is done",
    "decided": "{} is decided",
    "opened": "{} opens",
    "met": "{} is met",
    "missed": "{} is overdue",
    "waived": "{} is waived",
    "reached": "{} is reached",
    "not_reached": "{} is not reached",
    "attempted": "{} was tried or reached",
    "left": "{} is left",
    "acknowledged": "{} says “I am on it”",
}


def when(trigger: Trigger) -> str:
    """When a trigger fires, in words."""
    parts = [_HAPPENS[key].format(plain(name)) for key, name in trigger.happenings()]
    return _joined(parts, trigger.options, trigger.when)


def what(evidence: Evidence) -> str:
    """What an evidence asks for, in words."""
    parts = [_HAPPENS[key].format(plain(name)) for key in DEEDS if (name := getattr(evidence, key)) is not None]
    parts += [f"{plain(name)} is answered anew" for name in evidence.refreshed]
    return _joined(parts, evidence.options, evidence.when)


def _joined(parts: list[str], options: Sequence[str], guard: Guard | None) -> str:
    text = " and ".join(parts) + (f" as {say.listed(options, 'or')}" if options else "")
    if guard is None:
        return text
    return f"{text} while {say.guard(guard, '')}" if text else f"{say.guard(guard, '')} comes true"


def openings(place: Place, old: Sequence[Trigger], new: Sequence[Trigger]) -> Iterator[Change]:
    """When an obligation opens: never often enough is laxer, and opening too often may be laxer as well."""
    gone, come = _without(old, new), _without(new, old)
    told = False
    for before, after, found in _paired(gone, come, lambda one, two: _opens_as(place, one, two)):
        told = True
        if before.counts_anew != after.counts_anew:
            yield _anew(place, after)
        if found == "wider":
            text = f"opens in more cases: when {when(before)} → when {when(after)}"
            yield _more(place, text, after)
        elif found == "same" and before.counts_anew == after.counts_anew:
            yield place.says("other", "opens: written in another way, with the same meaning")
        elif found != "same":
            cases = "fewer" if found == "narrower" else "other"
            yield place.says("laxer", f"opens in {cases} cases: when {when(before)} → when {when(after)}")
    for one in gone:
        yield place.says("laxer", f"does not open any more when {when(one)}")
    for one in come:
        yield _more(place, f"opens also when {when(one)}", None)
    if not told and not gone and not come:
        same = len(old) == len(new)
        yield place.says("other", f"opens: {'in another order' if same else 'one line was written twice'}")


def _anew(place: Place, new: Trigger) -> Change:
    """Counting anew may make a pending deadline later."""
    if new.counts_anew:
        return place.says("laxer", f"a pending deadline now counts anew the first time that {when(new)}")
    return place.says("stricter", f"a pending deadline no longer counts anew when {when(new)}")


def _more(place: Place, text: str, widened: Trigger | None) -> Change:
    """One more opening makes a running deadline sooner only where it can't push one back."""
    obligation: Obligation = place.owners[1]
    reason = ""
    if obligation.reopening == "supersede":
        reason = "a deadline that is running may then start anew"
    elif not isinstance(obligation.due, str):
        reason = "the first opening then fixes the deadline"
    elif obligation.at_most is not None:
        reason = f"it opens at most {obligation.at_most} times in all"
    elif widened is not None and not widened.happenings():
        reason = "it does not open anew when the old condition comes true while the new one holds"
    return place.says("laxer", f"{text} — but {reason}") if reason else place.says("stricter", text)


def _opens_as(place: Place, old: Trigger, new: Trigger) -> Relation | None:
    """How two triggers of the same event relate; None where they wait for different things."""
    if old.happenings() != new.happenings():
        return None
    cases = relation(place.versions, old.when, new.when)
    if not old.happenings() and cases == "differs":
        return None
    return _both(_options(old.options, new.options), cases)


def _options(old: Sequence[str], new: Sequence[str]) -> Relation:
    """No options mean any."""
    if set(old) == set(new):
        return "same"
    if not new or (old and set(old) < set(new)):
        return "wider"
    return "narrower" if not old or set(new) < set(old) else "differs"


def _both(one: Relation, two: Relation) -> Relation:
    if one == two or two == "same":
        return one
    return two if one == "same" else "differs"


def _without(ones: Sequence[T], others: Sequence[T]) -> list[T]:
    return [one for one in ones if one not in others]


def _paired(gone: list[T], come: list[T], fits: Callable[[T, T], Relation | None]) -> Iterator[tuple[T, T, Relation]]:
    """Takes from both lists what belongs together."""
    for before in list(gone):
        for after in come:
            found = fits(before, after)
            if found is not None:
                gone.remove(before)
                come.remove(after)
                yield before, after, found
                break


def evidence(place: Place, old: Sequence[Evidence], new: Sequence[Evidence]) -> Iterator[Change]:
    """What ends an obligation: one more way is laxer, one fewer is stricter."""
    gone, come = _without(old, new), _without(new, old)
    told = False
    for before, after, _ in _paired(gone, come, _same_deed):
        told = True
        yield from place.at(new.index(after)).compare(before, after)
    for one in come:
        yield place.says("laxer", f"evidence added: can now be ended when {what(one)}", new.index(one))
    for one in gone:
        yield place.says("stricter", f"evidence removed: can no longer be ended when {what(one)}", old.index(one))
    if not told and not gone and not come:
        yield place.says("other", "evidence: in another order, or written twice")


def _same_deed(old: Evidence, new: Evidence) -> Relation | None:
    deeds = [tuple(getattr(one, key) for key in DEEDS) for one in (old, new)]
    return "differs" if deeds[0] == deeds[1] and (any(deeds[0]) or bool(old.refreshed) == bool(new.refreshed)) else None


def options(place: Place, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """Which options of the decision end the obligation."""
    found = _options(old, new)
    text = f"ended by the decision for {_chosen(old)} → {_chosen(new)}"
    effects: dict[Relation, Effect] = {"same": "other", "narrower": "stricter"}
    yield place.says(effects.get(found, "laxer"), text)


def _chosen(names: Sequence[str]) -> str:
    return say.listed(names, "or") if names else "any option"


def refused_act(place: Place, old: Trigger, new: Trigger) -> Iterator[Change]:
    """Which act a clinical rule refuses."""
    if old.happenings() != new.happenings():
        yield place.says("laxer", f"refuses when {when(new)} instead of when {when(old)}")
        return
    found = _options(old.options, new.options)
    if found != "same":
        text = f"refuses the decision for {_chosen(old.options)} → {_chosen(new.options)}"
        yield place.says("stricter" if found == "wider" else "laxer", text)
    if old.when != new.when:
        yield from guarded("refuses while", "stricter")(place, old.when, new.when)
