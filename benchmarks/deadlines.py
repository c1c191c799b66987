"""How late a page leaves after its deadline, when a thousand deadlines fall into one minute.

From due to the page's arrival at a mail server: the Temporal server's timer, a workflow task, the rules, the activity,
the mail. The server fires timers about a second late by itself; how late here and now is measured by as many bare
workflows that only wait, due at the same moments.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from temporalio.client import Client

from benchmarks.bare import BareTimer
from benchmarks.bare_worker import TUNED
from benchmarks.embedded import Embedded, at_once, embedded, free_port, run_async
from benchmarks.keeping import show
from benchmarks.led import flagship, opening
from benchmarks.sink import Sink, sink
from benchmarks.tables import Row

DEADLINES, MOST_DEADLINES = 1_000, 10_000
"""As a rule, and at most: `python -m benchmarks.deadlines 2000` lets as many more fall into the same minute."""
WITHIN_SECONDS = 60.0
LIMIT = timedelta(minutes=60)
"""The protocol's time limit of its first stage; the episodes are opened as begun nearly as long ago."""
TRIALS = 40
SLACK_SECONDS = 10.0
PATIENCE_SECONDS = 120.0


def run() -> list[Row]:
    """Seconds late: the server's timers alone, our pages, and the difference."""
    return run_async(measured())


async def measured(deadlines: int = DEADLINES) -> list[Row]:
    """The table."""
    port = free_port()
    async with sink(port) as mails, embedded(smtp_port=port) as stack:
        stack.start_worker()
        stack.start_module("benchmarks.bare_worker", TUNED, stack.settings.temporal_address)
        client = await Client.connect(stack.settings.temporal_address)
        begins = time.time() + await _seconds_to_open(stack, client) * deadlines + SLACK_SECONDS
        dues = [begins + WITHIN_SECONDS * number / deadlines for number in range(deadlines)]
        due_of = await _open(stack, client, dues)
        assert time.time() < begins, "the machine was too slow to open all before the first was due"
        await asyncio.sleep(dues[-1] - time.time())
        await _all_arrived(mails, due_of)
        bare = [await client.get_workflow_handle_for(BareTimer.run, _timer_id(due)).result() for due in dues]
        ours = [mails.arrived[episode_id] - due for episode_id, due in due_of.items()]
    server, pages = _figures(bare), _figures(ours)
    beyond = {name: round(pages[name] - server[name], 2) for name in ("p50", "p99", "max")}
    return [
        {"seconds late": "a bare timer", **server},
        {"seconds late": "our page", **pages},
        {"seconds late": "ours beyond the timer", "deadlines": deadlines, **beyond},
    ]


async def _seconds_to_open(stack: Embedded, client: Client) -> float:
    """How long opening one of them takes, from a few that are due much later."""
    begun = time.perf_counter()
    await _open(stack, client, [time.time() + LIMIT.total_seconds() - 60 + number / 1_000 for number in range(TRIALS)])
    return (time.perf_counter() - begun) / TRIALS


async def _open(stack: Embedded, client: Client, dues: list[float]) -> dict[str, float]:
    """An episode and a bare timer for each moment; the moments by episode id."""
    spec, due_of = flagship(stack.settings), dict[str, float]()

    def one(due: float) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            begun = opening(occurred_at=datetime.fromtimestamp(due, UTC) - LIMIT)
            due_of[begun.episode_id] = due
            receipt = await stack.episodes.open(spec, begun)
            assert receipt.next_deadline is not None
            assert abs(receipt.next_deadline.timestamp() - due) < 0.001
            await client.start_workflow(BareTimer.run, due, id=_timer_id(due), task_queue=TUNED)

        return work

    await at_once(one(due) for due in dues)
    return due_of


def _timer_id(due: float) -> str:
    return f"timer-{due:.6f}"


async def _all_arrived(mails: Sink, due_of: dict[str, float]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while missing := due_of.keys() - mails.arrived.keys():
        assert time.monotonic() < until, f"{len(missing)} pages did not arrive"
        await asyncio.sleep(0.1)


def _figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "deadlines": len(ordered),
        "p50": round(median(ordered), 2),
        "p99": round(ordered[int(len(ordered) * 0.99)], 2),
        "max": round(ordered[-1], 2),
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for line in run_async(measured(min(int(sys.argv[1]), MOST_DEADLINES))):
            print(line)
    else:
        show("deadlines", run)
