"""`holdfast protocol prove` and `tables`: what holds of a protocol in every episode, and what speaks against it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.progress import Progress
from cli.shelf import protocol_file
from protocol.findings import did_you_mean
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document, read_file
from protocol_specs.located import SpecErrors

if TYPE_CHECKING:
    from proof.verdicts import Proof
    from protocol.explain import Explanation
    from rehearsal.coverage import Spot
    from rehearsal.scenario import Scenario

Spec = Annotated[str, typer.Argument(help="A protocol's name, or the path of its file.", show_default=False)]
MARKS = {"proved": "proved ", "refuted": "REFUTED", "open": "NOT PROVED"}
MINUTE = 60


def prove(
    spec: Spec,
    out: Annotated[Path | None, typer.Option(help="Save each counterexample here, as a scenario file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a protocol is safe in every episode, or show an episode in which it is not.

    Ends with 1 unless everything was proved.
    """
    from proof.prove import prove as prove_spec

    document = read_file(protocol_file(spec))
    protocol = document.validate(ProtocolSpec)
    began = time.monotonic()
    with Progress(wanted=not as_json) as progress:
        proof = prove_spec(
            protocol,
            lambda claim: progress.done(f"  {MARKS[claim.verdict]} {claim.title}"),
            datetime.now(UTC).date(),
            lambda visited: progress.now(f"  {visited:,} configurations, {time.monotonic() - began:.0f} s"),
        )
    seconds = time.monotonic() - began
    saved = save(proof.counterexamples, out) if out is not None else []
    if as_json:
        say_json({**proof.as_object(), "seconds": round(seconds, 3), "saved": [str(file) for file in saved]})
    else:
        _show(document, protocol, proof, seconds)
        for file in saved:
            say(f"saved {file}: fails until the protocol is mended")
    if not proof.proved:
        raise typer.Exit(FOUND)


def save(scenarios: tuple[Scenario, ...], folder: Path) -> list[Path]:
    """Write scenarios into a folder, each under its name."""
    from protocol_specs.writing import yaml_text

    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for scenario in scenarios:
        files.append(folder / f"{scenario.scenario}.yaml")
        files[-1].write_text(
            yaml_text(scenario.model_dump(mode="json", exclude_unset=True, exclude_none=True)), "utf-8"
        )
    return files


def _show(document: Document, spec: ProtocolSpec, proof: Proof, seconds: float) -> None:
    say(f"{spec.title}, version {spec.version}\n")
    for claim in proof.claims:
        say(f"{MARKS[claim.verdict]}  {claim.title}\n         {claim.how}")
        for located in document.locate(doubt.finding for doubt in claim.doubts):
            say(f"  {located}")
    _tell(spec, proof)
    _paging(spec, proof)
    done = sum(claim.verdict == "proved" for claim in proof.claims)
    speed = f", {proof.steps / seconds:,.0f} a second" if seconds > 0 and proof.steps else ""
    say(
        f"\n{done} of {len(proof.claims)} claims proved: {proof.explored} configurations, "
        f"{proof.steps} macro steps of the core in {seconds:.1f} s{speed}."
    )
    say("PROVED" if proof.proved else "NOT PROVED")


def _tell(spec: ProtocolSpec, proof: Proof) -> None:
    from rehearsal.rehearse import rehearse
    from rehearsal.transcript import transcript

    for scenario in proof.counterexamples:
        say(f"\n{transcript(rehearse(spec, scenario))}")


def _paging(spec: ProtocolSpec, proof: Proof) -> None:
    if proof.paging:
        say("\nAt worst, after the risk rises, if nobody acknowledges:")
    for one in proof.paging:
        if one.paged is None or one.last_rung is None:
            say(f"  {one.level}: nobody is surely paged because of it")
            continue
        paged = "at once" if one.paged == 0 else f"after {one.paged // MINUTE} min"
        title = spec.obligations[one.by].title
        role = spec.roles[one.role].title if one.role in spec.roles else one.role
        say(f"  {one.level}: somebody is paged {paged} ({title}); {role} after {one.last_rung // MINUTE} min")


def tables(
    spec: Spec,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="A table, or a decision that one advises; all of them if not."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain decision tables: what each row decides, gaps, overlaps, and what counts while something is unknown.

    Ends with 1 when a table has a gap, a contradiction or a row for nothing.
    """
    from protocol.explain import as_text

    document = read_file(protocol_file(spec)).validate(ProtocolSpec)
    explained = _explained(document, _table(document, name) if name else None)
    if as_json:
        told = [one.as_object() for one in explained]
        say_json(told[0] if name else told)
    else:
        say("\n\n".join(map(as_text, explained)) if explained else f"{document.protocol} has no table.")
    if not all(one.sound for one in explained):
        raise typer.Exit(FOUND)


def _table(spec: ProtocolSpec, name: str) -> str:
    decision = spec.decisions.get(name)
    advice = decision.advice if decision is not None else None
    if name in spec.tables or advice is not None:
        return advice or name
    raise Trouble(f"{spec.protocol} has no table {name}", did_you_mean(name, [*spec.tables, *spec.decisions]), USAGE)


def _explained(spec: ProtocolSpec, name: str | None) -> list[Explanation]:
    from protocol.explain import explain, explain_all

    explained: list[Explanation] = []
    for table, told in ({name: explain(spec, name)} if name else explain_all(spec)).items():
        if told is None:
            raise Trouble(f"the rows of {table} can't be compared case by case", "`holdfast protocol lint` says why")
        explained.append(told)
    return explained


def generate(
    spec: Spec,
    out: Annotated[Path, typer.Option(help="The folder for the scenario files.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="The folder may hold scenarios already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make scenarios that go through every way, rule, row, option, obligation, rung and refusal of a protocol.

    They hold what the protocol does today. Ends with 1 when something is left that none of them goes through.
    """
    from proof.generating import generate as generate_all
    from protocol.check import check
    from protocol.findings import dotted
    from rehearsal.coverage import as_text, spots_of

    document = read_file(protocol_file(spec))
    protocol = document.validate(ProtocolSpec)
    if errors := [one for one in check(protocol) if one.severity == "error"]:
        raise SpecErrors(document.locate(errors))
    taken = sorted(out.glob("*.yaml"))
    if taken and not overwrite:
        raise Trouble(f"{taken[0]} exists already", "choose an empty folder, or add --overwrite", USAGE)
    tried, places = 0, len(spots_of(protocol))
    with Progress(wanted=not as_json) as progress:

        def told(spot: Spot, _reached: bool) -> None:
            nonlocal tried
            tried += 1
            progress.now(f"  {tried} of {places} places: {spot.text}")

        generated = generate_all(protocol, told)
    saved = save(generated.scenarios, out)
    left = [{"path": dotted(one.spot.path), "text": one.spot.text, "why": one.why} for one in generated.missed]
    if as_json:
        covered = generated.coverage.as_object()
        say_json({"saved": [str(file) for file in saved], "coverage": covered, "missed": left})
    else:
        say(f"{len(saved)} scenarios saved in {out}\n\n{as_text(generated.coverage)}")
        for one in left:
            say(f"  {one['path']}: {one['why']}")
    if left:
        raise typer.Exit(FOUND)
