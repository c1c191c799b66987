"""How deadlines and ladders changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from protocol import saying as say
from protocol.diffs.change import Change, Effect, Place
from protocol.duties import DueMoment, DueTable, Rung
from protocol.elements import elapsed_seconds, parse_duration
from protocol.words import plain

DAY, HOUR = 86400, 3600
Due = str | DueTable | DueMoment


def due(place: Place, old: Due, new: Due) -> Iterator[Change]:
    """When an obligation is due."""
    if isinstance(old, str) and isinstance(new, str):
        yield _moved(place, "due", old, new)
    elif isinstance(old, DueTable) and isinstance(new, DueTable):
        yield from _due_tables(place, old, new)
    elif isinstance(old, DueMoment) and isinstance(new, DueMoment):
        yield from place.compare(old, new)
    else:
        sooner = max(map(_latest, _durations(new))) <= min(map(_earliest, _durations(old)))
        certain = sooner and not isinstance(old, DueMoment)
        text = f"due: {_told(old)} → {_told(new)}"
        yield place.says("stricter" if certain else "laxer", f"{text} — {'SHORTER' if certain else 'may be LONGER'}")


def _moved(place: Place, label: str, old: str, new: str, *keys: str) -> Change:
    text = f"{label}: {say.duration(old)} → {say.duration(new)}"
    effect, word = _direction(old, new)
    return place.says(effect, f"{text} — {word}", *keys)


def _direction(old: str, new: str) -> tuple[Effect, str]:
    (before, unit), (after, other) = parse_duration(old), parse_duration(new)
    comparable = unit == other or ("wd" not in (unit, other) and "d" not in (unit, other))
    if comparable:
        length = (before, after) if unit == other else (elapsed_seconds(old), elapsed_seconds(new))
        if length[0] == length[1]:
            return "other", "the same"
        return ("laxer", "LONGER") if length[1] > length[0] else ("stricter", "SHORTER")
    if _latest(new) <= _earliest(old):
        return "stricter", "SHORTER"
    return "laxer", "LONGER" if _earliest(new) >= _latest(old) else "may be LONGER"


def _earliest(duration: str) -> float:
    """The shortest a duration can be, in seconds; a calendar day may be one of 23 hours and nearly over."""
    amount, unit = parse_duration(duration)
    if unit == "d":
        return max(0, amount * DAY - HOUR)
    return max(0, amount * DAY - HOUR) if unit == "wd" else elapsed_seconds(duration)


def _latest(duration: str) -> float:
    """The longest it can be; working days may be any time away."""
    amount, unit = parse_duration(duration)
    if unit == "d":
        return (amount + 1) * DAY + HOUR
    return math.inf if unit == "wd" else elapsed_seconds(duration)


def _durations(written: Due) -> tuple[str, ...]:
    if isinstance(written, str):
        return (written,)
    if isinstance(written, DueMoment):
        return (written.ceiling,)
    others = () if written.otherwise is None else (written.otherwise,)
    return (*written.values.values(), *others)


def _told(written: Due) -> str:
    if isinstance(written, str):
        return say.duration(written)
    if isinstance(written, DueMoment):
        return f"at {plain(written.moment)}, at the latest after {say.duration(written.ceiling)}"
    return f"by {plain(written.by)}, {' or '.join(map(say.duration, dict.fromkeys(_durations(written))))}"


OTHER_VALUES = "any other value, or unknown"


def _due_tables(place: Place, old: DueTable, new: DueTable) -> Iterator[Change]:
    if old.by != new.by:
        yield place.says("laxer", f"due by {plain(new.by)} instead of {plain(old.by)}", "by")
        return
    found = False
    for value in dict.fromkeys((*old.values, *new.values, OTHER_VALUES)):
        before, after = _due_of(old, value), _due_of(new, value)
        if before is None or after is None:
            yield place.says("laxer", f"due when {plain(new.by)} is {value}: {before or 'none'} → {after or 'none'}")
        elif before != after:
            yield _moved(place, f"due when {plain(new.by)} is {plain(value)}", before, after, "values", value)
        found = found or before != after
    if not found:
        yield place.says("other", "due: written in another way, with the same meaning")


def _due_of(table: DueTable, value: str) -> str | None:
    """The duration for a value; one that the table forgot gets the shortest, as far as durations can be ranked."""
    if value in table.values:
        return table.values[value]
    if table.otherwise is not None or not table.values:
        return table.otherwise
    return min(table.values.values(), key=_earliest)


def ladder_of(place: Place, old: str, new: str) -> Iterator[Change]:
    """An obligation that climbs another ladder: told by what the two ladders do."""
    before, after = place.versions.old.spec.ladders.get(old), place.versions.new.spec.ladders.get(new)
    if before is None or after is None:
        yield place.says("laxer", f"climbs the ladder {new} instead of {old}, and one of them is not declared")
        return
    found = [change for change in place.compare(before, after) if change.effect != "other"]
    text = f"climbs the ladder “{after.title}” instead of “{before.title}”"
    yield place.says("other", text)
    yield from found


def rungs(place: Place, old: Sequence[Rung], new: Sequence[Rung]) -> Iterator[Change]:
    """Who is paged, after how long, through what; a role on two rungs is followed on each of them."""
    before, after = _arrivals(old), _arrivals(new)
    for key, (_, rung, _) in before.items():
        if key not in after:
            yield place.says("laxer", f"rung removed: {_paged(key)} is not paged any more ({say.duration(rung.wait)})")
    for key, (reached, rung, number) in after.items():
        if key not in before:
            yield place.says("stricter", f"rung added: {_paged(key)} is paged too", number)
            continue
        was, earlier, _ = before[key]
        if was != reached:
            effect, word = ("laxer", "LATER") if reached > was else ("stricter", "SOONER")
            text = f"{_paged(key)} is paged {_after(was)} → {_after(reached)} — {word}"
            yield place.says(effect, text, number)
        yield from _channels(place.at(number), _paged(key), earlier, rung)
    yield from _last(place, old[-1], new[-1])


_Key = tuple[str, int]


def _arrivals(ladder: Sequence[Rung]) -> Mapping[_Key, tuple[int, Rung, int]]:
    """(role, how often it stood below) → seconds after the first page, the rung and its number."""
    found: dict[_Key, tuple[int, Rung, int]] = {}
    times: Counter[str] = Counter()
    waited = 0
    for number, rung in enumerate(ladder):
        found[rung.page, times[rung.page]] = (waited, rung, number)
        times[rung.page] += 1
        waited += elapsed_seconds(rung.wait)
    return found


def _paged(key: _Key) -> str:
    role, before = key
    return plain(role) if before == 0 else f"{plain(role)} (time {before + 1})"


def _after(seconds: int) -> str:
    if seconds == 0:
        return "at once"
    minutes, rest = divmod(seconds, 60)
    return f"after {seconds} s" if rest else f"after {minutes} min"


def _channels(place: Place, paged: str, old: Rung, new: Rung) -> Iterator[Change]:
    if fewer := [one for one in old.channels if one not in new.channels]:
        yield place.says("laxer", f"{paged} is not paged by {say.listed(fewer)} any more", "channels")
    if more := [one for one in new.channels if one not in old.channels]:
        yield place.says("stricter", f"{paged} is now also paged by {say.listed(more)}", "channels")
    if not fewer and not more and old.channels != new.channels:
        yield place.says("other", f"{paged}: channels in another order", "channels")


def _last(place: Place, old: Rung, new: Rung) -> Iterator[Change]:
    if old.page != new.page:
        text = f"the last rung, which repeats for ever, pages {plain(new.page)} instead of {plain(old.page)}"
        yield place.says("laxer", text)
    before, after = elapsed_seconds(old.wait), elapsed_seconds(new.wait)
    if before != after:
        effect, word = ("laxer", "LONGER") if after > before else ("stricter", "SHORTER")
        waits = f"{say.duration(old.wait)} → {say.duration(new.wait)}"
        yield place.says(effect, f"the last rung first repeats after {waits} — {word}")
    elif old.wait != new.wait and old.page == new.page:
        yield place.says("other", "wait of the last rung: written in another way, with the same meaning")


def at_most(place: Place, old: int | None, new: int | None) -> Iterator[Change]:
    """How many times an obligation opens."""
    fewer = new is not None and (old is None or new < old)
    text = f"opens at most: {_times(old)} → {_times(new)}"
    if place.owners[1].reopening == "supersede" and not fewer:
        yield place.says("laxer", f"{text} — but a deadline that is running then starts anew")
    else:
        yield place.says("laxer" if fewer else "stricter", text)


def _times(number: int | None) -> str:
    return "any number of times" if number is None else f"{number} time{'' if number == 1 else 's'}"
