"""Insight: how the program does over time, without anybody in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from audit.trends import SMALLEST, trends
from web.guard import May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/insight")
async def insight(request: Request, visit: Annotated[Visit, Depends(May("insight.read"))]) -> Response:
    """Charts of the last year, drawn on the server, each with its numbers as a table."""
    found = await trends(visit.parts.database, visit.parts.clock())
    charts = [
        ("Episodes opened", begun(found.by_month), "By month."),
        ("Highest risk reached", found.by_level, "Every episode counts once."),
        ("Deadlines missed", begun(found.missed_by_month), "By the month in which the engine noticed."),
        ("What was done", found.happened, "Entries in the trails."),
    ]
    return await page(
        request,
        "insight.html",
        charts=[(title, bars(counts), note) for title, counts, note in charts],
        since=found.since,
        smallest=SMALLEST,
    )


def bars(counts: dict[str, int | None]) -> list[dict[str, object]]:
    """Counts as bars; one that is withheld has no length."""
    few = f"fewer than {SMALLEST}"
    return [
        {"label": label, "value": count or 0, "words": few if count is None else str(count)}
        for label, count in counts.items()
    ]


def begun(months: dict[str, int | None]) -> dict[str, int | None]:
    """The months from the first in which there was anything; the last one at least."""
    names = list(months)
    first = next((number for number, name in enumerate(names) if months[name] != 0), len(names) - 1)
    return {name: months[name] for name in names[first:]}
