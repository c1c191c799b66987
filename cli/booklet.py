"""A protocol as one reads it: stages with their steps, deadlines with owner, ladder and source."""

from __future__ import annotations

from cli.output import say
from cli.tables import heading, table
from protocol.diagram import due_in_words
from protocol.duties import Ladder, Obligation
from protocol.elements import Source
from protocol.spec import ProtocolSpec, Stage
from protocol.words import Words, cited


def show(spec: ProtocolSpec) -> None:
    """The protocol as tables."""
    words = Words(spec)
    heading(f"{spec.title} ({spec.protocol} {spec.version}, {spec.content_hash[:12]})")
    say(f"{spec.summary}\n")
    table(
        "Stages",
        ("Stage", "Steps", "Next"),
        [(stage.title, _steps(words, stage), _next(words, stage)) for stage in spec.stages.values()],
        "No stage.",
    )
    say()
    table(
        "Deadlines",
        ("What", "Due", "Owed by", "Ladder", "Source"),
        [_deadline(words, one) for one in spec.obligations.values()],
        "No deadline.",
    )
    unsigned = sum(source.grade == "P" for source in _sources(spec))
    say(f"\n{len(spec.obligations)} deadlines; {unsigned} numbers are program policy [P] and need clinical sign-off.")


def _steps(words: Words, stage: Stage) -> str:
    return "\n".join(f"{words.step(one.step)}{'' if one.required else ' (optional)'}" for one in stage.steps)


def _next(words: Words, stage: Stage) -> str:
    return ", ".join(words.stage(name) for name in stage.next)


def _deadline(words: Words, one: Obligation) -> tuple[str, str, str, str, str]:
    owner = "the owner" if one.owner == "owner" else words.role(one.owner)
    ladder = _ladder(words, words.spec.ladders[one.ladder])
    return one.title, f"{due_in_words(one)} ({one.clock})", owner, ladder, cited(one.source)


def _ladder(words: Words, ladder: Ladder) -> str:
    """`the owner → 10m → Supervisor → every 30m`."""
    begins = {"at_opening": "at once", "before_due": f"{ladder.lead} before", "at_due": "when due"}[ladder.starts]
    rungs = " → ".join(f"{words.role(rung.page)} ({rung.wait})" for rung in ladder.rungs)
    return f"{begins}: {rungs}; then every {ladder.repeat}"


def _sources(spec: ProtocolSpec) -> list[Source]:
    return [*(one.source for one in spec.obligations.values()), *(one.source for one in spec.ladders.values())]
