"""A played scenario as plain text that a clinician can read: local times, who did what, what followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from textwrap import wrap

from protocol import events as e
from protocol.chronicle import Happened
from protocol.local_time import show_clock, show_day, show_time
from protocol.words import NO_BREAK, Line, Words, person, plain
from rehearsal.play import Played, Report
from rehearsal.scenario import Entry

WIDTH = 100
TIME = 10
LABEL = 10

LEGEND = (
    "Everybody here is fictional. [A] stands for an official text, [B] for a secondary one, "
    "[P] for a program policy that needs clinical sign-off."
)


def transcript(report: Report) -> str:
    """The whole story, at most 100 columns wide, ending with a line break."""
    teller = Teller(Words(report.program.spec))
    teller.hear(report.entries)
    told = (line for played in report.entries for line in teller.tell(played))
    story = "\n".join([*_heading(report), *told, "", *_ending(report)]) + "\n"
    return story.replace(NO_BREAK, " ")


def _heading(report: Report) -> Iterator[str]:
    spec, scenario = report.program.spec, report.scenario
    yield scenario.title
    yield "═" * min(len(scenario.title), WIDTH)
    if scenario.basis:
        yield from wrap(f"Basis: {scenario.basis}", WIDTH)
    yield from wrap(f"Protocol: {spec.title}, version {spec.version}. Local time: {spec.time_zone}.", WIDTH)
    yield from wrap(LEGEND, WIDTH)


def _ending(report: Report) -> Iterator[str]:
    last = report.entries[-1]
    episode, words = last.episode, Words(report.program.spec)
    if episode is None:
        yield "No episode was opened."
    else:
        state = f"closed, {episode.outcome}" if episode.closed_at else "open"
        stage = words.stage(episode.stage)
        yield f"At the end: {state}; stage {stage}; risk {episode.risk}; owned by {person(episode.owner)}."
        for owed in sorted(episode.obligations.values(), key=lambda owed: owed.due_at):
            due = show_time(owed.due_at, words.zone, last.cue.at)
            overdue = ", OVERDUE" if owed.missed else ""
            yield from wrap(
                f"- still owed: {words.obligation(owed.obligation)}, due {due}{overdue}", WIDTH, subsequent_indent="  "
            )
    expected = sum(1 for played in report.entries if played.cue.entry.expect)
    yield f"{len(report.entries)} entries, {expected} with expectations: " + (
        "all met." if report.passed else f"{len(report.failures)} NOT met."
    )
    for failure in report.failures:
        yield from wrap(f"- {'.'.join(map(str, failure.path))}: {failure}", WIDTH, subsequent_indent="  ")


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened at a moment, and what it brought about."""

    at: datetime
    what: str
    lines: tuple[Line, ...] = ()
    narrated: bool = False
    """A line of narration, which nobody did."""


@dataclass
class Teller:
    """Tells one entry after the other; remembers the day and what was paged."""

    words: Words
    reports: dict[str, e.PageReported] = field(default_factory=dict[str, e.PageReported])
    day: str = ""
    rungs: dict[str, int] = field(default_factory=dict[str, int])
    """The rung of each obligation's latest page: the same again is only counted."""

    def hear(self, entries: Iterable[Played]) -> None:
        """Learn what became of pages, so that they can be told with whom they reached."""
        everything = (happened.event for played in entries for happened in (*played.before, *played.happened))
        self.reports |= {event.page_id: event for event in everything if isinstance(event, e.PageReported)}

    def tell(self, played: Played) -> Iterator[str]:
        """What came due before an entry, and the entry; as lines of text."""
        for told in self.acts(played):
            yield from self._act(told)

    def acts(self, played: Played) -> Iterator[Told]:
        """The same, piece by piece."""
        yield from self._meanwhile(played)
        yield from self._entry(played)

    def _meanwhile(self, played: Played) -> Iterator[Told]:
        """What came due, grouped by minute; repeated pages are counted instead of listed."""
        again: dict[str, list[datetime]] = {}
        fresh = [happened for happened in played.before if not self._repeats(happened, again)]
        for at, group in groupby(fresh, key=lambda happened: happened.at.replace(second=0, microsecond=0)):
            lines = sorted(self._lines((happened.event for happened in group), at), key=_engine_order)
            if lines:
                yield Told(at, "Holdfast: time has come", tuple(lines))
        if again:
            lines = [self._again(page, times, played.cue.at) for page, times in sorted(again.items())]
            yield Told(played.cue.at, "Holdfast: the last rung was paged again meanwhile", tuple(lines))

    def _repeats(self, happened: Happened, again: dict[str, list[datetime]]) -> bool:
        event = happened.event
        if not isinstance(event, e.PageRequested):
            return False
        if self.rungs.get(event.obligation_id) == event.rung:
            again.setdefault(f"{self.words.obligation(event.obligation)} → {self.words.role(event.role)}", []).append(
                event.at
            )
            return True
        self.rungs[event.obligation_id] = event.rung
        return False

    def _again(self, page: str, times: Sequence[datetime], at: datetime) -> Line:
        count = "once" if len(times) == 1 else f"{len(times)} times"
        return Line("page", f"{page}: {count}, last at {show_time(_minute(times[-1]), self.words.zone, at)}")

    def _entry(self, played: Played) -> Iterator[Told]:
        entry, at = played.cue.entry, played.cue.at
        lines = list(self._lines((happened.event for happened in played.happened), at))
        for happened in played.happened:
            if isinstance(happened.event, e.PageRequested):
                self.rungs[happened.event.obligation_id] = happened.event.rung
        if isinstance(entry, Entry) and entry.say:
            yield Told(at, entry.say, narrated=True)
        if played.command is None:
            return
        late = f" (it happened at {self._occurred(played)})" if played.command.occurred_at != at else ""
        role = self.words.role(played.command.role)
        yield Told(at, f"{person(played.command.actor)}, {role}, {self.words.deed(played.command)}{late}", tuple(lines))

    def _occurred(self, played: Played) -> str:
        assert played.command is not None
        return show_time(played.command.occurred_at, self.words.zone, played.cue.at)

    def _act(self, told: Told) -> Iterator[str]:
        yield from self._dated(told.at)
        lead = "» " if told.narrated else ""
        yield from _hung(show_clock(told.at, self.words.zone).ljust(TIME) + lead, told.what)
        for line in told.lines:
            yield from _hung(" " * TIME + line.label.ljust(LABEL), line.text)

    def _dated(self, at: datetime) -> Iterator[str]:
        day = show_day(at, self.words.zone)
        if day != self.day:
            self.day = day
            yield from ("", f"── {day} ".ljust(WIDTH, "─"))

    def _lines(self, events: Iterable[e.Event], at: datetime) -> Iterator[Line]:
        for event in events:
            if isinstance(event, e.PageRequested):
                yield self._page(event)
            elif line := self.words.line(event, at):
                yield line

    def _page(self, event: e.PageRequested) -> Line:
        report = self.reports.get(event.page_id)
        title, role = self.words.obligation(event.obligation), self.words.role(event.role)
        if report is None:
            return Line("page", f"{title} → {role}")
        if not report.delivered:
            return Line("NO PAGE", f"{title} → {role}: nobody could be paged, the next rung is due at once")
        to = ", ".join(person(one) for one in sorted(report.recipients))
        return Line("page", f"{title} → {role}: {to} by {' and '.join(plain(one) for one in event.channels)}")


def _engine_order(line: Line) -> tuple[bool, str, str]:
    """What comes due in the same minute has no order of its own: misses first, then by name."""
    return line.label != "OVERDUE", line.label, line.text


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _hung(lead: str, text: str) -> Iterator[str]:
    yield from wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False) or [
        lead.rstrip()
    ]
