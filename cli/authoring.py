"""`holdfast protocol new` and `fmt`: beginning a protocol, and keeping its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.configuration import settings
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.shelf import protocol_file, protocol_files, scenario_files
from protocol.findings import did_you_mean
from protocol_specs.loader import contents, load_protocol
from protocol_specs.schema import MODELS, schema_text
from protocol_specs.starting import copied, may_be_named, of_template, templates, tidied, with_modeline

Spec = Annotated[str, typer.Argument(help="A protocol's name, or the path of its file.", show_default=False)]


def new(
    name: Annotated[str, typer.Argument(help="Its name: lower-case words joined by underscores.", show_default=False)],
    template: Annotated[
        str, typer.Option("--from", help="`starter`, or a protocol (name or path) to begin with a copy of.")
    ] = "starter",
    folder: Annotated[Path, typer.Option("--in", help="Where to write it.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Begin a protocol: a small one that is complete and clean, with a scenario and schemas for your editor."""
    if not may_be_named(name):
        raise Trouble(f"{name[:60]!r} can't be the name of a protocol", "write it like evening_line", USAGE)
    files = {folder / path: text for path, text in _files(name, template).items()}
    if taken := [path for path in files if path.exists() and not path.name.endswith(".schema.json")]:
        raise Trouble(f"{taken[0]} exists already", "choose another name, or another folder with --in", USAGE)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text, "utf-8")
    written = folder / f"{name}.yaml"
    if as_json:
        say_json({"protocol": name, "written": [str(path) for path in files]})
        return
    say("\n".join(f"Written: {path}" for path in files))
    say(f"\nNext: change {written}, then `holdfast protocol lint {written}` and `holdfast protocol test {written}`.")


def _files(name: str, template: str) -> dict[str, str]:
    """What to write, by path within the folder. Raises Trouble for an unknown template."""
    known = templates()
    text, scenarios = of_template(template, name) if template in known else _of_protocol(name, template, known)
    written = {f"{name}.yaml": with_modeline(text, "protocol")}
    written |= {f"scenarios/{name}/{one}.yaml": told for one, told in scenarios.items()}
    return written | {f"{model}.schema.json": schema_text(model) for model in MODELS}


def _of_protocol(name: str, template: str, known: list[str]) -> tuple[str, dict[str, str]]:
    try:
        file = protocol_file(template)
    except Trouble:
        others = [*known, *(path.stem for path in protocol_files(settings().protocols))]
        raise Trouble(f"there is no template {template}", did_you_mean(template, others), USAGE) from None
    load_protocol(file)
    beside = {path.stem: path.read_text("utf-8") for path in scenario_files(file, [])}
    return copied(file.read_text("utf-8"), beside, name)


def fmt(
    spec: Spec,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; end with 1 when it would.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a protocol into the canonical layout: keys in the order of the schema, two spaces a level, comments kept.

    What it says stays the same to the last word, and so does its content hash.
    """
    file = protocol_file(spec)
    before = contents(file)
    after = tidied(before, str(file))
    changed = after != before.decode("utf-8-sig")
    if changed and not check:
        file.write_text(after, "utf-8")
    if as_json:
        say_json({"file": str(file), "changed": changed, "written": changed and not check})
    else:
        say(
            f"{file}: " + ("has another layout" if check else "laid out anew")
            if changed
            else f"{file}: as it should be"
        )
    if changed and check:
        raise typer.Exit(FOUND)
