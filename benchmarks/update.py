"""What a step of an episode costs end to end, against a bare Temporal Update on the same server in the same run.

Ours: the product's client and worker, encryption, validator, rules, receipt, the trail in SQLite, pages and timers.
Bare: a workflow without any of it, twice: `plain` in a worker as the SDK comes, `tuned` in one with the settings that
we found for ours. Interleaved, each side in turn; each ratio compares neighbours. Rows are recorded after the step that
made them, so a turn of ours first runs for as long as a batch may stay, unmeasured, until recording keeps step;
afterwards its last rows are waited for, so that they cost nothing of the turn of the others.
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

from temporalio.client import WorkflowHandle

from benchmarks.bare import Answer, Bare, Step
from benchmarks.bare_worker import PLAIN, TUNED, client
from benchmarks.embedded import Embedded, Process, embedded, run_async, until
from benchmarks.embedded import at_once as do_at_once
from benchmarks.led import back_and_forth, flagship, led
from benchmarks.tables import Row, spread
from workflows.ports import LONGEST_LINGER

AT_ONCE = (1, 16, 64)
ROUNDS = 6
SECONDS = LONGEST_LINGER.total_seconds()
"""Of each turn: each episode's rows are recorded once in it."""
OURS, BARE = "ours", (PLAIN, TUNED)

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
        bare_workers = {
            side: stack.start_module("benchmarks.bare_worker", side, stack.settings.temporal_address) for side in BARE
        }
        ids = await _led(stack, max(at_once))
        steps = [_our_stepper(stack, episode_id) for episode_id in ids]
        bare = {side: await _bare(stack, side, max(at_once)) for side in BARE}
        sides: list[Row] = []
        ratios: list[Row] = []
        for count in at_once:
            turns: dict[str, list[Turn]] = {side: [] for side in (OURS, *BARE)}
            for _ in range(rounds):
                turn = await _turn(steps[:count], {"server": stack.server, "worker": worker}, before=SECONDS)
                turns[OURS].append(turn)
                await until(partial(_all_recorded, stack, ids[:count]))
                for side, its_worker in bare_workers.items():
                    processes = {"server": stack.server, "worker": its_worker}
                    turns[side].append(await _turn(bare[side][:count], processes, before=0.5))
            sides += [{"at once": count, "side": side, **_figures(its)} for side, its in turns.items()]
            ratios += [row for side in BARE for row in _ratios(count, side, turns[OURS], turns[side])]
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


async def _bare(stack: Embedded, side: str, count: int) -> list[Stepper]:
    its = await client(side, stack.settings.temporal_address)
    started = [await its.start_workflow(Bare.run, 0, id=f"{side}-{number}", task_queue=side) for number in range(count)]
    return [_bare_stepper(its.get_workflow_handle_for(Bare.run, one.id)) for one in started]


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


def _ratios(count: int, side: str, ours: list[Turn], bare: list[Turn]) -> list[Row]:
    pairs = list(zip(ours, bare, strict=True))
    found = {
        "p50, goal at most 1.2": [median(one.milliseconds) / median(other.milliseconds) for one, other in pairs],
        "throughput, goal at least 0.85": [one.a_second / other.a_second for one, other in pairs],
    }
    return [{"at once": count, "ratio": name, **spread(f"ours to {side}", values)} for name, values in found.items()]


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
