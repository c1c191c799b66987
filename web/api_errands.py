"""The API for auditors' long work: verify, hand out, judge a period. A call begins it; another asks how far it is."""

from __future__ import annotations

from typing import Annotated, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from audit.conformance import judge_one, opened_between
from audit.shelf import Shelf
from protocol.conformance import Conformance
from web import exports, verifying
from web.access import authorize
from web.api_bodies import CONFORMANCE, EXPORT, VERIFICATION, ConformanceBody, ExportBody, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import EpisodeId, Key, api_router
from web.conformance import episodes_of
from web.errand import Errand, Order
from web.errands import Busy
from web.errors import NotThere
from web.exports import own
from web.looks import NOTHING, REPLAYED, SHOWN, Visit, shows

router = api_router("/audit")

Reader = Annotated[Visit, call("audit.read", NOTHING)]
Exporter = Annotated[Visit, call("audit.export", NOTHING)]


@router.get("/verifications")
async def verifications(visit: Reader) -> JSONResponse:
    """The latest results with what was checked, found and not seen; and how far the one under way is."""
    running = verifying.under_way(visit)
    told = [verifying.as_object(one) for one in await verifying.results(visit)]
    return given({"results": told, "running": None if running is None else running.state.model_dump(mode="json")})


@router.post("/verifications", status_code=202, openapi_extra=takes("VerificationBody"))
async def verify(request: Request, visit: Reader, idempotency_key: Key) -> JSONResponse:
    """Verify every row, checkpoint, publication and list; `workflows`: also ask the engine. Joins one under way."""
    body = await body_of(request, VERIFICATION)
    try:
        return accepted(verifying.begin(visit, workflows=body.workflows))
    except Busy as error:
        raise Problem(409, "It is not begun now", str(error), code="busy") from None


@router.post("/errands/{errand_id}/stop", status_code=204)
async def stop(visit: Reader, errand_id: str, idempotency_key: Key) -> Response:
    """Give up what one has under way."""
    visit.parts.errands.stop(own(visit, errand_id, "verification", "export", "conformance"))
    return Response(status_code=204)


@router.post("/exports", status_code=202, openapi_extra=takes("ExportBody"))
async def export(request: Request, visit: Exporter, idempotency_key: Key) -> JSONResponse:
    """Write episodes into a signed bundle; of one, with a certificate. Nothing named: all of the period, or all."""
    body = await body_of(request, EXPORT)
    if not exports.signs(visit):
        raise Problem(409, "There is no key to sign with", "Use `holdfast audit export` where the key is.")
    if body.episodes is not None:
        for one in body.episodes:
            await exports.known(visit, one)
    else:
        await _some(visit, body)
    return _begin(visit, body, "export", certificate=body.episodes is not None and len(body.episodes) == 1)


@router.get("/exports/{errand_id}")
async def export_state(visit: Exporter, errand_id: str) -> JSONResponse:
    """How far an export is; then its files with their hashes, and the keys to check them with."""
    return given(_state(own(visit, errand_id, "export")))


@router.get("/exports/{errand_id}/{name}")
async def fetch(visit: Annotated[Visit, call("audit.export", SHOWN)], errand_id: str, name: str) -> Response:
    """A file of an export or a conformance run."""
    return await exports.file_of(visit, errand_id, name)


@router.post("/conformance", status_code=202, openapi_extra=takes("ConformanceBody"))
async def conformance(request: Request, visit: Reader, idempotency_key: Key) -> JSONResponse:
    """Judge the episodes opened in a period; `files`: also as OCEL 2.0, XES, CSV and NDJSON (scope `audit.export`)."""
    body = await body_of(request, CONFORMANCE)
    if body.files and not authorize(visit.actor, "audit.export"):
        raise Problem(403, "Not allowed", "Files need the scope audit.export.", code="not_allowed")
    if body.files and not body.to.strip():
        raise Problem(422, "The body does not fit", "Say who receives the files.", errors=[("to", "is missing")])
    await _some(visit, body)
    return _begin(visit, body, "conformance", certificate=body.files)


@router.get("/conformance/{errand_id}")
async def conformance_state(visit: Annotated[Visit, call("audit.read", SHOWN)], errand_id: str) -> JSONResponse:
    """How far a run is; then the sums by version, therapist and type, and each episode."""
    errand = own(visit, errand_id, "conformance")
    episodes = episodes_of(errand, visit.parts.ring)
    await shows(visit, [(one["episode_id"], "") for one in episodes])
    return given({**_state(errand), "episodes": episodes})


@router.get("/episodes/{episode_id}/conformance")
async def of_one(visit: Annotated[Visit, call("audit.read", REPLAYED)], episode_id: EpisodeId) -> JSONResponse:
    """How one episode kept its protocol: every deadline and every deviation, with who owned it then."""
    await exports.known(visit, episode_id)
    database = visit.parts.database
    judged = await judge_one(database, visit.parts.ring, Shelf(database), episode_id)
    if judged.conformance is None:
        raise Problem(422, "It can't be judged", judged.why_not)
    return given(as_object(judged.conformance))


def as_object(one: Conformance) -> dict[str, Any]:
    """One episode, judged."""
    return {
        **{name: getattr(one, name) for name in ("episode_id", "protocol", "version", "protocol_hash", "drill")},
        **{name: getattr(one, name) for name in ("opened_at", "closed_at", "outcome", "crisis_types")},
        "owners": [*one.done],
        "deadlines": [*one.deadlines.values()],
        "deviations": one.deviations,
    }


async def _some(visit: Visit, body: ExportBody | ConformanceBody) -> None:
    if not await opened_between(visit.parts.database, body.begins, body.ends):
        raise NotThere


def _begin(visit: Visit, body: ExportBody | ConformanceBody, kind: Any, *, certificate: bool) -> JSONResponse:
    order = Order(
        kind=kind,
        by=visit.actor.account_id,
        role=visit.actor.roles[0],
        asked_at=visit.parts.clock(),
        episodes=body.episodes if isinstance(body, ExportBody) else None,
        begins=body.begins,
        ends=body.ends,
        to=body.to.strip(),
        purpose=body.purpose.strip(),
        redact=body.redact,
        certificate=certificate,
    )
    try:
        return accepted(visit.parts.errands.begin(order))
    except Busy as error:
        raise Problem(409, "It is not begun now", str(error), code="busy") from None


def accepted(errand: Errand) -> JSONResponse:
    """It was begun."""
    return JSONResponse({"errand_id": errand.errand_id}, 202)


def _state(errand: Errand) -> dict[str, Any]:
    return {**errand.state.model_dump(mode="json"), "gone_at": errand.gone_at.isoformat()}
