"""`holdfast protocol simulate --population`: the load of thousands of made-up episodes, told and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.output import USAGE, Trouble, say, say_json
from cli.progress import Progress
from cli.tables import heading, table
from protocol.spec import RANK, ProtocolSpec
from protocol.words import Words, plain
from protocol_specs.loader import read_file
from protocol_specs.located import SpecErrors
from rehearsal.life import MOST_ACTS
from rehearsal.load_chart import draw_load, missed_kinds
from rehearsal.population import HOURS, MOST_EPISODES, Load, as_object, populate, spread
from rehearsal.rates import Rates, misnamed

STEPS = 200
"""How often it is said how far it is."""


def run(
    file: Path, spec: ProtocolSpec, episodes: int, rates: Path | None, seed: int, out: Path | None, *, as_json: bool
) -> None:
    """Play, tell, and write `population.json` and `population.svg` into `out`. Raises Trouble and SpecErrors."""
    if not 1 <= episodes <= MOST_EPISODES:
        raise Trouble(f"{episodes} episodes can't be played", f"play 1 to {MOST_EPISODES}", USAGE)
    assumed = read_rates(spec, rates or _beside(file))
    with Progress(wanted=not as_json) as progress:

        def played(done: int) -> None:
            if done % max(1, episodes // STEPS) == 0:
                progress.now(f"  {done} of {episodes} episodes")

        load = populate(spec, assumed, episodes, seed, played)
    told = as_object(load)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "population.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (out / "population.svg").write_text(draw_load(load), "utf-8")
    if as_json:
        say_json(told)
        return
    _tell(load, told)
    if out is not None:
        say(f"\nWritten: {out / 'population.json'}, {out / 'population.svg'}")


def _beside(file: Path) -> Path | None:
    """The rates that lie beside a protocol, in `rates/`."""
    path = file.parent / "rates" / file.name
    return path if path.is_file() else None


def read_rates(spec: ProtocolSpec, path: Path | None) -> Rates:
    """Rates that fit the protocol; made-up ones where there are none. Raises SpecErrors."""
    if path is None:
        return Rates()
    document = read_file(path)
    rates = document.validate(Rates)
    if wrong := misnamed(spec, rates):
        raise SpecErrors(document.locate(wrong))
    return rates


def _tell(load: Load, told: dict[str, Any]) -> None:
    spec, words = load.spec, Words(load.spec)
    source = load.rates.source
    heading(f"{spec.title} {spec.version}: {load.episodes} made-up episodes, seed {load.seed}")
    say(f"Rates: {load.rates.title} [{source.grade}]. {source.note or ''}".rstrip())
    if source.grade == "P":
        say("These are ASSUMPTIONS, not facts: the run needs local data before anything follows from it.")
    peaks = sorted(load.peaks, key=lambda level: RANK[level])
    say(f"Highest risk: {', '.join(f'{level} {load.peaks[level]}' for level in peaks)}.")
    say()
    table("Load for each 100 episodes", ("Role", "Pages", "Acts", "Busiest hour"), _roles(load), "Nobody was needed.")
    say()
    table("Pages by rung", ("Ladder", "Rung", "Whom", "Pages"), _rungs(load), "Nobody was paged.")
    say(f"Pages that found nobody: {load.nobody}.")
    say()
    rows = [
        (
            words.obligation(name),
            str(load.opened[name]),
            str(load.missed[name]),
            _share(load.missed[name], load.opened[name]),
        )
        for name in missed_kinds(load)
    ]
    table("Missed deadlines", ("What", "Opened", "Missed", "Share"), rows, "No deadline was missed.")
    say()
    ups = [
        (words.decision(name), words.option(name, option), str(n))
        for (name, option), n in sorted(load.step_ups.items())
    ]
    table(
        "Step-ups: decisions for more than the least intensive option",
        ("Decision", "Option", "Times"),
        ups,
        "No step-up.",
    )
    say()
    say(f"From the first page until a person is on it: {_spread(load.answered, 'min')}.")
    say(f"Episodes whose first page nobody answered: {load.unanswered}.")
    if load.left:
        say(
            f"Left after {MOST_ACTS} acts and pages, since nobody came any more: {load.left}; what followed is missing."
        )
    say(f"Until closed: {_spread(load.lasted, 'h')}.")
    say(f"Endings: {', '.join(f'{plain(name)} {count}' for name, count in sorted(load.closed.items()))}.")


def _roles(load: Load) -> list[tuple[str, str, str, str]]:
    words, rows = Words(load.spec), list[tuple[str, str, str, str]]()
    for role in load.roles():
        pages = [load.pages[role, hour] for hour in range(HOURS)]
        acts = sum(load.acts[role, hour] for hour in range(HOURS))
        busiest = f"{max(range(HOURS), key=lambda hour: pages[hour]):02d}:00" if any(pages) else "-"
        scale = 100 / load.episodes
        rows.append((words.role(role), f"{sum(pages) * scale:.1f}", f"{acts * scale:.1f}", busiest))
    return rows


def _rungs(load: Load) -> list[tuple[str, str, str, str]]:
    words, spec = Words(load.spec), load.spec
    return [
        (spec.ladders[name].title, str(rung + 1), words.role(spec.ladders[name].rungs[rung].page), str(count))
        for (name, rung), count in sorted(load.rungs.items())
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def _spread(values: list[float], unit: str) -> str:
    found = spread(values)
    if not found:
        return "none"
    half, nine, most = found["median"], found["nine_of_ten"], found["most"]
    return f"half within {half} {unit}, nine of ten within {nine} {unit}, at most {most} {unit}"
