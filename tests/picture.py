"""Draws `docs/images/told.svg` from a told scenario: `python -m tests.picture` after the story has changed."""

from __future__ import annotations

import io
import re
from itertools import dropwhile, takewhile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from protocol_specs.loader import load
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript
from tests.shipped import protocol_in

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "told.svg"
PROTOCOL, SCENARIO = "virtual_iop_crisis", "disconnect_at_imminent_risk"
FIRST, AFTER_LAST = "14:20     Mara", "14:22"
WIDTH = 102
COLOURS = {
    "RISK": "bold red", "OVERDUE": "bold red", "REFUSED": "bold red", "owed": "yellow", "attempt": "yellow",
    "met": "green", "reached": "green", "page": "cyan", "silent": "cyan", "notice": "magenta",
}  # fmt: skip
QUIET = {"noted", "re-armed"}
LABEL = re.compile(r" {10}([\w-]+) ")


def told() -> str:
    """The scenario that the README shows, as it is told."""
    specs = ROOT / "protocol_specs"
    spec = protocol_in(specs / f"{PROTOCOL}.yaml")
    return transcript(rehearse(spec, load(specs / "scenarios" / PROTOCOL / f"{SCENARIO}.yaml", Scenario)))


def draw(story: str) -> str:
    """The picture of the most urgent minutes of a story: no script, no outside font."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    lines = dropwhile(lambda line: not line.startswith(FIRST), story.splitlines())
    label = ""
    for line in takewhile(lambda line: not line.startswith(AFTER_LAST), lines):
        found = LABEL.match(line)
        label = found[1] if found else label if line.startswith(" ") else ""
        console.print(_coloured(line, label, bool(found)), no_wrap=True, crop=False, overflow="ignore")
    template = re.sub(r"@font-face \{\{.*?\}\}\s*|<!--.*?-->\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = template.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    title = f"holdfast protocol test {PROTOCOL} {SCENARIO} --tell"
    return console.export_svg(title=title, code_format=template, unique_id="holdfast").replace("\u00a0", "&#160;")


def _coloured(line: str, label: str, begins: bool) -> Text:
    text = Text(line)
    text.stylize("dim" if label in QUIET else "white", len(line) - len(line.lstrip()))
    if not line.startswith(" "):
        text.stylize("bold", 0, 10)
    if "»" in line:
        text.stylize("italic")
    if label in COLOURS:
        colour = COLOURS[label]
        whole = colour.startswith("bold")
        text.stylize(colour, 10, None if whole else 20 if begins else 10)
    return text


if __name__ == "__main__":
    PICTURE.write_text(draw(told()), encoding="utf-8")
