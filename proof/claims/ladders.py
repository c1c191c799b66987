"""Claims about ladders: none ends in silence, and none is quieter because its pages reached nobody."""

from __future__ import annotations

from collections.abc import Iterator

from proof.claims.common import Ground
from proof.climbing import Climb
from proof.verdicts import Claim, Doubt, settled
from protocol.elements import elapsed_seconds
from protocol.findings import Finding
from protocol.open_duties import SOON
from protocol.program import Program
from protocol.spec import ProtocolSpec


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    yield never_silent(ground)
    yield never_unheard(ground)


def never_silent(ground: Ground) -> Claim:
    """Each ladder in use was climbed on the core: every rung, and the last one again and again."""
    spec = ground.program.spec
    used: dict[str, list[str]] = {}
    for name, owed in spec.obligations.items():
        used.setdefault(owed.ladder, []).append(name)
    found = [
        _addresses_nobody(spec, ladder, names) or _climbed(ground.program, ladder, names[0])
        for ladder, names in used.items()
    ]
    doubts = tuple(doubt for doubt in found if doubt is not None)
    how = f"Each of {len(used)} ladders was climbed on the core until its last rung repeated, and after a lease."
    title = "No ladder ends in silence."
    return Claim("ladders", title, settled(doubts), how, len(used), 0, doubts)


def _addresses_nobody(spec: ProtocolSpec, ladder: str, names: list[str]) -> Doubt | None:
    """`addressee` is somebody only while a hand-over is offered."""
    rungs = spec.ladders[ladder].rungs
    others = [
        name for name in names if any(trigger.event != "handover_offered" for trigger in spec.obligations[name].opens)
    ]
    if not others or rungs[-1].page != "addressee":
        return None
    message = f"the last rung of {ladder} pages an addressee, and {others[0]} has none: it ends in silence"
    path = ("ladders", ladder, "rungs", len(rungs) - 1, "page")
    remedy = "let the last rung page a role that is always filled, such as a supervisor"
    return Doubt(Finding(path, message, remedy), certain=True)


def _climbed(program: Program, ladder: str, name: str) -> Doubt | None:
    """Open a duty with this ladder and let nobody answer; then let somebody acknowledge and do nothing."""
    rungs = program.spec.ladders[ladder].rungs
    repeat, lease = (elapsed_seconds(getattr(program.spec.ladders[ladder], key)) for key in ("repeat", "lease"))
    climb = Climb(program, name)
    for number in range(len(rungs) + 2):
        silence = climb.next_page()
        if silence is None or (number > len(rungs) and silence > repeat):
            message = f"nobody is paged for {name} any more after rung {min(number, len(rungs))} of {ladder}"
            return Doubt(Finding(("ladders", ladder), message, "tell the maintainers of Holdfast", about_key=True))
    silence = climb.acknowledged()
    if silence is None or silence > max(lease, repeat):
        message = f"{ladder} does not go on after an acknowledgement that was followed by nothing"
        return Doubt(Finding(("ladders", ladder, "lease"), message, "tell the maintainers of Holdfast"))
    return None


def never_unheard(ground: Ground) -> Claim:
    """Each ladder in use was climbed while its pages reached nobody, for one page or for many, and then reached all."""
    spec = ground.program.spec
    used = {owed.ladder: name for name, owed in spec.obligations.items()}
    tried = [(ladder, name, lost) for ladder, name in used.items() for lost in range(1, _most_lost(spec, ladder) + 1)]
    found = [_after_an_outage(ground.program, ladder, name, lost) for ladder, name, lost in tried]
    doubts = tuple({doubt.finding: doubt for doubt in found if doubt is not None}.values())
    minutes = int(SOON.total_seconds() // 60)
    title = f"A page that reaches nobody is followed by another within {minutes} minutes, and costs no rung its page."
    how = f"Each of {len(used)} ladders was climbed on the core while one page, several or all reached nobody."
    return Claim("outages", title, settled(doubts), how, len(tried), 0, doubts)


def _most_lost(spec: ProtocolSpec, ladder: str) -> int:
    return 2 * len(spec.ladders[ladder].rungs) + 1


def _after_an_outage(program: Program, ladder: str, name: str, lost: int) -> Doubt | None:
    """Lose so many pages from each rung on; then the ladder must keep the times that it would have kept before."""
    rungs = program.spec.ladders[ladder].rungs
    for rung in range(len(rungs)):
        climb, usual = Climb(program, name), Climb(program, name)
        for _ in range(rung):
            _told(climb)
            _told(usual)
        climb.next_page()
        for _ in range(lost):
            climb.reported(delivered=False)
            if (silence := climb.next_page()) is None or silence > SOON.total_seconds():
                return _outage(ladder, f"after a page of {ladder} that reached nobody, nobody is paged for long")
        climb.reported(delivered=True)
        _told(usual)
        planned = [_told(usual) for _ in range(len(rungs) + 1)]
        for place, wait in enumerate(planned, start=rung + 1):
            if (silence := _told(climb)) is None or wait is None or silence > wait:
                rung_number = min(place, len(rungs) - 1) + 1
                return _outage(ladder, f"after an outage, rung {rung_number} of {ladder} is paged later than planned")
    return None


def _told(climb: Climb) -> float | None:
    silence = climb.next_page()
    climb.reported(delivered=True)
    return silence


def _outage(ladder: str, message: str) -> Doubt:
    return Doubt(Finding(("ladders", ladder), message, "tell the maintainers of Holdfast", about_key=True))
