"""Insight: how the program does over time, without anybody in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from audit.trends import SMALLEST, Counts, Wait, trends
from protocol.spec import ProtocolSpec
from protocol.words import Words, plain
from web.guard import May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)

MOST_BARS = 12


@router.get("/insight")
async def insight(
    request: Request,
    visit: Annotated[Visit, Depends(May("insight.read"))],
    version: Annotated[str, Query(max_length=120)] = "",
) -> Response:
    """Charts of the last year, drawn on the server, each with its numbers as a table."""
    found = await trends(visit.parts.database, visit.parts.clock(), version)
    specs = visit.parts.shelf.open_now()
    say, more_care = titles(specs), {_more_care(one) for one in specs.values()}
    named, decided = found.named, found.named["decided"]
    step_ups = {name: count for name, count in decided.items() if name.partition("/")[0] in more_care}
    charts = [
        ("Episodes opened", begun(found.by_month), "By month."),
        (
            "Highest risk reached",
            {level.capitalize(): count for level, count in found.by_level.items()},
            "Every episode counts once.",
        ),
        ("What brought people here", worded(named["crisis"], say), "An episode may have several crisis types."),
        ("Deadlines missed", begun(found.missed_by_month), "By the month in which the engine noticed."),
        ("Deadlines missed most", worded(named["missed"], say), "By what was owed."),
        ("Step-up decisions", worded(step_ups, say), "Every recorded decision counts."),
        ("How episodes ended", worded(named["closed"], say), "By the outcome at closing."),
        ("Decided against the advice", worded(named["overruled"], say), "Advised → decided: rules to look at again."),
        ("Waived most", worded(named["waived"], say), "Deadlines that a supervisor took away, with a reason."),
        ("Acts refused by a rule", worded(named["refused"], say), "By the rule: where people run into the protocol."),
    ]
    return await page(
        request,
        "insight.html",
        charts=[(title, bars(counts), note) for title, counts, note in charts if counts],
        waits=waited(found.waits),
        versions=[{"value": one, "label": plain(one)} for one in found.versions],
        version=version if version in found.versions else "",
        since=found.since,
        smallest=SMALLEST,
    )


def _more_care(spec: ProtocolSpec) -> str:
    """The decision about more care; empty where the protocol has none."""
    return spec.pages.step_up.decision if spec.pages.step_up is not None else ""


def titles(specs: Mapping[str, ProtocolSpec]) -> Callable[[str], str]:
    """A function from a counted name to words, by the protocols at hand."""
    words = [Words(spec) for spec in specs.values()]

    def say(name: str) -> str:
        decision, *options = name.split("/")
        for one in words:
            spec = one.spec
            if options and decision in spec.decisions:
                told = " → ".join(one.option(decision, option) for option in options)
                return told if decision == _more_care(spec) else f"{one.decision(decision)}: {told}"
            for titled in (spec.crisis_types, spec.obligations, spec.closing.outcomes):
                if name in titled:
                    return titled[name].title
        return plain(name).capitalize()

    return say


def worded(counts: Counts, say: Callable[[str], str]) -> Counts:
    """The most frequent, in words."""
    return {say(name): count for name, count in list(counts.items())[:MOST_BARS]}


def waited(waits: Mapping[str, Wait]) -> list[dict[str, Any]]:
    """How long pages waited for somebody, by month; months before the first page are left out."""
    known = [(month, wait) for month, wait in waits.items() if wait.count != 0]
    return [
        {
            "label": month_said(month),
            "value": wait.median or 0,
            "words": f"half within {wait.median} min, nine of ten within {wait.nine_of_ten} min"
            if wait.count is not None
            else FEW,
            "count": FEW if wait.count is None else wait.count,
        }
        for month, wait in known
    ]


FEW = "withheld"


def bars(counts: Counts) -> list[dict[str, object]]:
    """Counts as bars; one that is withheld has no length."""
    return [
        {"label": label, "value": count or 0, "words": FEW if count is None else str(count)}
        for label, count in counts.items()
    ]


def begun(months: Counts) -> Counts:
    """The months from the first in which there was anything; the last one at least."""
    names = list(months)
    first = next((number for number, name in enumerate(names) if months[name] != 0), len(names) - 1)
    return {month_said(name): months[name] for name in names[first:]}


def month_said(name: str) -> str:
    """`2026-11` → `Nov 2026`."""
    return f"{date.fromisoformat(f'{name}-01'):%b %Y}"
