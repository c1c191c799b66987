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
from practice.protocol_drafts import Draft
from protocol.diagram import due_in_words
from protocol.diff import HEADINGS, ORDER, compare, summary
from protocol.diffs.change import Change
from protocol.drawing import draw_svg
from protocol.duties import Ladder
from protocol.explain import as_text, explain
from protocol.publishing import Publication, State, author_of, exception_of, publication_of, state_of
from protocol.spec import ProtocolSpec
from protocol.words import Words, cited
from web.access import authorize
from web.effective import effective
from web.errors import NotThere
from web.guard import May, Visit
from web.pages import page
from web.people import names_of
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


Study = Annotated[Visit, Depends(May("protocol.study"))]
Approving = Annotated[Visit, Depends(May("protocol.approve"))]


@dataclass(frozen=True, slots=True)
class Shelved:
    """A version as a row of the list."""

    hash: str
    title: str
    name: str
    version: str
    state: State | Literal["file", "never submitted"]
    """`file`: nobody submitted it, and on one's own machine new episodes take it all the same."""
    published: Publication | None
    author: str
    exception: str
    """Who answers for it though it was not found good."""
    seen: Version | None

    @property
    def running(self) -> int:
        """Open episodes under it."""
        return self.seen.running if self.seen else 0


@dataclass(frozen=True, slots=True)
class Group:
    """A protocol with its versions and what people work on."""

    name: str
    title: str
    rows: tuple[Shelved, ...]
    drafts: tuple[Draft, ...]


@router.get("/protocols")
async def shelf(request: Request, visit: Annotated[Visit, Depends(May("protocol.read"))]) -> Response:
    """Every version that was ever submitted or run, where it stands and where it runs; and the drafts."""
    rows = await shelved(visit)
    studying = authorize(visit.actor, "protocol.study")
    drafts = await visit.parts.protocol_drafts.listed() if studying else ()
    return await page(
        request,
        "protocols.html",
        groups=list(_grouped_by_protocol(rows, drafts)),
        names=await names_of(visit.parts),
        studying=studying,
        may_write=authorize(visit.actor, "protocol.write"),
        waiting=sum(one.state == "in review" for one in rows),
    )


ORDER_OF_STATES = ("in review", "in effect", "file", "scheduled", "draft", "superseded", "never submitted", "retired")


async def shelved(visit: Visit) -> list[Shelved]:
    """Every version that was ever submitted, published, opened under, or lies there as a file that counts."""
    parts, now = visit.parts, visit.parts.clock()
    record = (await parts.publications.read()).record
    known = {one.hash: one for one in await versions(parts.database)}
    counting = {one.content_hash for one in (await effective(parts)).values()}
    rows: list[Shelved] = []
    for content_hash in dict.fromkeys((*(one.protocol_hash for one in record), *known, *counting)):
        try:
            spec = (await parts.shelf.pinned(content_hash)).spec
        except UnknownProtocolError:
            continue
        published = publication_of(record, content_hash)
        author = author_of(record, content_hash) or ""
        unsubmitted = "file" if content_hash in counting else "never submitted"
        state = state_of(record, content_hash, now) if published or author else unsubmitted
        about = (content_hash, spec.title, spec.protocol, spec.version)
        rows.append(Shelved(*about, state, published, author, exception_of(published), known.get(content_hash)))
    return sorted(rows, key=lambda row: (row.title, ORDER_OF_STATES.index(row.state), row.hash))


def _grouped_by_protocol(rows: Sequence[Shelved], drafts: Sequence[Draft]) -> Iterator[Group]:
    """A draft is work until it is published as it is; changed afterwards, it is work again."""
    out = {one.hash for one in rows if one.published}
    drafts = [one for one in drafts if one.content_hash not in out]
    names = dict.fromkeys((*(one.name for one in rows), *(one.protocol for one in drafts)))
    for name in names:
        own = tuple(one for one in rows if one.name == name)
        work = tuple(one for one in drafts if one.protocol == name)
        title = own[0].title if own else (work[0].title or "Untitled")
        yield Group(name, title, own, work)


@router.get("/protocols/{content_hash}")
async def protocol(
    request: Request,
    content_hash: Hash,
    visit: Annotated[Visit, Depends(May("protocol.read"))],
    view: View = "diagram",
    table: Annotated[str, Query(max_length=48)] = "",
) -> Response:
    """One version, from several sides."""
    spec = await spec_of(visit, content_hash)
    return await page(
        request,
        "protocol.html",
        spec=spec,
        words=Words(spec),
        view=view,
        views=VIEWS,
        cited=cited,
        diagram=picture(spec, request.state.nonce) if view == "diagram" else "",
        duties=list(_duties(spec)) if view == "deadlines" else (),
        table=table,
        explained=await asyncio.to_thread(_explained, spec, table) if table in spec.tables else "",
        studying=authorize(visit.actor, "protocol.study"),
        others=[row for row in await versions(visit.parts.database) if row.hash != content_hash],
    )


@router.get("/protocols/{content_hash}/compare/{other_hash}")
async def difference(
    request: Request, content_hash: Hash, other_hash: Hash, visit: Annotated[Visit, Depends(May("protocol.read"))]
) -> Response:
    """What changed from one version to another, in clinical words, laxer changes first."""
    old, new = await spec_of(visit, content_hash), await spec_of(visit, other_hash)
    changes = await asyncio.to_thread(compare, old, new)
    return await page(
        request, "difference.html", old=old, new=new, groups=list(_grouped(changes)), summary=summary(changes)
    )


async def spec_of(visit: Visit, content_hash: str) -> ProtocolSpec:
    """A version by its hash. Raises NotThere."""
    try:
        return (await visit.parts.shelf.pinned(content_hash)).spec
    except UnknownProtocolError:
        raise NotThere from None


def picture(spec: ProtocolSpec, nonce: str) -> Markup:
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
