"""What the scenarios of a protocol went through, and what no scenario has shown yet.

Something counts only when it happened: a risk rule when it raised the level, a table row when it decided after an
entry of a scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from protocol import commands as c
from protocol import events as e
from protocol.findings import Path, dotted
from protocol.program import Program
from protocol.spec import ProtocolSpec, Refusal
from protocol.words import plain
from rehearsal.play import Played, Report

GROUPS = (
    "ways on",
    "ways into the emergency",
    "ways back",
    "endings",
    "risk rules",
    "table rows",
    "options of decisions",
    "obligations opened",
    "obligations met",
    "obligations missed",
    "obligations waived",
    "rungs",
    "notices",
    "refusals",
)
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One thing that a scenario can go through."""

    group: str
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every spot of a protocol with the names of the scenarios that went through it."""

    spots: Mapping[Spot, tuple[str, ...]]
    scenarios: int

    def of(self, group: str) -> Mapping[Spot, tuple[str, ...]]:
        """The spots of a group."""
        return {spot: names for spot, names in self.spots.items() if spot.group == group}

    def missing(self, group: str) -> list[Spot]:
        """The spots of a group that no scenario went through."""
        return [spot for spot, names in self.of(group).items() if not names]

    def as_object(self) -> list[dict[str, object]]:
        """Everything as plain data."""
        return [
            {"group": spot.group, "path": dotted(spot.path), "text": spot.text, "scenarios": list(names)}
            for spot, names in self.spots.items()
        ]


def cover(program: Program, reports: Iterable[Report]) -> Coverage:
    """What these scenarios went through; only those that passed, since the others show nothing."""
    found: dict[tuple[str, Path], list[str]] = {}
    passed = [report for report in reports if report.passed]
    for report in passed:
        for key in set(_passed_by(program, report)):
            found.setdefault(key, []).append(report.scenario.scenario)
    spots = {spot: tuple(found.get((spot.group, spot.path), ())) for spot in spots_of(program.spec)}
    return Coverage(spots, len(passed))


def spots_of(spec: ProtocolSpec) -> list[Spot]:
    """Everything in a protocol that a scenario can go through."""
    return [*_moves(spec), *_advice(spec), *_duties(spec), *_words(spec)]


def _moves(spec: ProtocolSpec) -> Iterator[Spot]:
    running = {name: stage for name, stage in spec.stages.items() if stage.kind != "closed"}
    for name, stage in running.items():
        for to in [to for to in stage.next if to in running]:
            yield Spot("ways on", ("stages", name, "next", to), f"{stage.title} → {running[to].title}")
    for name, stage in running.items():
        if name != spec.emergency.stage:
            yield Spot("ways into the emergency", ("stages", name), f"emergency from {stage.title}")
    for name, stage in running.items():
        if stage.kind == "open":
            yield Spot("ways back", ("stages", name), f"back to {stage.title}")
    for name, outcome in spec.closing.outcomes.items():
        yield Spot("endings", ("closing", "outcomes", name), outcome.title)


def _advice(spec: ProtocolSpec) -> Iterator[Spot]:
    for number, rule in enumerate(spec.risk.rules):
        yield Spot("risk rules", ("risk", "rules", number), f"{rule.level}: {rule.because}")
    for name, table in spec.tables.items():
        for number, row in enumerate(table.rows):
            text = f"{table.title} → {plain(row.then)}: {row.because}"
            yield Spot("table rows", ("tables", name, "rows", number), text)
    for name, decision in spec.decisions.items():
        for key, option in decision.options.items():
            path = ("decisions", name, "options", key)
            yield Spot("options of decisions", path, f"{decision.title}: {option.title}")


def _duties(spec: ProtocolSpec) -> Iterator[Spot]:
    for fate in ("opened", "met", "missed", "waived"):
        for name, owed in spec.obligations.items():
            if fate != "waived" or owed.waived_by:
                yield Spot(f"obligations {fate}", ("obligations", name), owed.title)
    for name, ladder in spec.ladders.items():
        for number, rung in enumerate(ladder.rungs):
            yield Spot("rungs", ("ladders", name, "rungs", number), f"{ladder.title}: {plain(rung.page)}")


def _words(spec: ProtocolSpec) -> Iterator[Spot]:
    for name, notice in spec.notices.items():
        yield Spot("notices", ("notices", name), notice.text)
    for name, refusal in spec.refusals.items():
        yield Spot("refusals", ("refusals", name), refusal.because)


_Key = tuple[str, Path]


def _passed_by(program: Program, report: Report) -> Iterator[_Key]:
    rows = {name: program.readers.deciding_row(name) for name in program.spec.tables}
    for entry in report.entries:
        for happened in (*entry.before, *entry.happened):
            yield from _seen(program.spec, entry, happened.event)
        if entry.episode is not None:
            for name, deciding in rows.items():
                if (number := deciding(entry.episode)) is not None:
                    yield "table rows", ("tables", name, "rows", number)


def _seen(spec: ProtocolSpec, entry: Played, event: e.Event) -> Iterator[_Key]:
    match event:
        case e.StageEntered():
            yield _move(spec, entry, event)
        case e.EpisodeClosed():
            yield "endings", ("closing", "outcomes", event.outcome)
        case e.RiskRaised():
            yield "risk rules", ("risk", "rules", event.rule)
        case e.DecisionRecorded():
            yield "options of decisions", ("decisions", event.decision, "options", event.option)
        case e.NoticeRaised():
            yield "notices", ("notices", event.notice)
        case e.CommandRefused(code="clinical_refusal"):
            yield from _refused(spec, entry.command, event)
        case _:
            yield from _owed(spec, event)


def _owed(spec: ProtocolSpec, event: e.Event) -> Iterator[_Key]:
    match event:
        case e.ObligationOpened():
            yield "obligations opened", ("obligations", event.obligation)
        case e.ObligationMet():
            yield "obligations met", ("obligations", event.obligation)
        case e.DeadlineMissed():
            yield "obligations missed", ("obligations", event.obligation)
        case e.ObligationWaived():
            yield "obligations waived", ("obligations", event.obligation)
        case e.PageRequested():
            yield "rungs", ("ladders", spec.obligations[event.obligation].ladder, "rungs", event.rung)
        case _:
            return


def _move(spec: ProtocolSpec, entry: Played, event: e.StageEntered) -> _Key:
    if event.stage == spec.emergency.stage:
        return "ways into the emergency", ("stages", event.left)
    if isinstance(entry.command, c.GoBack):
        return "ways back", ("stages", event.stage)
    return "ways on", ("stages", event.left, "next", event.stage)


def _refused(spec: ProtocolSpec, command: c.Command | None, event: e.CommandRefused) -> Iterator[_Key]:
    """The rule that refused: known by its reason and by the kind of act."""
    for name, refusal in spec.refusals.items():
        if refusal.because == event.message and _act(refusal) == _tried(command):
            yield "refusals", ("refusals", name)


def _tried(command: c.Command | None) -> str:
    match command:
        case c.CompleteStep():
            return "done"
        case c.RecordDecision():
            return "decided"
        case _:
            return "entered"


def _act(refusal: Refusal) -> str:
    return next((key for key, _ in refusal.act.happenings()), "")


def as_text(coverage: Coverage) -> str:
    """Coverage for people: how much of each group, then what no scenario has shown."""
    lines = [f"Covered by {coverage.scenarios} scenario{'' if coverage.scenarios == 1 else 's'} that passed:"]
    for group in GROUPS:
        if spots := coverage.of(group):
            lines.append(f"  {group}: {len(spots) - len(coverage.missing(group))} of {len(spots)}")
    for group in GROUPS:
        if missing := coverage.missing(group):
            lines += ["", f"Not shown yet, {group}:"]
            lines += [f"  {spot.text} ({dotted(spot.path)})" for spot in missing]
    return "\n".join(lines)
