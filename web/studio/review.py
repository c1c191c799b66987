"""From a draft to what new episodes take: submit, look at it as a second person, send back, publish, retire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.publications import Publications, Rule
from audit.signatures import SigningKeys
from audit.versions import versions
from practice.protocol_results import Kind
from protocol import publishing
from protocol.commands import MAX_TEXT
from protocol.facts import Refused
from protocol.local_time import to_utc
from protocol.publishing import Actor, Publication, SignOff, author_of, exception_of, publication_of, state_of
from protocol.spec import ProtocolSpec
from protocol.words import Words, plain
from web.access import authorize
from web.effective import effective
from web.errors import NotPublished
from web.guard import Visit
from web.jobs import Busy
from web.pages import page
from web.people import names_of
from web.protocols import Approving, Hash, Study, spec_of
from web.studio.begin import scenarios_for, text_of
from web.studio.beside import changes, laxer
from web.studio.desk import DraftId, OnDesk, Studying, Writing, compared_with, draft_page, on_desk, typed_in
from web.studio.reading import Reading, reading
from web.studio.trials import scenarios_on
from web.studio.trying import Tried, start, trial_of, tried

router = APIRouter(include_in_schema=False)

BOTH: tuple[Kind, ...] = ("tests", "proof")
NO_KEY = Refused("no_key", "Nothing can be published here: there is no signing key.", "Ask your engineer for one.")
UNTRIED = Refused("not_tried", "It was not proved and tested yet as it is now.", "Press Prove and test first.")
BROKEN = Refused("broken", "The draft has errors.", "Mend them first; the editor names each with its line.")


@dataclass(frozen=True)
class Case:
    """A version with all that a reviewer weighs."""

    spec: ProtocolSpec
    text: str
    reading: Reading
    scenarios: dict[str, str]
    tried: Tried
    record: tuple[Publication, ...]
    now: datetime

    @property
    def state(self) -> publishing.State:
        """Where it stands."""
        return state_of(self.record, self.spec.content_hash, self.now)

    @property
    def happened(self) -> list[Publication]:
        """What was done with it, the latest first."""
        return [one for one in reversed(self.record) if one.protocol_hash == self.spec.content_hash]

    @property
    def author(self) -> str:
        """Who submitted it last."""
        return author_of(self.record, self.spec.content_hash) or ""

    @property
    def exception(self) -> str:
        """Who answers for it though it was not found good."""
        return exception_of(publication_of(self.record, self.spec.content_hash))


@router.get("/studio/{draft_id}/submit")
async def submitting(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """What a submission would hold."""
    return await _submitting(request, visit, await on_desk(visit, draft_id))


@router.post("/studio/{draft_id}/submit")
async def submit(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Ask for review of the draft as it is, with what was found about it."""
    typed, desk = await typed_in(request), await on_desk(visit, draft_id)
    done = await submitted(visit, desk, typed.get("note", ""), typed.get("revision", ""))
    if isinstance(done, Refused):
        return await _submitting(request, visit, desk, done, typed, 422)
    return RedirectResponse(f"/protocols/{done.protocol_hash}/review", 303)


async def submitted(visit: Visit, desk: OnDesk, note: str, seen: str = "") -> Publication | Refused:
    """Submit a draft; `seen` is the revision that its author saw, where they say."""
    spec = desk.reading.spec
    if spec is None or not desk.reading.usable:
        return BROKEN
    if seen and seen != str(desk.draft.revision):
        return Refused("changed", "Somebody saved the draft meanwhile.", "Look at it again, then submit.")
    found = await tried(visit, spec.content_hash, await scenarios_on(visit, desk.draft.draft_id))
    if found.proof is None or found.tests is None:
        return UNTRIED
    actor, trial = (
        Actor(visit.actor.account_id, await _role(visit, spec), desk.now),
        trial_of(desk.reading.looked, found),
    )
    return await added(
        visit, spec, partial(publishing.submit, spec=spec, actor=actor, trial=trial, note=note.strip()), note
    )


async def added(visit: Visit, spec: ProtocolSpec, rule: Rule, words: str = "") -> Publication | Refused:
    """Do what the rule decides, where its words are not too long and this installation can sign."""
    if len(words) > MAX_TEXT:
        return Refused("too_long", f"The text has more than {MAX_TEXT} characters.", "Shorten it.")
    parts = visit.parts
    if not parts.settings.signing_keys:
        return NO_KEY
    keys = SigningKeys((key.id, key.secret) for key in parts.settings.signing_keys)
    return await Publications(parts.database, keys, parts.clock).add(spec, rule)


async def _role(visit: Visit, spec: ProtocolSpec) -> str:
    """The role in which somebody submits: one of the protocol where they have one."""
    person = (await visit.parts.rota.current()).by_id.get(visit.actor.account_id)
    held = [*(person.roles if person is not None else ()), *visit.actor.roles]
    return next((role for role in held if role in spec.roles), held[0])


async def _submitting(
    request: Request,
    visit: Visit,
    desk: OnDesk,
    refused: Refused | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    spec = desk.reading.spec
    differs = await changes(await compared_with(visit, desk.draft), spec) if spec is not None else {}
    found = await tried(visit, desk.draft.content_hash, await scenarios_on(visit, desk.draft.draft_id))
    return await draft_page(
        request,
        visit,
        desk,
        "studio/submit.html",
        "submit",
        status=status,
        tried=found,
        differs=differs,
        refused=refused,
        typed=typed or {},
    )


# As a second person


async def case_of(visit: Visit, content_hash: str) -> Case:
    """A version with all that is known of it. Raises NotThere."""
    spec = await spec_of(visit, content_hash)
    text, scenarios = await text_of(visit, spec), await scenarios_for(visit, spec)
    record = (await visit.parts.publications.read()).record
    found = await tried(visit, content_hash, scenarios)
    return Case(spec, text, await reading(text), scenarios, found, record, visit.parts.clock())


@router.get("/protocols/{content_hash}/review")
async def review(request: Request, visit: Study, content_hash: Hash) -> Response:
    """Everything that a reviewer weighs, and what may be done."""
    return await reviewed(request, visit, await case_of(visit, content_hash))


@router.post("/protocols/{content_hash}/trial")
async def try_again(request: Request, visit: Study, content_hash: Hash) -> Response:
    """Prove and test a version again, as whoever publishes it must be able to."""
    case = await case_of(visit, content_hash)
    try:
        start(visit, case.spec, case.scenarios, BOTH)
    except Busy as error:
        return await reviewed(request, visit, case, Refused("busy", str(error), ""), status=409)
    return RedirectResponse(f"/protocols/{content_hash}/review", 303)


@router.post("/protocols/{content_hash}/send-back")
async def send_back(request: Request, visit: Approving, content_hash: Hash) -> Response:
    """Give it back to its author with comments."""
    case, typed = await case_of(visit, content_hash), await typed_in(request)
    return await _answered(request, visit, case, await sent_back(visit, case, typed.get("reason", "").strip()), typed)


async def sent_back(visit: Visit, case: Case, reason: str) -> Publication | Refused:
    """Give a version back to its author."""
    actor = Actor(visit.actor.account_id, await _role(visit, case.spec), case.now)
    rule = partial(publishing.send_back, spec=case.spec, actor=actor, reason=reason)
    return await added(visit, case.spec, rule, reason)


@router.post("/protocols/{content_hash}/publish")
async def publish(request: Request, visit: Approving, content_hash: Hash) -> Response:
    """Approve it, from a date on. It is bound to what was found about this very content."""
    case, typed = await case_of(visit, content_hash), await typed_in(request)
    return await _answered(request, visit, case, await published(visit, case, typed), typed)


async def published(visit: Visit, case: Case, typed: Mapping[str, str]) -> Publication | Refused:
    """Publish a version as the form says."""
    tests, effective_at = case.tried.tests, None
    if tests is not None and typed.get("tests", tests.key) != tests.key:
        return Refused("changed", "It was tested anew with other scenarios meanwhile.", "Look at the results again.")
    if written := typed.get("effective", "").strip():
        try:
            effective_at = to_utc(written.replace("T", " "), ZoneInfo(case.spec.time_zone))
        except (ValueError, OverflowError):
            return Refused("no_time", "The effective date can't be read.", "Write it as 2026-12-01 08:00.")
    return await approved(visit, case, effective_at, typed.get("exception", "").strip())


async def approved(visit: Visit, case: Case, effective_at: datetime | None, reason: str) -> Publication | Refused:
    """Publish a version from a date on (aware UTC; None: at once); `reason` is that of an exception."""
    actor = await approver(visit, case)
    if isinstance(actor, Refused):
        return actor
    if case.tried.proof is None or case.tried.tests is None:
        return UNTRIED
    signed = SignOff(actor.by, actor.role, reason) if reason else None
    trial = trial_of(case.reading.looked, case.tried)
    rule = partial(
        publishing.publish, spec=case.spec, actor=actor, trial=trial, effective_at=effective_at, sign_off=signed
    )
    return await added(visit, case.spec, rule, reason)


@router.post("/protocols/{content_hash}/retire")
async def retire(request: Request, visit: Approving, content_hash: Hash) -> Response:
    """Let no new episode begin under it."""
    case, typed = await case_of(visit, content_hash), await typed_in(request)
    return await _answered(request, visit, case, await retired(visit, case, typed.get("reason", "").strip()), typed)


async def retired(visit: Visit, case: Case, reason: str) -> Publication | Refused:
    """Let no new episode begin under a version."""
    actor = await approver(visit, case)
    if isinstance(actor, Refused):
        return actor
    rule = partial(publishing.retire, spec=case.spec, actor=actor, reason=reason)
    return await added(visit, case.spec, rule, reason)


async def approver(visit: Visit, case: Case) -> Actor | Refused:
    """Who approves, in a licensed role of the protocol; or why they may not."""
    rota = await visit.parts.rota.current()
    person = rota.by_id.get(visit.actor.account_id)
    roles = [role for role in (person.roles if person else ()) if role in case.spec.roles]
    licensed = next((role for role in roles if case.spec.roles[role].licensed), None)
    if person is None or not rota.licensed_here(person) or licensed is None:
        allowed = ", ".join(plain(name) for name, one in case.spec.roles.items() if one.licensed)
        message = f"The rota gives you no licensed role of this protocol in {rota.state}."
        return Refused("wrong_role", message, f"Ask somebody who is licensed as one of: {allowed}.")
    return Actor(person.id, licensed, case.now)


async def _answered(
    request: Request, visit: Visit, case: Case, done: Publication | Refused, typed: Mapping[str, str]
) -> Response:
    if isinstance(done, Refused):
        return await reviewed(request, visit, case, done, typed, status=422)
    if visit.session is not None:
        visit.parts.fresh.say(visit.session.token_hash, [SAID[done.act].format(done.protocol, done.version)])
    return RedirectResponse(f"/protocols/{done.protocol_hash}/review", 303)


SAID = {
    "submitted": "{} {} is in review.",
    "sent_back": "{} {} went back to its author.",
    "published": "{} {} is published. Open episodes keep the version they have.",
    "retired": "{} {} is retired: no new episode begins under it.",
}


async def reviewed(
    request: Request,
    visit: Visit,
    case: Case,
    refused: Refused | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page."""
    try:
        current = (await effective(visit.parts)).get(case.spec.protocol)
    except NotPublished:
        current = None
    differs: dict[str, Any] = {}
    if current is not None and current.content_hash != case.spec.content_hash:
        differs = await changes(current, case.spec)
    known = {one.hash: one for one in await versions(visit.parts.database)}
    may = {"write": authorize(visit.actor, "protocol.write"), "approve": authorize(visit.actor, "protocol.approve")}
    actor = await approver(visit, case) if may["approve"] else None
    return await page(
        request,
        "studio/review.html",
        status=status,
        case=case,
        spec=case.spec,
        words=Words(case.spec),
        tried=case.tried,
        differs=differs,
        laxer=laxer(differs.get("groups", [])),
        current=current,
        running=known[case.spec.content_hash].running if case.spec.content_hash in known else 0,
        others=sum(one.running for one in known.values() if one.name == case.spec.protocol),
        refused=refused,
        typed=typed or {},
        may=may,
        unable=actor if isinstance(actor, Refused) else None,
        own=case.author == visit.actor.account_id,
        names=await names_of(visit.parts),
        draft=await visit.parts.protocol_drafts.of_version(case.spec.content_hash),
    )
