"""One crisis episode as a Temporal workflow: it waits, orders and hands on. What is right is decided by the core.

Update handlers only change state. `_emit` alone emits commands to Temporal (the timer, activities), in a
fixed order, so that a replay on another worker emits the same ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic_core import to_json
from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError

from protocol.commands import (
    DEADLINE_ID,
    REPORT_ID,
    SYSTEM_ACTOR,
    SYSTEM_ROLE,
    Acknowledge,
    Command,
    DeclareEmergency,
    OpenEpisode,
    RecordContact,
)
from protocol.effects import Page
from protocol.engine import REUSED, Engine, Receipt
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol.trail import Head, TrailRow
from workflows import ports
from workflows.carrying import LARGEST_INPUT, engine_of, fits, latest, onto_of
from workflows.messages import Carried, EpisodeInput, EpisodeView, Submission
from workflows.orders import page_order, referral_order, report_of
from workflows.outbox import Outbox

TRACE_RINGS_AFTER = timedelta(days=1)
"""That timer means nothing; it is long, so that it hardly ever rings. See `_leave_trace`."""
LATE_ENTRIES = timedelta(days=30)
"""How long after its closing an episode takes addenda; then its workflow ends."""
LARGEST_FACTS = 256 * 1024
"""Bytes of JSON in one command; its other fields are bounded by their types."""
MOST_PAGES = 50
"""Pages under way at once; further ones wait for their turn."""
ENOUGH_EVENTS = 8_000
"""From here on a run ends even while activities are under way; Temporal suggests it at about half of this."""
ENOUGH_BYTES = 8_000_000
COMMANDS_A_RUN = 250
"""After so many a run ends with a command. A step costs the server more, the more commands its run has taken."""
ENOUGH_COMMANDS = 1_000
"""Temporal takes twice as many Updates in one run, and refuses every further one."""
MOST_EVENTS, MOST_BYTES, MOST_COMMANDS = 25_000, 25_000_000, 1_500
"""A run that can't end, because the records are away and what waits for them is more than the next run can be handed,
takes from here on only what nobody may be refused. Temporal ends a run at 51 200 events or 50 MB."""
NEVER_HELD_UP = (OpenEpisode, DeclareEmergency, RecordContact, Acknowledge)
"""Commands that a run takes however full it is; deadlines and pages go on as well."""


@workflow.defn(name=ports.EPISODE_WORKFLOW)
class EpisodeWorkflow:
    """Lives as long as the episode, over any number of runs."""

    @workflow.init
    def __init__(self, told: EpisodeInput) -> None:
        carried = told.carried or Carried(episode=None, head=None)
        self._told = told
        self._protocol = told.protocol
        """The canonical form of the version in force."""
        self._earlier: deque[str] = deque(carried.earlier_protocols)
        """Versions that were in force before, until the records have them for sure."""
        self._engine = engine_of(told)
        self._rehearsed: tuple[Head, datetime, Engine] | None = None
        self._rows = Outbox(carried.rows)
        self._commands = 0
        """Taken in this run."""
        self._recording: int | None = None
        """How many of the first rows are being recorded; None while nothing is."""
        self._protocol_wanted = carried.protocol_wanted
        """The records have the first rows and not the protocol's document."""
        self._pages: deque[ports.PageOrder] = deque(carried.pages)
        self._paging: dict[str, ports.PageOrder] = {}
        self._reports: list[tuple[ports.PageOrder, ports.PageReport]] = []
        self._referrals: deque[ports.ReferralOrder] = deque(carried.referrals)
        self._referring: dict[str, ports.ReferralOrder] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = workflow.now()
        self._trace: asyncio.TimerHandle | None = None
        self._woken = False
        self._news = False
        """Something other than a command came in."""
        self._cancelled = False

    @workflow.run
    async def run(self, told: EpisodeInput) -> None:
        """Look whenever something happened, until the episode is over and all of it is recorded."""
        while True:
            news, self._news, self._woken = self._news, False, False
            now = workflow.now()
            self._take_in(now)
            if self._finished(now):
                return self._end()
            if (onward := self._next_run(news=news)) is not None:
                workflow.continue_as_new(onward)
            self._emit(now, news=news)
            await self._wait()

    async def _wait(self) -> None:
        """Until something happened. That somebody cancels the workflow is nothing: an episode ends by being closed.

        Temporal says it once a run; what is cancelled after that, or without a reason, is this worker's memory of it.
        """
        try:
            await workflow.wait_condition(lambda: self._woken)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None or self._cancelled:
                raise
            self._cancelled = self._news = True
            workflow.logger.warning("somebody tried to cancel an episode; it goes on")

    # Messages: they change state and emit nothing

    @workflow.update(name=ports.SUBMIT)
    def submit(self, submission: Submission) -> Receipt:
        """Take a command; the receipt is durable when it returns. Repeating a command repeats its receipt."""
        now = workflow.now()
        self._collect()
        if self._rehearsed is not None and self._rehearsed[:2] == (self._engine.head, now):
            self._engine = self._rehearsed[2]
        self._rehearsed = None
        self._woken = True
        self._commands += 1
        onto = onto_of(submission)
        receipt = self._engine.submit(submission.command, now, onto)
        if onto is not None and submission.protocol is not None:
            self._adopt(submission.protocol, onto)
        return receipt

    def _adopt(self, document: str, onto: ProtocolSpec) -> None:
        """Carry the document in force. A `Migrate` sent again after a later one brings an older document."""
        if self._engine.spec.content_hash == onto.content_hash and document != self._protocol:
            self._earlier.append(self._protocol)
            self._protocol = document

    @submit.validator
    def check(self, submission: Submission) -> None:
        """Refuse what is malformed, without a trace. What is clinically wrong is decided and recorded."""
        size = len(to_json(getattr(submission.command, "facts", None)))
        if size > LARGEST_FACTS:
            message = f"the facts have {size} bytes; at most {LARGEST_FACTS} are taken"
            raise ApplicationError(message, type=ports.TOO_LARGE)
        if submission.command.command_id.startswith((DEADLINE_ID, REPORT_ID)):
            message = "command ids that begin like this are the engine's own; use another one"
            raise ApplicationError(message, type=ports.RESERVED_ID)
        if submission.command.actor == SYSTEM_ACTOR or submission.command.role == SYSTEM_ROLE:
            message = f"{SYSTEM_ACTOR} and {SYSTEM_ROLE} are the engine's own; send it as a person in a role"
            raise ApplicationError(message, type=ports.RESERVED_ID)
        if self._is_full() and not isinstance(submission.command, NEVER_HELD_UP):
            message = (
                "the records are away for so long that this episode takes only emergencies, contacts and "
                "acknowledgements; write the rest down elsewhere and send it when they are back"
            )
            raise ApplicationError(message, type=ports.HELD_UP)
        try:
            onto = onto_of(submission)
        except ValueError as error:
            raise ApplicationError("the newer version can't be read", type=ports.NO_PROTOCOL) from error
        self._rehearse(submission.command, onto)

    def _rehearse(self, command: Command, onto: ProtocolSpec | None) -> None:
        """Let a copy of the engine take the command first: a bug there costs this command, not the episode.

        The handler goes on with the copy, which has the receipt already. A replay knows no validator and comes
        to the same by itself.
        """
        mine, now = self._engine, workflow.now()
        salt_key = bytes.fromhex(self._told.salt_key)
        copy = Engine(mine.spec, mine.episode_id, salt_key, mine.episode, mine.head, mine.receipts)
        try:
            receipt = copy.submit(command, now, onto)
        except Exception as error:
            workflow.logger.exception("the engine failed on a command", extra={"command": command.kind})
            raise ApplicationError("the engine failed on this command", type=ports.ENGINE_FAULT) from error
        if receipt.refusal is not None and receipt.refusal.code == REUSED.code:
            message = f"{receipt.refusal.message} {receipt.refusal.remedy}"
            raise ApplicationError(message, type=ports.REUSED_ID)
        self._rehearsed = (mine.head, now, copy)

    @workflow.query(name=ports.VIEW)
    def view(self) -> EpisodeView:
        """The episode as it stands."""
        under_way = (*self._paging, *(order.page_id for order in self._pages))
        return EpisodeView(self._engine.episode, self._engine.head, len(self._rows), under_way)

    @workflow.query(name=ports.WAITING)
    def waiting(self) -> tuple[TrailRow, ...]:
        """The rows that the records do not have yet."""
        return self._rows.all()

    def _take_in(self, now: datetime) -> None:
        """Tell the engine what became of pages, and the time; collect what it asks for."""
        reports, self._reports = self._reports, []
        for order, report in reports:
            self._engine.submit(report_of(order, report, now), now)
        self._engine.sweep(now)
        self._collect()

    def _collect(self) -> None:
        self._rows.extend(self._engine.take_rows())
        for effect in self._engine.take_effects():
            if isinstance(effect, Page):
                self._pages.append(page_order(self._engine.spec, effect))
            else:
                self._referrals.append(referral_order(effect))

    # The one place that emits commands, always in this order

    def _emit(self, now: datetime, *, news: bool) -> None:
        """Ask Temporal for what is needed now.

        Whatever comes in must leave something in the history: an accepted Update does so itself, anything else
        must leave a command, or a trace where none is needed. A task that leaves nothing is merged with the next
        one when a worker meets the episode for the first time, and taken apart again when the next worker replays
        it: Updates would then change places with reports of pages.
        """
        needed = [self._arm_timer(now), self._start_pages(), self._start_referrals(), self._start_recording()]
        if news and not any(needed):
            self._leave_trace()

    def _leave_trace(self) -> None:
        """Start a timer that means nothing. The one that rings at the next deadline is left alone."""
        if self._trace is not None:
            self._trace.cancel()
        self._trace = asyncio.get_running_loop().call_later(TRACE_RINGS_AFTER.total_seconds(), lambda: None)

    def _arm_timer(self, now: datetime) -> bool:
        """A timer that rings too early only looks and is armed again: cheaper than moving it at every step."""
        due = self._engine.next_deadline() or self._over_at()
        if due is None:
            return False
        if self._timer is not None:
            if self._rings_at <= due:
                return False
            self._timer.cancel()
        self._rings_at = due
        self._timer = asyncio.get_running_loop().call_later(max((due - now).total_seconds(), 0.001), self._ring)
        return True

    def _ring(self) -> None:
        self._timer = None
        self._woken = True

    def _start_pages(self) -> bool:
        waiting = len(self._pages)
        while self._pages and len(self._paging) < MOST_PAGES:
            order = self._pages.popleft()
            self._paging[order.page_id] = order
            page = workflow.start_activity(
                ports.DELIVER_PAGE,
                order,
                result_type=ports.PageReport,
                start_to_close_timeout=ports.PAGE_ATTEMPT_LIMIT,
                schedule_to_close_timeout=ports.PAGE_LIMIT,
                retry_policy=RetryPolicy(
                    initial_interval=ports.PAGE_FIRST_RETRY,
                    maximum_interval=ports.PAGE_LONGEST_RETRY,
                    maximum_attempts=ports.PAGE_ATTEMPTS,
                ),
                priority=Priority(priority_key=order.urgency),
            )
            page.add_done_callback(partial(self._page_done, order))
        return len(self._pages) < waiting

    def _page_done(self, order: ports.PageOrder, page: asyncio.Task[Any]) -> None:
        del self._paging[order.page_id]
        failed = page.cancelled() or page.exception() is not None
        self._reports.append((order, ports.NO_ANSWER if failed else page.result()))
        self._woken = self._news = True

    def _start_referrals(self) -> bool:
        waiting = len(self._referrals)
        while self._referrals:
            order = self._referrals.popleft()
            self._referring[order.referral_id] = order
            referral = workflow.start_activity(
                ports.REQUEST_REFERRAL,
                order,
                result_type=bool,
                start_to_close_timeout=ports.REFERRAL_ATTEMPT_LIMIT,
                schedule_to_close_timeout=ports.REFERRAL_LIMIT,
                retry_policy=RetryPolicy(maximum_interval=ports.LONGEST_RETRY),
                priority=Priority(priority_key=ports.LATER),
            )
            referral.add_done_callback(partial(self._referral_done, order))
        return len(self._referrals) < waiting

    def _referral_done(self, order: ports.ReferralOrder, referral: asyncio.Task[Any]) -> None:
        del self._referring[order.referral_id]
        if not referral.cancelled() and referral.exception() is not None:
            workflow.logger.error("referral not delivered", extra={"referral_id": order.referral_id})
        self._woken = self._news = True

    def _start_recording(self) -> bool:
        engine = self._engine
        document = self._earlier[0] if self._earlier else self._protocol if self._protocol_wanted else None
        nothing = not self._rows and document is None
        if nothing or self._recording is not None or engine.episode is None:
            return False
        rows = self._rows.batch()
        batch = ports.Batch(
            rows,
            summarise(engine.spec, engine.episode),
            linger=timedelta(0) if engine.episode.closed_at else ports.linger_after(rows, len(self._rows)),
            protocol=document,
        )
        self._recording = len(rows)
        recording = workflow.start_activity(
            ports.APPEND_ROWS,
            batch,
            result_type=bool,
            start_to_close_timeout=ports.RECORD_ATTEMPT_LIMIT,
            retry_policy=RetryPolicy(maximum_interval=ports.LONGEST_RETRY),
            priority=Priority(priority_key=ports.LATER),
        )
        recording.add_done_callback(partial(self._recorded, document))
        return True

    def _recorded(self, document: str | None, recording: asyncio.Task[Any]) -> None:
        """Recording is retried for ever, so it ends well; a row leaves the outbox only then."""
        if not recording.cancelled() and recording.exception() is None:
            self._rows.drop(self._recording or 0)
            still = self._protocol_wanted and document != self._protocol
            self._protocol_wanted = recording.result() or still
            if self._earlier and document == self._earlier[0]:
                self._earlier.popleft()
        self._recording = None
        self._woken = self._news = True

    # The end of a run

    def _over_at(self) -> datetime | None:
        """When an episode that was closed takes nothing more."""
        closed_at = self._engine.episode and self._engine.episode.closed_at
        return closed_at + LATE_ENTRIES if closed_at else None

    def _finished(self, now: datetime) -> bool:
        """True when the episode is over (or its opening was refused) and nothing is left to tell anybody."""
        over_at = self._over_at()
        over = self._engine.episode is None or (over_at is not None and over_at <= now)
        paging = self._pages or self._paging or self._reports
        return over and not (self._rows or paging or self._referrals or self._referring)

    def _end(self) -> None:
        """Only an episode that was open ends well: after a refused opening the same id may be opened again."""
        if self._engine.episode is None:
            raise ApplicationError("the opening was refused", type=ports.OPENING_REFUSED)

    def _next_run(self, *, news: bool) -> EpisodeInput | None:
        """What the next run is handed, when this one is long enough and the next can take everything over.

        What is under way is best awaited; past `ENOUGH_EVENTS` it is begun again under the same ids. In the task of a
        command no other from its sender can arrive meanwhile, and be put off for a second.
        """
        info = workflow.info()
        long = (
            info.get_current_history_length() >= ENOUGH_EVENTS
            or info.get_current_history_size() >= ENOUGH_BYTES
            or self._commands >= ENOUGH_COMMANDS
        )
        enough = self._commands >= COMMANDS_A_RUN and not news
        idle = self._recording is None and info.is_continue_as_new_suggested()
        ends = long or ((enough or idle) and not (self._pages or self._paging or self._referring))
        may = ends and self._rows.size <= LARGEST_INPUT
        return onward if may and fits(onward := self._handed_on()) else None

    def _is_full(self) -> bool:
        """True when this run should have ended long ago and could not."""
        info = workflow.info()
        return (
            info.get_current_history_length() >= MOST_EVENTS
            or info.get_current_history_size() >= MOST_BYTES
            or self._commands >= MOST_COMMANDS
        )

    def _handed_on(self) -> EpisodeInput:
        carried = Carried(
            episode=self._engine.episode,
            head=self._engine.head,
            receipts=latest(self._engine.receipts),
            rows=self._rows.all(),
            pages=(*self._paging.values(), *self._pages),
            referrals=(*self._referring.values(), *self._referrals),
            protocol_wanted=self._protocol_wanted,
            earlier_protocols=tuple(self._earlier),
        )
        return EpisodeInput(self._told.episode_id, self._protocol, self._told.salt_key, carried)
