"""`holdfast protocol simulate`: an episode tried by hand, or thousands of random ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from cli.output import USAGE, AsJson, Trouble, say
from cli.shelf import protocol_file
from protocol.findings import did_you_mean
from protocol.local_time import to_utc
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol

Spec = Annotated[str, typer.Argument(help="A protocol's name, or the path of its file.", show_default=False)]


def simulate(
    spec: Spec,
    starts: Annotated[str | None, typer.Option(help="When it begins, such as '2026-12-01 14:05'; now if not.")] = None,
    crisis_types: Annotated[list[str] | None, typer.Option("--type", help="A crisis type. Repeat it.")] = None,
    save: Annotated[
        str | None, typer.Option(help="Keep the run under this name when it ends, however it ends.")
    ] = None,
    population: Annotated[
        int | None, typer.Option(help="So many made-up episodes instead of one by hand: load, breaches, step-ups.")
    ] = None,
    rates: Annotated[
        Path | None, typer.Option(help="With --population: the assumptions; else `rates/` beside the protocol.")
    ] = None,
    seed: Annotated[int, typer.Option(help="With --population: the same seed gives the same episodes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="With --population: write the numbers and a chart here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Step through an episode at a prompt on a virtual clock; undo, let time pass, save the run as a scenario.

    With --population play thousands of made-up episodes at stated rates and say what they ask of whom.
    """
    file = protocol_file(spec)
    document = load_protocol(file)
    if population is None:
        _by_hand(file, document, starts, tuple(crisis_types or ()), save, as_json=as_json)
        return
    from cli.population import run

    run(file, document, population, rates, seed, out, as_json=as_json)


def _by_hand(
    file: Path,
    spec: ProtocolSpec,
    starts: str | None,
    crisis_types: tuple[str, ...],
    save: str | None,
    *,
    as_json: bool,
) -> None:
    from cli.prompt import Prompt, read_line, read_silently
    from rehearsal.simulation import Simulation, SimulationError

    for one in crisis_types:
        if one not in spec.crisis_types:
            raise Trouble(f"{spec.protocol} has no crisis type {one}", did_you_mean(one, spec.crisis_types), USAGE)
    simulation = Simulation(spec, _moment(spec, starts), crisis_types)
    prompt = Prompt(
        simulation, file.parent / "scenarios" / file.stem, read_silently if as_json else read_line, as_json=as_json
    )
    if not as_json:
        say(f"{spec.title}, version {spec.version}. A simulation: everybody is fictional, nobody is paged.")
    prompt.run()
    try:
        if save is not None:
            prompt.save(save)
        elif prompt.unsaved and not as_json:
            say("Left without saving; `save NAME` keeps a run, `--save NAME` does so at the end.")
    except SimulationError as error:
        raise Trouble(str(error), error.remedy) from None


def _moment(spec: ProtocolSpec, written: str | None) -> datetime:
    if written is None:
        return datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        return to_utc(written, ZoneInfo(spec.time_zone))
    except (ValueError, OverflowError) as error:
        message, _, remedy = str(error).partition("; ")
        raise Trouble(message, remedy or "write it as 2026-12-01 14:05", USAGE) from None
