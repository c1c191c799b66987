"""Commands through the API: from a body to a receipt, and what may come instead."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python
from starlette.responses import JSONResponse

from protocol.commands import HumanCommand
from protocol.engine import RECEIPT, Receipt
from web.acting import COMMANDS, Malformed, check_addressee, command_id_of, command_of, role_of, wanted_roles
from web.api_bodies import Said
from web.api_guard import Problem
from web.guard import Visit
from web.seen import Seen
from workflows.client import EngineUnavailableError, EpisodeError

KINDS = {command.__name__: command for command in COMMANDS.values()}


async def command_from(visit: Visit, seen: Seen, body: Said, key: str, if_match: str | None) -> HumanCommand:
    """The command that a body means. Raises Problem."""
    own = body.model_dump(mode="json", exclude={"kind", "occurred_at", "expected_revision", "role"})
    kind, spec, rota = type(body).__name__, seen.program.spec, await visit.parts.rota.current()
    wanted = (body.role,) if body.role else wanted_roles(spec, KINDS[kind], own)
    common: dict[str, Any] = {
        "command_id": command_id_of(visit.actor, seen.episode.episode_id, key),
        "actor": visit.actor.account_id,
        "occurred_at": body.occurred_at or visit.parts.clock(),
        "expected_revision": body.expected_revision if if_match is None else int(if_match.strip('"')),
    }
    try:
        check_addressee(rota, spec, kind, own)
        return command_of(kind, {**common, "role": role_of(visit.actor, rota, spec, kind, wanted)}, own)
    except Malformed as error:
        raise Problem(422, "The command does not fit", "Change the named fields.", errors=error.problems) from None


async def sent(visit: Visit, episode_id: str, command: HumanCommand) -> JSONResponse:
    """Send it; the receipt. Raises Problem."""
    try:
        return answer(await visit.parts.engine.submit(episode_id, command))
    except EpisodeError as error:
        raise as_problem(error) from None


def as_problem(error: EpisodeError) -> Problem:
    """What the engine said, as a problem."""
    if isinstance(error, EngineUnavailableError):
        return Problem(503, "The engine does not answer", "Send the same call again with the same Idempotency-Key.")
    return Problem(422, "The engine did not take it", str(error)[:500])


def answer(receipt: Receipt, status: int = 200) -> JSONResponse:
    """A receipt. Raises Problem for a refusal."""
    refused = receipt.refusal
    if refused is not None:
        conflict = refused.code in ("stale_revision", "already_open")
        raise Problem(
            409 if conflict else 422,
            refused.message,
            refused.remedy,
            code=refused.code,
            missing=list(refused.missing),
            revision=receipt.revision,
        )
    return JSONResponse(RECEIPT.dump_python(receipt, mode="json"), status, {"ETag": f'"{receipt.revision}"'})


def given(value: Any) -> JSONResponse:
    """Anything of ours as JSON."""
    return JSONResponse(to_jsonable_python(value))
