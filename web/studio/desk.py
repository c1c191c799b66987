"""What every page of a draft begins with: the draft, what was read of it, where it stands, what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from practice.protocol_drafts import Draft
from protocol.publishing import Publication, State, state_of
from protocol.spec import ProtocolSpec
from protocol.words import Words
from web.access import authorize
from web.effective import effective
from web.errors import NotPublished, NotThere
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.pages import page
from web.people import names_of
from web.shelf import UnknownProtocolError
from web.studio.reading import Reading, reading

DraftId = Annotated[str, Path(max_length=32)]
Studying = Annotated[Visit, Depends(May("protocol.study"))]
Writing = Annotated[Visit, Depends(May("protocol.write"))]

PLACES = (
    ("write", "Write", ""),
    ("trials", "Prove and test", "/trials"),
    ("scenarios", "Scenarios", "/scenarios"),
    ("simulation", "Try by hand", "/simulation"),
    ("whatif", "What if", "/whatif"),
    ("history", "History", "/history"),
    ("submit", "Submit", "/submit"),
)
"""The pages of a draft, in the order of the work."""


@dataclass(frozen=True)
class OnDesk:
    """A draft as the pages show it."""

    draft: Draft
    reading: Reading
    record: Sequence[Publication]
    now: datetime

    @property
    def state(self) -> State:
        """Where the version that the draft is stands."""
        return state_of(self.record, self.draft.content_hash, self.now) if self.draft.content_hash else "draft"


async def typed_in(request: Request) -> dict[str, str]:
    """The fields of a sent form, one value each; its line ends are ours."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    return {name: values[0] for name, values in form.items()}


async def on_desk(visit: Visit, draft_id: str) -> OnDesk:
    """A draft by its id. Raises NotThere."""
    draft = await visit.parts.protocol_drafts.get(draft_id)
    if draft is None:
        raise NotThere
    record = (await visit.parts.publications.read()).record
    return OnDesk(draft, await reading(draft.text), record, visit.parts.clock())


async def compared_with(visit: Visit, draft: Draft) -> ProtocolSpec | None:
    """What a draft is held against: the version in effect, else the one it was begun from; None without either."""
    try:
        found = (await effective(visit.parts)).get(draft.protocol)
    except NotPublished:
        found = None
    if found is None and draft.based_on:
        try:
            found = (await visit.parts.shelf.pinned(draft.based_on)).spec
        except UnknownProtocolError:
            return None
    return found


async def draft_page(
    request: Request, visit: Visit, desk: OnDesk, template: str, here: str, *, status: int = 200, **context: Any
) -> Response:
    """A page of a draft, with its head and the way to the others."""
    address = f"/studio/{desk.draft.draft_id}"
    places = [{"label": label, "href": address + path, "current": name == here} for name, label, path in PLACES]
    return await page(
        request,
        template,
        status=status,
        desk=desk,
        draft=desk.draft,
        reading=desk.reading,
        words=Words(desk.reading.spec) if desk.reading.spec is not None else None,
        address=address,
        places=places,
        names=await names_of(visit.parts),
        may_write=authorize(visit.actor, "protocol.write"),
        **context,
    )
