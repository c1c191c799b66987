"""Holds what happened against what a scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from protocol import events as e
from protocol.answers import read_answer
from protocol.chronicle import Happened, refusal_in
from protocol.directory import Directory, look_up
from protocol.episode import Episode, OpenObligation
from protocol.findings import Path
from protocol.local_time import show_time, to_utc
from protocol.program import Program
from protocol.promises import promise
from rehearsal.scenario import Entry, Expectation, ExpectedObligation, ExpectedPage
from rehearsal.script import Cue

COUNTY = "present_county"
"""The fact that says in which county the client is now."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met."""

    path: Path
    """The place in the scenario file, such as ("steps", 3, "expect", "stage")."""
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry that was played, with all that its expectations may ask about."""

    program: Program
    cue: Cue
    before: Sequence[Happened]
    """What came due since the entry before."""
    happened: Sequence[Happened]
    """What the entry's own command brought about."""
    episode: Episode | None
    tolerance: timedelta
    """How far the clock may have been behind a due time."""
    directory: Directory | None

    @property
    def zone(self) -> ZoneInfo:
        """The protocol's time zone."""
        return ZoneInfo(self.program.spec.time_zone)

    def since(self) -> Iterator[e.Event]:
        """Every event since the entry before."""
        return (happened.event for happened in (*self.before, *self.happened))

    def show(self, moment: datetime) -> str:
        """A time as the scenario's author reads it."""
        return show_time(moment, self.zone, self.cue.at)

    def same_time(self, actual: datetime, written: str) -> bool:
        """The time is the written one, or later by no more than the tolerance."""
        return timedelta(0) <= actual - self.time(written) <= self.tolerance

    def time(self, written: str) -> datetime:
        """A written time; a bare one is on the local day of this entry."""
        return to_utc(written, self.zone, self.cue.at)


def failures(moment: Moment) -> tuple[Failure, ...]:
    """Every expectation of an entry that is not met. An entry without one still must not be refused."""
    expect = moment.cue.entry.expect or Expectation()
    found = [*_refusal(moment, expect), *_events(moment, expect), *_pages(moment, expect)]
    if moment.episode is None:
        return (*found, *_no_episode(moment, expect))
    for check in (_state, _obligations, _values, _facts, _promises, _resources):
        found.extend(check(moment, expect, moment.episode))
    return tuple(found)


def _at(moment: Moment, *keys: str | int) -> Path:
    return (*moment.cue.path, "expect", *keys)


def _no_episode(moment: Moment, expect: Expectation) -> Iterator[Failure]:
    if expect.refused is None or expect.stage is not None:
        yield Failure(_at(moment), "episode", "an open episode", "none: opening it was refused")


def _refusal(moment: Moment, expect: Expectation) -> Iterator[Failure]:
    refusal = refusal_in(moment.happened)
    actual = "accepted" if refusal is None else f"{refusal.code} ({refusal.message})"
    if (None if refusal is None else refusal.code) != expect.refused:
        wanted = "accepted" if expect.refused is None else f"refused with {expect.refused}"
        yield Failure(_at(moment, "refused"), _deed(moment), wanted, actual)
    elif refusal is not None and not set(expect.missing) <= set(refusal.missing):
        yield Failure(_at(moment, "missing"), "missing", _list(expect.missing), _list(refusal.missing))


def _deed(moment: Moment) -> str:
    entry = moment.cue.entry
    return f"{entry.do} by {entry.by}" if isinstance(entry, Entry) else f"opening by {entry.by}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _state(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    closed = "yes" if episode.closed_at else "no"
    for key, actual in (("stage", episode.stage), ("risk", episode.risk), ("owner", episode.owner), ("closed", closed)):
        wanted: str | None = getattr(expect, key)
        if wanted is not None and wanted != actual:
            yield Failure(_at(moment, key), key, wanted, actual)


def _obligations(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    for kind, wanted in expect.open.items():
        owed = sorted(
            (owed for owed in episode.obligations.values() if owed.obligation == kind), key=lambda owed: owed.due_at
        )
        if not owed:
            yield Failure(_at(moment, "open", kind), kind, "open", _how_it_stands(moment, kind, episode))
        else:
            yield from _obligation(moment, kind, wanted, owed[0])
    for kind in expect.not_open:
        due = [moment.show(owed.due_at) for owed in episode.obligations.values() if owed.obligation == kind]
        if due:
            yield Failure(_at(moment, "not_open"), kind, "not open", f"open, due {', '.join(due)}")
    for kind, how in expect.ended.items():
        endings = [ending for event in moment.since() if (ending := _ending(event, kind))]
        if how not in endings:
            actual = ", ".join(endings) or _how_it_stands(moment, kind, episode)
            yield Failure(_at(moment, "ended", kind), kind, f"ended as {how} since the entry before", actual)


def _how_it_stands(moment: Moment, kind: str, episode: Episode) -> str:
    due = [moment.show(owed.due_at) for owed in episode.obligations.values() if owed.obligation == kind]
    if due:
        return f"still open, due {', '.join(due)}"
    tally = episode.tallies.get(kind)
    return "never opened" if tally is None else f"not open, ended as {tally.last}"


def _obligation(moment: Moment, kind: str, wanted: ExpectedObligation, owed: OpenObligation) -> Iterator[Failure]:
    path = _at(moment, "open", kind)
    if wanted.due is not None and not moment.same_time(owed.due_at, wanted.due):
        due = moment.show(moment.time(wanted.due))
        yield Failure((*path, "due") if wanted.due else path, f"{kind} due", due, moment.show(owed.due_at))
    actuals: dict[str, str | int] = {
        "rung": owed.rung,
        "owner": owed.owner,
        "overdue": "yes" if owed.missed else "no",
        "acknowledged_by": owed.acknowledged_by or "nobody",
    }
    for key, actual in actuals.items():
        value: str | int | None = getattr(wanted, key)
        if value is not None and value != actual:
            yield Failure((*path, key), f"{kind} {key}", str(value), str(actual))


def _ending(event: e.Event, kind: str) -> str | None:
    match event:
        case e.ObligationMet(obligation=name, late=late) if name == kind:
            return "met_late" if late else "met"
        case e.ObligationWaived(obligation=name) if name == kind:
            return "waived"
        case e.ObligationSuperseded(obligation=name) if name == kind:
            return "superseded"
        case _:
            return None


def _values(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    for name, wanted in expect.values.items():
        readable = name in moment.program.readers.domains
        actual = (moment.program.readers.reader(name)(episode) or "unknown") if readable else "no readable name"
        if str(wanted) != actual:
            yield Failure(_at(moment, "values", name), name, str(wanted), actual)


def _facts(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    for name, written in expect.facts.items():
        fact = moment.program.spec.facts.get(name)
        wanted = written if fact is None else read_answer(fact, written, moment.zone, moment.cue.at)
        known = episode.facts.get(name)
        actual = "unknown" if known is None else known.value
        if wanted != actual:
            yield Failure(_at(moment, "facts", name), name, str(wanted), str(actual))


def _promises(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    owed = "yes" if episode.obligations else "no"
    if expect.owed not in (None, owed):
        yield Failure(_at(moment, "owed"), "anything owed", str(expect.owed), owed)
    properties = moment.program.spec.properties
    for place, name in enumerate(expect.holds):
        kept = name in properties and promise(moment.program.readers, properties[name])(episode, moment.cue.at)
        if not kept:
            title = properties[name].title if name in properties else "no such property"
            yield Failure(_at(moment, "holds", place), name, f"{title}", "this does not hold")


def _events(moment: Moment, expect: Expectation) -> Iterator[Failure]:
    kinds = [event.kind for event in moment.since()]
    for kind in expect.events:
        if kind not in kinds:
            yield Failure(_at(moment, "events"), "events", kind, _list(kinds))
    for kind in expect.never_events:
        if kind in kinds:
            yield Failure(_at(moment, "never_events"), "events", f"no {kind}", _list(kinds))
    notices = [event.notice for event in moment.since() if isinstance(event, e.NoticeRaised)]
    for notice in expect.notices:
        if notice not in notices:
            yield Failure(_at(moment, "notices"), "notices", notice, _list(notices))


def _pages(moment: Moment, expect: Expectation) -> Iterator[Failure]:
    reports = {event.page_id: event for event in moment.since() if isinstance(event, e.PageReported)}
    left = [event for event in moment.since() if isinstance(event, e.PageRequested)]
    everybody = [_page_words(moment, page, reports) for page in left]
    if expect.no_pages and left:
        yield Failure(_at(moment, "no_pages"), "pages", "none", _list(everybody))
    for number, wanted in enumerate(expect.pages):
        match = next((page for page in left if _is_page(moment, wanted, page, reports)), None)
        if match is None:
            asked = wanted.model_dump(exclude_none=True)
            if wanted.to is not None:
                asked["to"] = _list(wanted.to)
            words = ", ".join(f"{key} {value}" for key, value in asked.items())
            yield Failure(_at(moment, "pages", number), "pages", words, _list(everybody))
        else:
            left.remove(match)


def _page_words(moment: Moment, page: e.PageRequested, reports: Mapping[str, e.PageReported]) -> str:
    report = reports.get(page.page_id)
    to = f" to {_list(report.recipients)}" if report else ""
    return f"{page.obligation} (`rung: {page.rung}`) {page.role} at {moment.show(page.at)}{to}"


def _is_page(
    moment: Moment, wanted: ExpectedPage, page: e.PageRequested, reports: Mapping[str, e.PageReported]
) -> bool:
    report = reports.get(page.page_id)
    checks: tuple[Callable[[], bool], ...] = (
        lambda: wanted.obligation == page.obligation,
        lambda: wanted.role in (None, page.role),
        lambda: wanted.rung in (None, page.rung),
        lambda: wanted.at is None or moment.same_time(page.at, wanted.at),
        lambda: wanted.to is None or (report is not None and sorted(wanted.to) == sorted(report.recipients)),
    )
    return all(check() for check in checks)


def _resources(moment: Moment, expect: Expectation, episode: Episode) -> Iterator[Failure]:
    wanted = expect.resources
    if wanted is None:
        return
    if moment.directory is None:
        yield Failure(_at(moment, "resources"), "resources", "a directory to look in", "none given")
        return
    known = episode.facts.get(COUNTY)
    county = known.value if known is not None and isinstance(known.value, str) else None
    guidance = look_up(moment.directory, county, moment.cue.at.astimezone(moment.zone).date())
    path = _at(moment, "resources")
    if wanted.county is not None and wanted.county != guidance.county:
        yield Failure((*path, "county"), "county", wanted.county, guidance.county or "not known")
    numbers, codes = guidance.numbers(), sorted(guidance.codes())
    for number in wanted.numbers:
        if number not in numbers:
            yield Failure((*path, "numbers"), "numbers", number, _list(numbers))
    for number in wanted.absent:
        if number in numbers:
            yield Failure((*path, "absent"), "numbers", f"not {number}", _list(numbers))
    for code in wanted.warnings:
        if code not in codes:
            yield Failure((*path, "warnings"), "warnings", code, _list(codes))
