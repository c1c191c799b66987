"""Beginning a protocol: from a template, or as a copy of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from protocol.spec import ProtocolSpec
from protocol_specs.layout import laid_out_from
from protocol_specs.loader import NOT_PROTOCOLS, Document, read_yaml
from protocol_specs.located import SpecErrors

TEMPLATES = Path(__file__).parent / "templates"
MODELINE = "# yaml-language-server: $schema="
"""An editor with the YAML language server completes and checks what follows this line."""
FIRST_VERSION = "0.1.0"
NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def may_be_named(name: str) -> bool:
    """Whether a protocol may have this name."""
    return NAME.fullmatch(name) is not None and name not in NOT_PROTOCOLS


def templates() -> list[str]:
    """The names of the templates."""
    return sorted(path.name for path in TEMPLATES.iterdir())


def of_template(template: str, name: str) -> tuple[str, dict[str, str]]:
    """The text of a new protocol, and its scenarios by name. Raises KeyError for a template that there is not."""
    if template not in templates():
        raise KeyError(template)
    folder = TEMPLATES / template
    text = (folder / "protocol.yaml").read_text("utf-8").replace("NAME", name).replace("SCHEMA", "protocol.schema.json")
    scenario = (folder / "scenario.yaml").read_text("utf-8").replace("NAME", name)
    return text, {str(read_yaml(scenario).data["scenario"]): with_modeline(scenario, "../../scenario")}


def copied(text: str, scenarios: Mapping[str, str], name: str) -> tuple[str, dict[str, str]]:
    """A protocol and its scenarios under another name, as its first version."""
    anew = re.sub(r"(?m)^version: .*$", f"version: {FIRST_VERSION}", renamed(text, name), count=1)
    return anew, {path: renamed(one, name) for path, one in scenarios.items()}


def renamed(text: str, name: str) -> str:
    """A protocol or scenario under another protocol's name."""
    return re.sub(r"(?m)^protocol: .*$", f"protocol: {name}", text, count=1)


def next_version(version: str) -> str:
    """`1.4.2` → `1.5.0`: what a changed protocol may be called."""
    major, minor, *_ = f"{version}.0.0".split(".")
    return f"{major}.{int(minor) + 1}.0"


def revised(text: str, version: str) -> str:
    """A text with this version in place of the one it names."""
    return re.sub(r"(?m)^version: .*$", f"version: {version}", text, count=1)


def with_modeline(text: str, schema: str) -> str:
    """A text that tells editors its schema."""
    return text if text.startswith(MODELINE) else f"{MODELINE}{schema}.schema.json\n{text}"


def tidied(text: str | bytes, file: str = "<text>") -> str:
    """A protocol in its canonical layout, which says the same to the last word. Raises SpecErrors."""
    before = read_yaml(text, file)  # bounds its size, and says what can't be read
    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    laid_out, after = laid_out_from(before, text)
    if laid_out != text and _hash(before) != _hash(after):
        raise AssertionError("the layout changed what the protocol says")
    return laid_out


def _hash(document: Document) -> str:
    """The content hash; empty for a draft that is no protocol yet."""
    try:
        return document.validate(ProtocolSpec).content_hash
    except SpecErrors:
        return ""
