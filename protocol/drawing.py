"""The picture of a protocol: a spine of stages, the emergency beside it. The same protocol always gives the same SVG.

Colours are custom properties that a page may set; without one the picture follows the reader's light or dark scheme.
Nothing measures fonts: widths are estimated on the generous side, and texts wrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.diagram import Card, Chart, chart, in_words
from protocol.spec import ProtocolSpec

WIDTH = 1000
SPINE, SPINE_WIDTH = 112, 500
SIDE, SIDE_WIDTH = 704, 272
BUS = 658
"""Where the lines from all stages to the emergency meet."""
TOP = 112
GAP = 46
PADDING = 20
LINE = 20
CHARACTER = 7.3
"""Estimated width of a character of ordinary text."""

COLOURS = {
    "ink": ("#1d2a2f", "#e4ecee"),
    "muted": ("#566970", "#a2b4ba"),
    "line": ("#b4c2c6", "#46565c"),
    "page": ("#f7f6f2", "#11181b"),
    "card": ("#ffffff", "#1a2327"),
    "accent": ("#23685b", "#84cdb9"),
    "chip": ("#e6f0ec", "#22352f"),
    "alarm": ("#9d2f36", "#f29a98"),
    "alarm-card": ("#fdf3f2", "#2a1c1e"),
}
"""In the light and in the dark scheme. A page may set `--hf-ink` and so on to its own."""

RULES = {
    "text": "fill:@ink;font-size:14px;"
    'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif',
    ".page": "fill:@page",
    ".card": "fill:@card;stroke:@line;stroke-width:1",
    ".alarm-card": "fill:@alarm-card;stroke:@alarm;stroke-width:1.5",
    ".heading": "font-size:24px;font-weight:650",
    ".title": "font-size:17px;font-weight:650",
    ".muted": "fill:@muted;font-size:13px",
    ".number": "fill:@card;font-size:13px;font-weight:650;text-anchor:middle",
    ".chip": "fill:@chip",
    ".alarm-chip": "fill:none;stroke:@alarm;stroke-width:1",
    ".due": "fill:@accent;font-size:12.5px;font-weight:600;text-anchor:middle",
    ".rule": "stroke:@line;stroke-width:1",
    ".dot": "fill:@accent",
    ".ring": "fill:none;stroke:@muted;stroke-width:1.4",
    ".way": "fill:none;stroke:@accent;stroke-width:2",
    ".back": "fill:none;stroke:@muted;stroke-width:1.6;stroke-dasharray:5 5",
    ".call": "fill:none;stroke:@alarm;stroke-width:1.6",
    ".back-tip": "fill:@muted",
    ".call-tip": "fill:@alarm",
    ".alarm .due": "fill:@alarm",
    ".alarm .dot": "fill:@alarm",
}
"""`@ink` stands for a colour. They hold only inside the picture, also when it is part of a page."""


@dataclass
class Box:
    """A drawn card and where it stands."""

    card: Card
    x: int
    y: int
    width: int
    height: int = 0
    marks: list[str] = field(default_factory=list[str])

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> int:
        return self.y + self.height // 2

    @property
    def right(self) -> int:
        return self.x + self.width


def draw_svg(spec: ProtocolSpec) -> str:
    """The picture as a document of its own. Raises ValueError for a protocol without emergency and closed stage."""
    drawn = chart(spec)
    boxes: list[Box] = []
    y = TOP
    for number, card in enumerate(drawn.open, 1):
        box = _box(card, SPINE, y, SPINE_WIDTH, str(number))
        boxes.append(box)
        y = box.bottom + GAP
    alarm = _box(drawn.emergency, SIDE, TOP, SIDE_WIDTH, "!", alarm=True)
    end = y + 8
    height = max(end + 64, alarm.bottom + 150) + 56
    parts = [
        *_heading(drawn, height),
        *_ways(boxes, drawn),
        *_emergency_lines(boxes, alarm, drawn),
        *_end(boxes, drawn, end),
        *(mark for box in (*boxes, alarm) for mark in box.marks),
        *_legend(height),
    ]
    return _document(drawn, height, parts)


def _document(drawn: Chart, height: int, parts: list[str]) -> str:
    prefix = f"hf-{drawn.protocol}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hf-diagram" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{prefix}-title {prefix}-words">\n'
        f'<title id="{prefix}-title">{escape(drawn.title)}</title>\n'
        f'<desc id="{prefix}-words">{escape(in_words(drawn))}</desc>\n'
    )
    return f"{head}<style>\n{_style()}</style>\n" + "\n".join(parts) + "\n</svg>\n"


def _style() -> str:
    """The style sheet. A plain colour stands before each property, for readers that know no custom ones."""

    def scheme(number: int) -> str:
        return ";".join(f"--{name}:var(--hf-{name},{both[number]})" for name, both in COLOURS.items())

    lines = [
        f".hf-diagram{{{scheme(0)}}}",
        f"@media (prefers-color-scheme:dark){{.hf-diagram{{{scheme(1)}}}}}",
    ]
    for selector, declarations in RULES.items():
        written = ";".join(map(_declaration, declarations.split(";")))
        lines.append(f".hf-diagram {selector}{{{written}}}")
    return "\n".join(lines) + "\n"


def _declaration(text: str) -> str:
    key, _, value = text.partition(":")
    if not value.startswith("@"):
        return text
    return f"{key}:{COLOURS[value[1:]][0]};{key}:var(--{value[1:]})"


def _heading(drawn: Chart, height: int) -> list[str]:
    return [
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(SPINE, 50, drawn.title, "heading"),
        _text(SPINE, 76, f"Version {drawn.version}", "muted"),
    ]


def _box(card: Card, x: int, y: int, width: int, sign: str, *, alarm: bool = False) -> Box:
    """A card with its texts, from top to bottom; its height follows from them."""
    box = Box(card, x, y, width)
    inner, at = x + PADDING, y + 32
    marks = [
        f'<circle class="{"call-tip" if alarm else "dot"}" cx="{inner + 11}" cy="{at - 6}" r="12"/>',
        _text(inner + 11, at - 1, sign, "number"),
    ]
    for line in wrap(card.title, width - 2 * PADDING - 34, 1.25):
        marks.append(_text(inner + 34, at, line, "title"))
        at += 22
    for line in wrap(card.purpose, width - 2 * PADDING - 34):
        marks.append(_text(inner + 34, at, line, "muted"))
        at += 18
    at += 8
    at = _work(marks, card, inner, at, width - 2 * PADDING)
    at = _deadlines(marks, card, inner, at, width - 2 * PADDING, alarm)
    if card.leave:
        for line in wrap(f"To leave: {card.leave}", width - 2 * PADDING):
            marks.append(_text(inner, at, line, "muted"))
            at += 18
        at += 2
    box.height = at - y - 6
    kind = ("alarm-card", ' class="alarm"') if alarm else ("card", "")
    shape = f'<rect class="{kind[0]}" x="{x}" y="{y}" width="{width}" height="{box.height}" rx="14"/>'
    box.marks = [f"<g{kind[1]}>", shape, *marks, "</g>"]
    return box


def _work(marks: list[str], card: Card, x: int, at: int, width: int) -> int:
    for work in card.work:
        sign = "dot" if work.certain else "ring"
        marks.append(f'<circle class="{sign}" cx="{x + 11}" cy="{at - 5}" r="{3.5 if work.certain else 3.2}"/>')
        for line in wrap(work.title, width - 34):
            marks.append(_text(x + 34, at, line))
            at += LINE
    if card.by_type:
        marks.append(_text(x + 34, at, f"and {card.by_type} more by crisis type", "muted"))
        at += LINE
    return at + 4 if card.work or card.by_type else at


def _deadlines(marks: list[str], card: Card, x: int, at: int, width: int, alarm: bool) -> int:
    if not card.deadlines:
        return at
    marks.append(f'<path class="rule" d="M{x} {at - 10}h{width}"/>')
    at += 14
    chips = {deadline.due: max(54, _width(deadline.due, 0.95) + 18) for deadline in card.deadlines}
    beside = max(chips.values()) + 12
    for deadline in card.deadlines:
        chip, shape = chips[deadline.due], "alarm-chip" if alarm else "chip"
        marks.append(f'<rect class="{shape}" x="{x}" y="{at - 15}" width="{chip}" height="21" rx="10.5"/>')
        marks.append(_text(x + chip // 2, at, deadline.due, "due"))
        for line in wrap(deadline.title, width - beside):
            marks.append(_text(x + beside, at, line))
            at += LINE
        at += 6
    return at + 4


def _ways(boxes: list[Box], drawn: Chart) -> list[str]:
    """Forward between neighbours, around the left side to others, and back to any earlier stage."""
    by_name = {box.card.name: box for box in boxes}
    middle = SPINE + SPINE_WIDTH // 2
    marks = [f'<circle class="dot" cx="{middle}" cy="{TOP - 26}" r="6"/>', _arrow(middle, TOP - 20, TOP)]
    aside = 0
    for number, box in enumerate(boxes):
        for target in box.card.next:
            other = by_name[target]
            if number + 1 < len(boxes) and other is boxes[number + 1]:
                marks.append(_arrow(middle, box.bottom, other.y))
            else:
                aside += 1
                marks.extend(_around(box, other, SPINE - 22 - 12 * min(aside, 4)))
    if len(boxes) > 1:
        marks.extend(_going_back(boxes))
    return marks


def _arrow(x: int, top: int, bottom: int) -> str:
    return f'<path class="way" d="M{x} {top}V{bottom - 8}"/>{_tip(x, bottom, "dot")}'


def _tip(x: int, y: int, kind: str) -> str:
    """An arrow head that points down to (x, y)."""
    return f'<path class="{kind}" d="M{x - 6} {y - 10}h12l-6 10z"/>'


def _around(box: Box, other: Box, x: int) -> list[str]:
    start, goal = box.middle + 14, other.middle - 14
    turn = 14 if goal > start else -14
    path = (
        f"M{box.x} {start}H{x + 14}Q{x} {start} {x} {start + turn}"
        f"V{goal - turn}Q{x} {goal} {x + 14} {goal}H{other.x - 8}"
    )
    return [
        f'<path class="way" d="{path}"/>',
        f'<path class="dot" d="M{other.x - 10} {goal - 6}v12l10 -6z"/>',
    ]


def _going_back(boxes: list[Box]) -> list[str]:
    x, top, bottom = 34, boxes[0].y + 20, boxes[-1].middle
    label = (top + bottom) // 2
    return [
        f'<path class="back" d="M{boxes[-1].x} {bottom}H{x + 14}Q{x} {bottom} {x} {bottom - 14}'
        f'V{top + 14}Q{x} {top} {x + 14} {top}H{boxes[0].x - 8}"/>',
        f'<path class="back-tip" d="M{boxes[0].x - 10} {top - 6}v12l10 -6z"/>',
        f'<text class="muted" text-anchor="middle" transform="translate({x - 10} {label}) rotate(-90)">'
        "back to any earlier stage</text>",
    ]


def _emergency_lines(boxes: list[Box], alarm: Box, drawn: Chart) -> list[str]:
    """From every stage to the emergency, and from there back to the stages that may follow."""
    entry = alarm.y + 26
    lowest = max(box.y + 26 for box in boxes)
    marks = [f'<path class="call" d="M{box.right} {box.y + 26}H{BUS}"/>' for box in boxes]
    marks.append(f'<path class="call" d="M{BUS} {min(boxes[0].y + 26, entry)}V{lowest}"/>')
    marks.append(f'<path class="call" d="M{BUS} {entry}H{alarm.x - 8}"/>')
    marks.append(f'<path class="call-tip" d="M{alarm.x - 10} {entry - 6}v12l10 -6z"/>')
    note = alarm.bottom + 26
    for line in wrap(f"One act from every stage; by itself at {drawn.level} risk.", SIDE_WIDTH):
        marks.append(_text(SIDE, note, line, "muted"))
        note += 18
    followers = [box for box in boxes if box.card.name in alarm.card.next]
    for number, box in enumerate(followers):
        marks.extend(_follows(alarm, box, number, len(followers)))
    return marks


def _follows(alarm: Box, box: Box, number: int, count: int) -> list[str]:
    """The way from the emergency into a stage, in its own lane between the two columns."""
    lane = BUS + 14 + 10 * (number % 3)
    leave = alarm.bottom - 22 - 14 * min(count - 1 - number, 4)
    goal = max(box.y + 48, box.bottom - 22)
    if abs(goal - leave) < 24:
        return [f'<path class="way" d="M{alarm.x} {leave}H{box.right + 8}"/>', _tip_left(box.right, leave)]
    turn = 10 if goal > leave else -10
    path = (
        f"M{alarm.x} {leave}H{lane + 10}Q{lane} {leave} {lane} {leave + turn}"
        f"V{goal - turn}Q{lane} {goal} {lane - 10} {goal}H{box.right + 8}"
    )
    return [f'<path class="way" d="{path}"/>', _tip_left(box.right, goal)]


def _tip_left(x: int, y: int) -> str:
    """An arrow head that points left to (x, y)."""
    return f'<path class="dot" d="M{x + 10} {y - 6}v12l-10 -6z"/>'


def _end(boxes: list[Box], drawn: Chart, y: int) -> list[str]:
    middle = SPINE + SPINE_WIDTH // 2
    width = max(180, _width(drawn.closed.title, 1.25) + 60)
    return [
        _arrow(middle, boxes[-1].bottom, y),
        f'<rect class="card" x="{middle - width // 2}" y="{y}" width="{width}" height="40" rx="20"/>',
        f'<text class="title" text-anchor="middle" x="{middle}" y="{y + 26}">{escape(drawn.closed.title)}</text>',
        f'<text class="muted" x="{middle + 14}" y="{y - 18}">from any stage, when nothing is owed any more</text>',
    ]


def _legend(height: int) -> list[str]:
    y = height - 26
    return [
        f'<circle class="dot" cx="{SPINE + 4}" cy="{y - 4}" r="3.5"/>',
        _text(SPINE + 14, y, "always required", "muted"),
        f'<circle class="ring" cx="{SPINE + 134}" cy="{y - 4}" r="3.2"/>',
        _text(SPINE + 144, y, "optional, or in some cases", "muted"),
        f'<rect class="chip" x="{SPINE + 322}" y="{y - 14}" width="38" height="19" rx="9.5"/>',
        _text(SPINE + 341, y, "24 h", "due"),
        _text(SPINE + 368, y, "owed from entering the stage, due by then", "muted"),
    ]


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    chosen = f' class="{kind}"' if kind else ""
    return f'<text{chosen} x="{x}" y="{y}">{escape(text)}</text>'


def _width(text: str, scale: float = 1.0) -> int:
    return round(len(text) * CHARACTER * scale)


def wrap(text: str, width: int, scale: float = 1.0) -> list[str]:
    """Break a text into lines that fit; a word that is too long for a line is broken too."""
    most = max(8, int(width / (CHARACTER * scale)))
    lines: list[str] = []
    for word in text.split():
        while len(word) > most:
            lines.append(word[:most])
            word = word[most:]
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def escape(text: str) -> str:
    """Text that is safe inside an element or an attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
