"""How long nobody is answered after `kill -9` of the worker, of the Temporal server, of both.

From the kill to the receipt of a command sent again and again, as the product's client does. The killed process is
started again at once, as its supervisor would; the start is part of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from benchmarks.embedded import Process, embedded, run_async
from benchmarks.keeping import show
from benchmarks.led import back_and_forth, flagship, led
from benchmarks.tables import Row, spread
from protocol.commands import HumanCommand
from workflows.client import EpisodeClient

TIMES = 5


def run() -> list[Row]:
    """Seconds without an answer."""
    return run_async(measured())


async def measured() -> list[Row]:
    """The table."""
    async with embedded() as stack:
        worker = stack.start_worker()
        killed = {"worker": [worker], "Temporal server": [stack.server], "both": [worker, stack.server]}
        episode_id = await led(stack.episodes, flagship(stack.settings))
        commands = back_and_forth()
        rows: list[Row] = []
        for name, processes in killed.items():
            seconds: list[float] = []
            for _ in range(TIMES):
                seconds.append(await _seconds_away(stack.episodes, processes, episode_id, commands))
            rows.append({"kill -9 of": name, "times": TIMES, **spread("seconds to an answer", seconds)})
        return rows


async def _seconds_away(
    episodes: EpisodeClient, processes: Iterable[Process], episode_id: str, commands: Iterator[HumanCommand]
) -> float:
    before = await episodes.submit(episode_id, next(commands))
    begun = time.perf_counter()
    for process in processes:
        process.kill()
    for process in processes:
        process.start_again()
    after = await episodes.submit(episode_id, next(commands))
    assert after.revision == before.revision + len(after.events), "a command was lost or taken twice"
    return time.perf_counter() - begun


if __name__ == "__main__":
    show("recovery", run)
