"""The API for protocols: drafts, what is wrong in them, proof and tests, submission and publishing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import JSONResponse

from practice.protocol_drafts import ConflictError, Draft, DraftError
from protocol.facts import Refused
from protocol.publishing import PUBLICATION, Publication
from web.api_bodies import DRAFT, PUBLISH, REASON, SUBMIT, TRIAL, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import Key, api_router
from web.guard import Visit
from web.jobs import Busy
from web.protocols import Hash, shelved
from web.studio.desk import on_desk
from web.studio.reading import reading
from web.studio.review import approved, case_of, retired, sent_back, submitted
from web.studio.trials import scenarios_on
from web.studio.trying import Tried, start, tried

router = api_router()

DraftId = Annotated[str, Path(max_length=32)]
Study = Annotated[Visit, call("protocol.study")]
Write = Annotated[Visit, call("protocol.write")]
Approve = Annotated[Visit, call("protocol.approve")]


@router.get("/protocol-versions")
async def versions(visit: Annotated[Visit, call("protocol.read")]) -> JSONResponse:
    """Every version: where it stands, who answers for it, how many open episodes run on it."""
    shown = ("hash", "name", "version", "title", "state", "author", "exception", "running")
    return given([{name: getattr(one, name) for name in shown} for one in await shelved(visit)])


@router.post("/protocol-versions/{content_hash}/publish", openapi_extra=takes("PublishBody"))
async def publish(request: Request, visit: Approve, content_hash: Hash, key: Key) -> JSONResponse:
    """Approve a version that was submitted, or one that was published before."""
    body = await body_of(request, PUBLISH)
    return _done(await approved(visit, await case_of(visit, content_hash), body.effective_at, body.exception.strip()))


@router.post("/protocol-versions/{content_hash}/send-back", openapi_extra=takes("ReasonBody"))
async def send_back(request: Request, visit: Approve, content_hash: Hash, key: Key) -> JSONResponse:
    """Give a submitted version back to its author."""
    body = await body_of(request, REASON)
    return _done(await sent_back(visit, await case_of(visit, content_hash), body.reason))


@router.post("/protocol-versions/{content_hash}/retire", openapi_extra=takes("ReasonBody"))
async def retire(request: Request, visit: Approve, content_hash: Hash, key: Key) -> JSONResponse:
    """Let no new episode begin under a version."""
    body = await body_of(request, REASON)
    return _done(await retired(visit, await case_of(visit, content_hash), body.reason))


@router.get("/protocol-drafts")
async def drafts(visit: Study) -> JSONResponse:
    """Drafts under work, the one saved last first; without their texts."""
    return given([_about(one) for one in await visit.parts.protocol_drafts.listed()])


@router.post("/protocol-drafts", status_code=201, openapi_extra=takes("DraftBody"))
async def begin(request: Request, visit: Write, key: Key) -> JSONResponse:
    """Begin a draft with a text, whatever is wrong in it."""
    body, parts = await body_of(request, DRAFT), visit.parts
    read = await reading(body.text)
    try:
        made = await parts.protocol_drafts.start(body.text, read.about, visit.actor.account_id, parts.clock())
    except DraftError as error:
        raise Problem(422, "The draft can't be kept", f"{error}.") from None
    return JSONResponse({**_about(made), "found": read.found}, 201)


@router.post("/protocol-drafts/lint", openapi_extra=takes("DraftBody"))
async def lint(request: Request, _visit: Study) -> JSONResponse:
    """What is wrong in a text, with line, column and remedy. Nothing is kept."""
    read = await reading((await body_of(request, DRAFT)).text)
    return JSONResponse({"found": read.found, "usable": read.usable, "hash": read.about.content_hash})


@router.get("/protocol-drafts/{draft_id}")
async def draft(visit: Study, draft_id: DraftId) -> JSONResponse:
    """A draft with its text, its scenarios, and what is wrong in it."""
    desk = await on_desk(visit, draft_id)
    told = {"text": desk.draft.text, "scenarios": await scenarios_on(visit, draft_id), "found": desk.reading.found}
    return JSONResponse({**_about(desk.draft), "state": desk.state, **told})


@router.put("/protocol-drafts/{draft_id}", openapi_extra=takes("DraftBody"))
async def save(request: Request, visit: Write, draft_id: DraftId, key: Key) -> JSONResponse:
    """Save a draft over the revision that was seen; another one is answered with 409."""
    body, desk, parts = await body_of(request, DRAFT), await on_desk(visit, draft_id), visit.parts
    read = await reading(body.text)
    by, now = visit.actor.account_id, parts.clock()
    try:
        kept = await parts.protocol_drafts.save(
            desk.draft.draft_id, body.text, read.about, body.revision, by, now, "by API"
        )
    except ConflictError as error:
        raise Problem(409, "Saved by somebody else meanwhile", f"{error}. Read it again.", code="stale") from None
    except DraftError as error:
        raise Problem(422, "The draft can't be kept", f"{error}.") from None
    return JSONResponse({**_about(kept), "found": read.found})


@router.get("/protocol-drafts/{draft_id}/trial")
async def trial(visit: Study, draft_id: DraftId) -> JSONResponse:
    """What was found about the draft as it is, and what is under way."""
    desk = await on_desk(visit, draft_id)
    return JSONResponse(_found(await tried(visit, desk.draft.content_hash, await scenarios_on(visit, draft_id))))


@router.post("/protocol-drafts/{draft_id}/trial", status_code=202, openapi_extra=takes("TrialBody"))
async def find_out(request: Request, visit: Write, draft_id: DraftId, key: Key) -> JSONResponse:
    """Prove or test a draft, or make scenarios for it. Ask again with GET for how far it is."""
    body, desk = await body_of(request, TRIAL), await on_desk(visit, draft_id)
    spec, scenarios = desk.reading.spec, await scenarios_on(visit, draft_id)
    if spec is None or not desk.reading.usable:
        raise Problem(422, "The draft has errors", "Mend what `found` names first.", code="broken")
    try:
        start(visit, spec, scenarios, body.kinds)
    except Busy as error:
        raise Problem(409, "Not taken now", str(error), code="busy") from None
    return JSONResponse(_found(await tried(visit, spec.content_hash, scenarios)), 202)


@router.post("/protocol-drafts/{draft_id}/submit", openapi_extra=takes("SubmitBody"))
async def submit(request: Request, visit: Write, draft_id: DraftId, key: Key) -> JSONResponse:
    """Ask for review, with what was found about this very content."""
    body = await body_of(request, SUBMIT)
    return _done(await submitted(visit, await on_desk(visit, draft_id), body.note, str(body.revision)))


def _about(one: Draft) -> dict[str, Any]:
    told = {name: value for name, value in asdict(one).items() if name not in ("text", "put_away_at")}
    return {**told, "started_at": one.started_at.isoformat(), "saved_at": one.saved_at.isoformat()}


def _found(found: Tried) -> dict[str, Any]:
    job = found.job
    return {
        "state": job.state if job is not None else "idle",
        "progress": job.progress if job is not None else {},
        "ahead": found.ahead,
        "good": found.good,
        "proof": found.proof.result if found.proof is not None else None,
        "tests": found.tests.result if found.tests is not None else None,
    }


def _done(done: Publication | Refused) -> JSONResponse:
    if isinstance(done, Refused):
        raise Problem(422, done.message, done.remedy, code=done.code)
    return JSONResponse(PUBLICATION.dump_python(done, mode="json"))
