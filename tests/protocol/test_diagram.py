"""The picture of a protocol: kept as it is, safe, told in words, readable in light and dark."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.diagram import chart, draw_mermaid, due_in_words, in_words
from protocol.drawing import CHARACTER, COLOURS, draw_svg, escape, wrap
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load, load_protocol

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "specs"
SHIPPED = [path for path in sorted((ROOT / "protocol_specs").glob("*.yaml")) if path.stem not in ("directory", "rota")]


@cache
def minimal() -> ProtocolSpec:
    return load_protocol(GOLDEN / "minimal.yaml")


def changed(**changes: object) -> ProtocolSpec:
    return minimal().model_copy(update=changes)


def test_the_picture_stays_as_it_is() -> None:
    assert draw_svg(minimal()) == (GOLDEN / "minimal.svg").read_text(encoding="utf-8")


def test_the_mermaid_text_stays_as_it_is() -> None:
    assert draw_mermaid(minimal()) == (GOLDEN / "minimal.mmd").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_protocol_can_be_drawn(path: Path) -> None:
    spec = load(path, ProtocolSpec)
    words = "".join(ET.fromstring(draw_svg(spec)).itertext())
    for stage in spec.stages.values():
        assert stage.title in words


def test_it_is_told_in_words() -> None:
    drawn = ET.fromstring(draw_svg(minimal()))
    space = "{http://www.w3.org/2000/svg}"
    labels = drawn.attrib["aria-labelledby"].split()
    told = [drawn.find(f"{space}{tag}") for tag in ("title", "desc")]
    assert [one is not None and one.attrib["id"] for one in told] == labels
    assert drawn.attrib["role"] == "img"
    assert in_words(chart(minimal())) == (
        "Stages in order: Talk, Settle, Follow-up. Talk leads to Settle; Settle leads to Follow-up; "
        "Emergency leads to Settle. From every stage Emergency is one act away and begins by itself at imminent risk. "
        "It is always possible to go back to an earlier stage. "
        "The episode ends in Closed, only when nothing is owed any more."
    )


HOSTILE = '</style><script>alert(1)</script>"]; click a "javascript:x" &amp; <img onerror=x>'


def test_texts_stay_texts() -> None:
    stages = {
        name: stage.model_copy(update={"title": HOSTILE, "purpose": HOSTILE, "leave_needs": HOSTILE})
        for name, stage in minimal().stages.items()
    }
    drawn = ET.fromstring(draw_svg(changed(title=HOSTILE, stages=stages)))
    assert {element.tag.rpartition("}")[2] for element in drawn.iter()} == {
        *("svg", "title", "desc", "style", "rect", "circle", "path", "text", "g")
    }
    text = draw_mermaid(changed(title=HOSTILE, stages=stages))
    assert "<script>" not in text
    assert all(line.count('"') in (0, 2) for line in text.splitlines())


def test_styles_hold_only_inside_the_picture() -> None:
    style = re.search(r"<style>\n(.*)</style>", draw_svg(minimal()), re.DOTALL)
    assert style is not None
    for line in style[1].splitlines():
        assert line.removeprefix("@media (prefers-color-scheme:dark){").startswith(".hf-diagram"), line


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *(("ink", "card"), ("ink", "page"), ("ink", "alarm-card"), ("muted", "card"), ("muted", "page")),
        *(("muted", "alarm-card"), ("accent", "chip"), ("alarm", "alarm-card"), ("card", "accent"), ("card", "alarm")),
    ],
)
def test_texts_can_be_read(text: str, ground: str, scheme: int) -> None:
    """WCAG 2.2 AA: a contrast of at least 4.5."""
    darker, lighter = sorted((luminance(COLOURS[text][scheme]), luminance(COLOURS[ground][scheme])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_way_that_skips_a_stage_goes_around() -> None:
    talk = minimal().stages["talk"].model_copy(update={"next": ("settle", "follow_up")})
    with_detour = draw_svg(changed(stages={**minimal().stages, "talk": talk}))
    ways = 'class="way"'
    assert with_detour.count(ways) == draw_svg(minimal()).count(ways) + 1


def test_a_protocol_without_an_emergency_is_not_drawn() -> None:
    stages = {name: stage for name, stage in minimal().stages.items() if stage.kind != "emergency"}
    with pytest.raises(ValueError, match="needs an open, an emergency and a closed stage"):
        draw_svg(changed(stages=stages))


@pytest.mark.parametrize(
    ("obligation", "words"),
    [
        ("talk_limit", "2 h"),
        ("emergency_help", "10 min"),
        ("call_back", "24 to 72 h"),
        ("follow_up_limit", "7 days"),
        ("agreed_call", "as agreed, ≤ 24 h"),
        ("letter", "2 working days"),
    ],
)
def test_due_times_in_words(obligation: str, words: str) -> None:
    assert due_in_words(minimal().obligations[obligation]) == words


@pytest.mark.parametrize(
    ("due", "words"), [("1h", "1 h"), ("0d", "same day"), ("1d", "by next day"), ("1wd", "1 working day")]
)
def test_single_units_in_words(due: str, words: str) -> None:
    assert due_in_words(minimal().obligations["letter"].model_copy(update={"due": due})) == words


@given(st.text(max_size=300), st.integers(60, 600))
def test_lines_fit(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(len(line) <= max(8, width / CHARACTER) for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(max_size=100))
def test_escaped_text_is_read_back(text: str) -> None:
    printable = "".join(letter for letter in text if letter.isprintable())
    assert ET.fromstring(f'<a b="{escape(printable)}">{escape(printable)}</a>').text in (printable, None)
