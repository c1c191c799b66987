"""The load of a population as a picture: pages and acts by role and hour, missed deadlines by kind.

Drawn in black and white, so that it prints; told in words as well. The same load always gives the same SVG.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol.drawing import escape
from protocol.words import Words
from rehearsal.population import HOURS, Load

WIDTH = 960
LEFT, RIGHT = 210, 900
ROW, BARS = 74, 44
"""Height of a role's row, and of its highest bar."""
TOP = 132
SLOT = (RIGHT - LEFT) / HOURS
LINE = 24
MOST_KINDS = 20
"""Kinds of obligations that are drawn; the table has all."""

STYLE = (
    "text{font:13px system-ui,Segoe UI,Arial,sans-serif;fill:#000}.title{font-size:20px;font-weight:600}"
    ".small{font-size:11px}.num{text-anchor:end}.mid{text-anchor:middle}.page{fill:#000}"
    ".act{fill:#fff;stroke:#000;stroke-width:1}.base{stroke:#000;stroke-width:1}.grid{stroke:#999;stroke-dasharray:2 3}"
    ".met{fill:#fff;stroke:#000}"
)


def draw_load(load: Load) -> str:
    """The picture as a document of its own."""
    kinds = missed_kinds(load)
    roles = load.roles()
    middle = TOP + len(roles) * ROW
    height = middle + 114 + min(len(kinds), MOST_KINDS + 1) * LINE
    body = [*_head(load), *_roles(load, roles), *_hours(middle), *_missed(load, kinds, middle + 60)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="hf-load-title hf-load-words">\n'
        f'<title id="hf-load-title">{escape(_title(load))}</title>\n'
        f'<desc id="hf-load-words">{escape(in_words(load))}</desc>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def missed_kinds(load: Load) -> list[str]:
    """Kinds of obligations that were missed, the most often missed first."""
    return sorted(load.missed, key=lambda name: (-load.missed[name], name))


def in_words(load: Load) -> str:
    """What the picture shows, for whoever can't see it."""
    words = Words(load.spec)
    parts = [f"Pages and acts for each 100 of {load.episodes} made-up episodes."]
    for role in load.roles():
        pages = [load.pages[role, hour] for hour in range(HOURS)]
        busiest = max(range(HOURS), key=lambda hour: (pages[hour], -hour))
        told = f"{_per_hundred(load, sum(pages))} pages"
        parts.append(f"{words.role(role)}: {told}" + (f", most at {busiest:02d}:00." if any(pages) else "."))
    for name in missed_kinds(load)[:MOST_KINDS]:
        parts.append(f"{words.obligation(name)}: missed {load.missed[name]} of {load.opened[name]}.")
    return " ".join(parts)


def _title(load: Load) -> str:
    return f"{load.spec.title}: load and missed deadlines"


def _per_hundred(load: Load, count: int) -> str:
    return f"{count * 100 / max(1, load.episodes):.1f}"


def _head(load: Load) -> Iterator[str]:
    grade = load.rates.source.grade
    label = "ASSUMPTIONS, not facts: needs local data" if grade == "P" else f"rates of grade {grade}"
    yield _text(24, 38, _title(load), "title")
    yield _text(24, 60, f"{load.episodes} made-up episodes, seed {load.seed}, version {load.spec.version}. "
                        f"Rates: {load.rates.title} [{grade}] — {label}.")  # fmt: skip
    yield _text(24, 80, "By role and hour of the day (local time), for each 100 episodes; each role has its own scale.")
    yield f'<rect class="page" x="24" y="94" width="12" height="12"/>{_text(42, 105, "pages")}'
    yield f'<rect class="act" x="100" y="94" width="12" height="12"/>{_text(118, 105, "acts of people")}'


def _roles(load: Load, roles: list[str]) -> Iterator[str]:
    words = Words(load.spec)
    for place, role in enumerate(roles):
        base = TOP + place * ROW + BARS
        pages = [load.pages[role, hour] for hour in range(HOURS)]
        acts = [load.acts[role, hour] for hour in range(HOURS)]
        most = max(*pages, *acts, 1)
        yield _text(24, base - 22, words.role(role))
        yield _text(
            24, base - 6, f"{_per_hundred(load, sum(pages))} pages, {_per_hundred(load, sum(acts))} acts", "small"
        )
        yield _text(LEFT - 8, base - BARS + 10, _per_hundred(load, most), "small num")
        for hour in range(HOURS):
            x = LEFT + hour * SLOT
            yield _bar("page", x + 3, base, pages[hour] / most)
            yield _bar("act", x + 3 + SLOT / 2 - 2, base, acts[hour] / most)
        yield f'<line class="base" x1="{LEFT}" y1="{base}" x2="{RIGHT}" y2="{base}"/>'


def _bar(kind: str, x: float, base: int, share: float) -> str:
    height = BARS * share
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{base - height:.1f}" width="{SLOT / 2 - 4:.1f}" height="{height:.1f}"/>'
    )


def _hours(y: int) -> Iterator[str]:
    for hour in range(0, HOURS, 3):
        yield _text(LEFT + hour * SLOT, y - 8, f"{hour:02d}:00", "small")


def _missed(load: Load, kinds: list[str], y: int) -> Iterator[str]:
    words = Words(load.spec)
    yield _text(24, y, "Missed deadlines: share of those that were opened" if kinds else "No deadline was missed.", "")
    for place, name in enumerate(kinds[:MOST_KINDS]):
        at = y + 24 + place * LINE
        share = load.missed[name] / max(1, load.opened[name])
        title = words.obligation(name)
        yield _text(24, at, title if len(title) <= 58 else f"{title[:57]}…")
        yield f'<rect class="met" x="480" y="{at - 11}" width="300" height="12"/>'
        yield f'<rect class="page" x="480" y="{at - 11}" width="{300 * min(1.0, share):.1f}" height="12"/>'
        yield _text(RIGHT, at, f"{load.missed[name]} of {load.opened[name]}", "num")
    if len(kinds) > MOST_KINDS:
        yield _text(
            24, y + 24 + MOST_KINDS * LINE, f"… and {len(kinds) - MOST_KINDS} more kinds; the table has them all"
        )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
