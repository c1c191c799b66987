"""What a step of the core costs: against a bare trigger of its own state machine and against other engines.

CPU time; everything that is compared runs interleaved in the same process, and each ratio is taken within one repeat.
"""

from __future__ import annotations

import gc
import time
from statistics import median

from benchmarks import peers
from benchmarks.chart import NOW, OPENING, ROUND, SPEC, STEPS_OF_A_ROUND, Record
from benchmarks.tables import Row, spread
from protocol.commands import Command
from protocol.decide import decide
from protocol.episode import EPISODE, Episode

REPEATS, ROUNDS = 15, 250
PEERS = {
    "the same in transitions alone": peers.same_in_transitions,
    "python-statemachine": peers.python_statemachine,
    "sismic": peers.sismic,
    "SpiffWorkflow": peers.spiff_workflow,
}
EARLY, LATE, WINDOW = 10, 1000, 40


def run() -> list[Row]:
    """Costs of a step, then how they grow with the length of an episode."""
    return [*against_others(), *over_time()]


def same_round() -> None:
    """Our round and the one written by hand leave the same episode behind."""
    record, episode = Record(), decide(SPEC, None, OPENING, NOW).episode
    for act, command in zip(
        (record.screen, lambda: record.enter("follow_up"), record.reach, record.back), ROUND.values(), strict=True
    ):
        step = decide(SPEC, episode, command, NOW)
        episode = step.episode
        assert record.may_leave() or act == record.screen
        act()
        assert tuple(record.events) == step.events
        assert record.episode == episode


def against_others() -> list[Row]:
    """Each contender's round, repeat by repeat."""
    same_round()
    bare = peers.bare_trigger()
    playing = {"a round of four commands, mean": _ours(list(ROUND.values()))}
    playing |= {name: make() for name, make in PEERS.items()}
    singles = {name: _single(name) for name in ROUND}
    seconds: dict[str, list[float]] = {name: [] for name in ("bare", *playing, *singles)}
    gc.collect()
    gc.freeze()  # nobody's round pays for looking through the objects that all the engines are made of
    for _ in range(REPEATS):
        seconds["bare"].append(bare(ROUNDS) / (ROUNDS * STEPS_OF_A_ROUND))
        for name, play in playing.items():
            seconds[name].append(play(ROUNDS) / (ROUNDS * STEPS_OF_A_ROUND))
        for name, single in singles.items():
            seconds[name].append(single(ROUNDS) / ROUNDS)
    return _compare(seconds, list(singles))


def _compare(seconds: dict[str, list[float]], singles: list[str]) -> list[Row]:
    ours = "a round of four commands, mean"
    rows: list[Row] = [{"a step": "bare transitions trigger", "µs": _micro(seconds["bare"])}]
    for name in (*singles, ours):
        ratios = [a / b for a, b in zip(seconds[name], seconds["bare"], strict=True)]
        rows.append({"a step": f"decide + evolve: {name}", "µs": _micro(seconds[name])} | spread("× bare", ratios))
    for name in PEERS:
        ratios = [a / b for a, b in zip(seconds[name], seconds[ours], strict=True)]
        rows.append({"a step": name, "µs": _micro(seconds[name])} | spread("× ours", ratios))
    return rows


def _micro(seconds: list[float]) -> float:
    return round(median(seconds) * 1e6, 1)


def _ours(commands: list[Command]) -> peers.Play:
    opened = decide(SPEC, None, OPENING, NOW).episode

    def play(rounds: int) -> float:
        episode = opened
        begun = time.process_time()
        for _ in range(rounds):
            for command in commands:
                episode = decide(SPEC, episode, command, NOW).episode
        return time.process_time() - begun

    return play


def _single(name: str) -> peers.Play:
    """One command again and again from the state in which the round gives it."""
    episode: Episode | None = decide(SPEC, None, OPENING, NOW).episode
    for before, command in ROUND.items():
        if before == name:
            break
        episode = decide(SPEC, episode, command, NOW).episode
    command = ROUND[name]
    step = decide(SPEC, episode, command, NOW)
    assert step.refusal is None

    def play(rounds: int) -> float:
        begun = time.process_time()
        for _ in range(rounds):
            decide(SPEC, episode, command, NOW)
        return time.process_time() - begun

    return play


def over_time() -> list[Row]:
    """The cost of a step and the size of an episode, early and late in one long episode."""
    early, late, sizes = list[float](), list[float](), (0, 0)
    for _ in range(REPEATS):
        seconds, sizes = _long_episode()
        early.append(seconds[0])
        late.append(seconds[1])
    ratios = [b / a for a, b in zip(early, late, strict=True)]
    return [
        {"in one episode": f"step {EARLY}", "µs": _micro(early), "episode, bytes of JSON": sizes[0]},
        {"in one episode": f"step {LATE}", "µs": _micro(late), "episode, bytes of JSON": sizes[1]}
        | spread(f"× step {EARLY}", ratios),
    ]


def _long_episode() -> tuple[tuple[float, float], tuple[int, int]]:
    """Mean seconds a step around the early and the late step, and the size of the episode there."""
    episode = decide(SPEC, None, OPENING, NOW).episode
    commands = list(ROUND.values())
    taken, sizes = list[float](), list[int]()
    for number in range(LATE + WINDOW):
        if number in (EARLY, LATE) and episode is not None:
            sizes.append(len(EPISODE.dump_json(episode)))
        command = commands[number % len(commands)]
        begun = time.perf_counter()
        episode = decide(SPEC, episode, command, NOW).episode
        taken.append(time.perf_counter() - begun)
    windows = (taken[EARLY : EARLY + WINDOW], taken[LATE : LATE + WINDOW])
    return (median(windows[0]), median(windows[1])), (sizes[0], sizes[1])
