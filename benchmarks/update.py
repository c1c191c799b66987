"""What a step of an episode costs end to end, against a bare Temporal Update on the same server in the same run.

Ours: the product's client and worker, encryption, validator, rules, receipt, the trail in SQLite, pages and timers.
Interleaved, ours and bare in turn; each ratio compares neighbours. Rows are recorded after the step that made them,
so a turn of ours first runs for as long as a batch may stay, unmeasured, until recording keeps step; afterwards its
last rows are waited for, so that they cost nothing of the turn of the other.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from temporalio.client import Client, WorkflowHandle
from temporalio.service import GrpcCompression

from benchmarks.bare import BARE_QUEUE, Answer, Bare, Step
from benchmarks.embedded import Embedded, Process, embedded, run_async, until
from benchmarks.embedded import at_once as do_at_once
from benchmarks.led import back_and_forth, flagship, led
from benchmarks.tables import Row, spread
from workflows.ports import LONGEST_LINGER

AT_ONCE = (1, 16, 64)
ROUNDS = 6
SECONDS = LONGEST_LINGER.total_seconds()
"""Of each turn: each episode's rows are recorded once in it."""
PROCESSES = ("caller", "server", "worker")

Stepper = Callable[[], Awaitable[object]]
"""One step of one episode."""


@dataclass
class Turn:
    """What was measured while one of the two ran."""

    seconds: float
    milliseconds: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict[str, float])
    """CPU seconds of each process."""

    @property
    def a_second(self) -> float:
        """Steps a second."""
        return len(self.milliseconds) / self.seconds


def run() -> list[Row]:
    """One row for each number of episodes at once and side, with the ratios of ours to bare."""
    return run_async(measured())


async def measured(at_once: tuple[int, ...] = AT_ONCE, rounds: int = ROUNDS) -> list[Row]:
    """The table."""
    async with embedded() as stack:
        worker = stack.start_worker()
        bare_worker = stack.start_module("benchmarks.bare", stack.settings.temporal_address, BARE_QUEUE)
        ids = await _led(stack, max(at_once))
        steps = [_our_stepper(stack, episode_id) for episode_id in ids]
        bare = await _bare(stack, max(at_once))
        sides: list[Row] = []
        ratios: list[Row] = []
        for count in at_once:
            turns: list[tuple[Turn, Turn]] = []
            for _ in range(rounds):
                mine = await _turn(steps[:count], {"server": stack.server, "worker": worker}, before=SECONDS)
                await until(partial(_all_recorded, stack, ids[:count]))
                others = await _turn(bare[:count], {"server": stack.server, "worker": bare_worker}, before=0.5)
                turns.append((mine, others))
            sides += _sides(count, turns)
            ratios += _ratios(count, turns)
    return sides + ratios


async def _led(stack: Embedded, count: int) -> list[str]:
    spec, ids = flagship(stack.settings), list[str]()

    async def one() -> None:
        ids.append(await led(stack.episodes, spec))

    await do_at_once([one] * count)
    return ids


async def _all_recorded(stack: Embedded, ids: list[str]) -> bool:
    views = await asyncio.gather(*(stack.episodes.view(episode_id) for episode_id in ids))
    return not any(view.unrecorded for view in views)


def _our_stepper(stack: Embedded, episode_id: str) -> Stepper:
    episodes, commands = stack.episodes, back_and_forth()

    async def step() -> None:
        receipt = await episodes.submit(episode_id, next(commands))
        assert receipt.refusal is None, receipt.refusal

    return step


async def _bare(stack: Embedded, count: int) -> list[Stepper]:
    client = await Client.connect(stack.settings.temporal_address, grpc_compression=GrpcCompression.NONE)
    started = [
        await client.start_workflow(Bare.run, 0, id=f"bare-{number}", task_queue=BARE_QUEUE) for number in range(count)
    ]
    return [_bare_stepper(client.get_workflow_handle_for(Bare.run, one.id)) for one in started]


def _bare_stepper(handle: WorkflowHandle[Bare, None]) -> Stepper:
    async def step() -> Answer:
        return await handle.execute_update(Bare.step, Step(str(uuid.uuid4()), "maya", "Advance"))

    return step


async def _turn(steppers: list[Stepper], processes: dict[str, Process], before: float) -> Turn:
    """Step for some seconds unmeasured, then for those of the turn; what ends within these counts."""
    turn, begins = Turn(SECONDS), time.perf_counter() + before

    async def go_on(step: Stepper) -> None:
        while (at := time.perf_counter()) < begins + SECONDS:
            await step()
            if begins <= (ended := time.perf_counter()) < begins + SECONDS:
                turn.milliseconds.append((ended - at) * 1e3)

    going = asyncio.gather(*(go_on(step) for step in steppers))
    await asyncio.sleep(begins - time.perf_counter())
    cpu = _cpu_seconds(processes)
    await asyncio.sleep(begins + SECONDS - time.perf_counter())
    turn.cpu = {name: seconds - cpu[name] for name, seconds in _cpu_seconds(processes).items()}
    await going
    return turn


def _cpu_seconds(processes: dict[str, Process]) -> dict[str, float]:
    return {"caller": time.process_time()} | {name: process.cpu_seconds for name, process in processes.items()}


def _sides(count: int, turns: list[tuple[Turn, Turn]]) -> list[Row]:
    sides = {"ours": [ours for ours, _ in turns], "bare": [bare for _, bare in turns]}
    return [{"at once": count, "side": name, **_figures(side)} for name, side in sides.items()]


def _ratios(count: int, turns: list[tuple[Turn, Turn]]) -> list[Row]:
    slower = [median(ours.milliseconds) / median(bare.milliseconds) for ours, bare in turns]
    through = [ours.a_second / bare.a_second for ours, bare in turns]
    found = {"p50, goal at most 1.2": slower, "throughput, goal at least 0.85": through}
    return [{"at once": count, "ratio": name, **spread("ours to bare", values)} for name, values in found.items()]


def _figures(turns: list[Turn]) -> Row:
    every = sorted(one for turn in turns for one in turn.milliseconds)
    return {
        "updates/s": round(median(turn.a_second for turn in turns)),
        "p50 ms": round(median(every), 1),
        "p95 ms": round(every[int(len(every) * 0.95)], 1),
        "p99 ms": round(every[int(len(every) * 0.99)], 1),
        **{
            f"{name} cpu ms": round(sum(turn.cpu[name] for turn in turns) / len(every) * 1e3, 2)
            for name in turns[0].cpu
        },
    }


if __name__ == "__main__":
    chosen = tuple(int(one) for one in sys.argv[1:]) or AT_ONCE
    for line in run_async(measured(chosen)):
        print(line)
