"""Protocols as clinical operations read them: versions and where they run, stages, deadlines, tables, differences."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from audit.versions import Version, versions
from protocol.diagram import due_in_words
from protocol.diff import HEADINGS, ORDER, compare, summary
from protocol.diffs.change import Change
from protocol.drawing import draw_svg
from protocol.duties import Ladder
from protocol.explain import as_text, explain
from protocol.spec import ProtocolSpec
from protocol.words import Words, cited
from web.errors import NotThere
from web.guard import May, Visit
from web.pages import page
from web.shelf import UnknownProtocolError

router = APIRouter(include_in_schema=False)

Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
View = Literal["diagram", "stages", "deadlines", "tables", "sources"]
VIEWS: dict[View, str] = {
    "diagram": "Diagram",
    "stages": "Stages and steps",
    "deadlines": "Deadlines and ladders",
    "tables": "Decision tables",
    "sources": "Sources",
}
BEGINNINGS = {"at_opening": "at once", "at_due": "when due"}


@dataclass(frozen=True, slots=True)
class Shelved:
    """A version as a row of the list."""

    hash: str
    title: str
    name: str
    version: str
    current: bool
    """New episodes are opened under it."""
    seen: Version | None


@router.get("/protocols")
async def shelf(request: Request, visit: Annotated[Visit, Depends(May("protocol.read"))]) -> Response:
    """Every version that may be opened now or was ever opened."""
    current = visit.parts.shelf.open_now()
    known = {one.hash: one for one in await versions(visit.parts.database)}
    rows = [
        Shelved(spec.content_hash, spec.title, spec.protocol, spec.version, True, known.pop(spec.content_hash, None))
        for spec in current.values()
    ]
    titles = {spec.protocol: spec.title for spec in current.values()}
    rows += [
        Shelved(one.hash, titles.get(one.name, one.name), one.name, one.version, False, one) for one in known.values()
    ]
    return await page(request, "protocols.html", rows=sorted(rows, key=lambda row: (row.title, not row.current)))


@router.get("/protocols/{content_hash}")
async def protocol(
    request: Request,
    content_hash: Hash,
    visit: Annotated[Visit, Depends(May("protocol.read"))],
    view: View = "diagram",
    table: Annotated[str, Query(max_length=48)] = "",
) -> Response:
    """One version, from several sides."""
    spec = await _spec(visit, content_hash)
    return await page(
        request,
        "protocol.html",
        spec=spec,
        words=Words(spec),
        view=view,
        views=VIEWS,
        cited=cited,
        diagram=_picture(spec, request.state.nonce) if view == "diagram" else "",
        duties=list(_duties(spec)) if view == "deadlines" else (),
        table=table,
        explained=await asyncio.to_thread(_explained, spec, table) if table in spec.tables else "",
        others=[row for row in await versions(visit.parts.database) if row.hash != content_hash],
    )


@router.get("/protocols/{content_hash}/compare/{other_hash}")
async def difference(
    request: Request, content_hash: Hash, other_hash: Hash, visit: Annotated[Visit, Depends(May("protocol.read"))]
) -> Response:
    """What changed from one version to another, in clinical words, laxer changes first."""
    old, new = await _spec(visit, content_hash), await _spec(visit, other_hash)
    changes = await asyncio.to_thread(compare, old, new)
    return await page(
        request, "difference.html", old=old, new=new, groups=list(_grouped(changes)), summary=summary(changes)
    )


async def _spec(visit: Visit, content_hash: str) -> ProtocolSpec:
    try:
        return (await visit.parts.shelf.pinned(content_hash)).spec
    except UnknownProtocolError:
        raise NotThere from None


def _picture(spec: ProtocolSpec, nonce: str) -> Markup:
    """The diagram for a page that allows no style without the nonce. Everything in it is escaped by its maker."""
    try:
        drawn = draw_svg(spec)
    except ValueError:  # a protocol without an emergency stage has no picture
        return Markup("")
    return Markup(drawn.replace("<style>", f'<style nonce="{nonce}">', 1))  # noqa: S704


def _explained(spec: ProtocolSpec, table: str) -> str:
    explained = explain(spec, table)
    return as_text(explained) if explained is not None else "This table has too many combinations to be explained."


def _duties(spec: ProtocolSpec) -> Iterator[dict[str, Any]]:
    words = Words(spec)
    for name, one in spec.obligations.items():
        yield {
            "name": name,
            "title": one.title,
            "why": one.why,
            "due": due_in_words(one),
            "clock": one.clock,
            "owner": "the owner" if one.owner == "owner" else words.role(one.owner),
            "ladder": _ladder(words, spec.ladders[one.ladder]),
            "source": cited(one.source),
            "policy": one.source.grade == "P",
        }


def _ladder(words: Words, ladder: Ladder) -> str:
    begins = BEGINNINGS.get(ladder.starts, f"{ladder.lead} before")
    rungs = " → ".join(f"{words.role(rung.page)} ({rung.wait})" for rung in ladder.rungs)
    return f"{begins}: {rungs}; then every {ladder.repeat}"


def _grouped(changes: Sequence[Change]) -> Iterator[tuple[str, str, list[Change]]]:
    for effect in ORDER:
        found = [one for one in changes if one.effect == effect]
        if found:
            yield effect, HEADINGS[effect].capitalize(), found
