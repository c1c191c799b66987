"""`holdfast protocol …`: what clinical operations do with the documents they own."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.configuration import settings
from cli.lazily import with_places
from cli.output import FOUND, USAGE, AsJson, Trouble, complain_of, say, say_json, warn
from cli.shelf import protocol_file, protocol_files, read_directory, scenario_files
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol
from protocol_specs.located import SpecErrors

ELSEWHERE = {
    "new": "cli.authoring:new",
    "fmt": "cli.authoring:fmt",
    "simulate": "cli.simulate:simulate",
    "prove": "cli.proving:prove",
    "tables": "cli.proving:tables",
    "generate": "cli.proving:generate",
    "submit": "cli.publishing:submit_version",
    "send-back": "cli.publishing:send_version_back",
    "publish": "cli.publishing:publish_version",
    "retire": "cli.publishing:retire_version",
    "versions": "cli.publishing:list_versions",
    "migrate": "cli.migrating:migrate_episodes",
    "whatif": "cli.whatif:whatif",
}
app = typer.Typer(cls=with_places(ELSEWHERE))

Spec = Annotated[str, typer.Argument(help="A protocol's name, or the path of its file.", show_default=False)]


@app.command("list")
def list_protocols(as_json: AsJson = False) -> None:
    """List the protocols that may be opened."""
    from cli.tables import table

    specs = [load_protocol(path) for path in protocol_files(settings().protocols)]
    found = [
        {
            "protocol": spec.protocol,
            "version": spec.version,
            "title": spec.title,
            "hash": spec.content_hash,
            "stages": len(spec.stages),
            "obligations": len(spec.obligations),
        }
        for spec in specs
    ]
    if as_json:
        say_json(found)
        return
    rows = [(spec.protocol, spec.version, spec.title, spec.content_hash[:12]) for spec in specs]
    table("", ("Protocol", "Version", "Title", "Hash"), rows, f"There is no protocol in {settings().protocols}.")


@app.command("show")
def show_protocol(spec: Spec, as_json: AsJson = False) -> None:
    """Show a protocol: its stages with their steps, its deadlines with owner, ladder and source."""
    from cli.booklet import show

    document = load_protocol(protocol_file(spec))
    if as_json:
        say_json(document.model_dump(mode="json", exclude_defaults=True))
    else:
        show(document)


@app.command("lint")
def lint_protocol(spec: Spec, as_json: AsJson = False) -> None:
    """Check a protocol: schema, names, types, reachability. Every finding has its line and a remedy."""
    from protocol_specs.lint import as_object, as_text, lint

    found = lint(protocol_file(spec))
    if as_json:
        say_json([as_object(one) for one in found])
    else:
        say(as_text(found))
    if any(one.finding.severity == "error" for one in found):
        raise typer.Exit(FOUND)


@app.command("test")
def play_scenarios(
    spec: Spec,
    scenarios: Annotated[list[str] | None, typer.Argument(help="Names or paths; all of them when left out.")] = None,
    durable: Annotated[
        bool, typer.Option("--durable", help="Play through the real workflow on a server that skips time.")
    ] = False,
    tell: Annotated[bool, typer.Option("--tell", help="Print each scenario as a story.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Say what of the protocol no scenario has shown yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play the scenarios of a protocol; on the pure core, or with --durable through the real workflow."""
    from cli.testing import show, try_all
    from protocol_specs.suite import covered
    from rehearsal.rehearse import rehearse

    file = protocol_file(spec)
    document = load_protocol(file)
    directory = read_directory(settings())
    files = scenario_files(file, scenarios or [])
    if not files:
        folder = file.parent / "scenarios" / file.stem
        raise Trouble(f"{document.protocol} has no scenarios", f"write one and put it into {folder}")
    play = rehearse
    if durable:
        from cli.durable import perform as play
    results = try_all(document, files, lambda scenario: play(document, scenario, directory))
    show(results, as_json=as_json, tell=tell, coverage=covered(document, results) if coverage else None)
    if not all(result.passed for result in results):
        raise typer.Exit(FOUND)


@app.command("diff")
def compare_protocols(
    old: Annotated[str, typer.Argument(help="The version in use: a name, or the path of its file.")],
    new: Annotated[str, typer.Argument(help="The version to be used: a name, or the path of its file.")],
    as_json: AsJson = False,
) -> None:
    """Say what a new version changes, what became laxer first.

    Ends with 1 when anything became laxer, or may have; with 2 when one of the two has errors and can't be compared.
    """
    from protocol.diff import as_objects, as_text, compare

    former, later = (_sound(one) for one in (old, new))
    if former.protocol != later.protocol:
        warn(f"these are two protocols, {former.protocol} and {later.protocol}, and not two versions of one")
    changes = compare(former, later)
    if as_json:
        say_json(as_objects(changes))
    else:
        say(f"{_titled(former, later)}\n\n{as_text(changes)}")
    if any(one.effect == "laxer" for one in changes):
        raise typer.Exit(FOUND)


def _titled(former: ProtocolSpec, later: ProtocolSpec) -> str:
    """What is compared; the hashes where the versions have one number."""
    if former.protocol != later.protocol:
        return f"{former.protocol} {former.version} → {later.protocol} {later.version}"
    if former.version != later.version or former.content_hash == later.content_hash:
        return f"{later.title}: version {former.version} → {later.version}"
    return f"{later.title}: version {later.version} ({former.content_hash[:12]} → {later.content_hash[:12]})"


def _sound(named: str) -> ProtocolSpec:
    """A protocol without errors. Ends the command with 2 otherwise: 1 would say that something became laxer."""
    try:
        return load_protocol(protocol_file(named))
    except SpecErrors as errors:
        complain_of(errors)
        raise typer.Exit(USAGE) from None


@app.command("schema")
def print_schema(
    document: Annotated[Literal["protocol", "scenario"], typer.Argument(help="What to write.")] = "protocol",
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of a protocol or a scenario, for completion in an editor; it is JSON in any case."""
    from protocol_specs.schema import MODELS, json_schema, schema_text

    if as_json:
        say_json(json_schema(MODELS[document]))
    else:
        say(schema_text(document).rstrip())


@app.command("diagram")
def draw_diagram(
    spec: Spec,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Mermaid text instead of SVG.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the stages of a protocol with their deadlines, as SVG; with --json what the drawing says, as data."""
    from protocol.diagram import chart, draw_mermaid
    from protocol.drawing import draw_svg

    document = load_protocol(protocol_file(spec))
    if as_json:
        say_json(chart(document))
        return
    say((draw_mermaid(document) if mermaid else draw_svg(document)).rstrip())
