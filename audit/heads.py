"""What the workflows remember of their chains, held against what the records have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from audit.verify import Verdict
from protocol.trail import Fault, Head, Wrong

AT_ONCE = 16
RESTORED = "was Temporal restored from an older copy? then `holdfast audit reconcile` lets it go on from its trail"


class NoAnswerError(Exception):
    """Nobody answers for the workflows; the message says who does not."""


@dataclass(frozen=True, slots=True)
class End:
    """What a workflow says of its chain."""

    head: Head
    unrecorded: int
    """Rows that the records do not have yet."""
    stopped: bool = False
    """Somebody ended the workflow while the episode was open."""


class Workflows(Protocol):
    """The engine, as far as an auditor asks it."""

    def known(self) -> AsyncIterator[str]:
        """Every episode whose workflow is still there, open or closed. Raises NoAnswerError."""
        ...

    async def end(self, episode_id: str) -> End | None:
        """The end of an episode's chain; None when there is no such workflow any more. Raises NoAnswerError."""
        ...


@dataclass
class Asked:
    """The answers of the workflows that were asked."""

    ends: dict[str, End] = field(default_factory=dict[str, End])
    silent: list[str] = field(default_factory=list[str])
    """Episodes whose workflow could not be asked."""
    why: str | None = None
    """Why nothing, or not all, was asked."""

    @property
    def heads(self) -> dict[str, Head]:
        """Rows that the records must have: of episodes with nothing under way."""
        return {name: end.head for name, end in self.ends.items() if not end.unrecorded and end.head.sequence}

    @property
    def stopped(self) -> list[str]:
        """Open episodes whose workflow was ended: nothing of them is enforced."""
        return sorted(name for name, end in self.ends.items() if end.stopped)

    @property
    def said(self) -> str:
        """In words."""
        if not self.ends:
            return f"Workflows: not asked; {self.why or 'Temporal has none'}."
        late = sum(end.unrecorded > 0 for end in self.ends.values())
        behind = f"; of {late} some rows are still on the way" if late else ""
        rest = f" NOT asked: {len(self.silent)}, because {self.why}." if self.silent else ""
        ended = f"; {len(self.stopped)} WERE ENDED before their time" if self.stopped else ""
        return f"Workflows: {len(self.ends)} were asked for the end of their chain{behind}{ended}.{rest}"


async def ask_all(workflows: Workflows) -> Asked:
    """Every workflow that is still there."""
    try:
        ids = [one async for one in workflows.known()]
    except NoAnswerError as error:
        return Asked(why=str(error))
    return await ask(workflows, ids)


async def ask(workflows: Workflows, ids: Sequence[str]) -> Asked:
    """The workflows of these episodes."""
    asked, turn = Asked(), asyncio.Semaphore(AT_ONCE)

    async def one(episode_id: str) -> None:
        async with turn:
            if asked.why is not None:  # nobody answers: more questions would only take longer
                asked.silent.append(episode_id)
                return
            try:
                end = await workflows.end(episode_id)
            except NoAnswerError as error:
                asked.silent.append(episode_id)
                asked.why = str(error)
                return
            if end is None:
                asked.silent.append(episode_id)
            else:
                asked.ends[episode_id] = end

    await asyncio.gather(*map(one, ids))
    if asked.silent and asked.why is None:
        asked.why = "Temporal has no workflow of them any more"
    return asked


async def hold(workflows: Workflows, asked: Asked, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts, with what only the workflows know: rows that nobody recorded, and rows that are gone."""
    longer = [one.episode_id for one in verdicts if _longer(one, asked.ends.get(one.episode_id))]
    # A chain may have grown since its workflow was asked.
    again = await ask(workflows, longer) if longer else Asked()
    return [_held(one, again.ends.get(one.episode_id) or asked.ends.get(one.episode_id)) for one in verdicts]


def _longer(verdict: Verdict, end: End | None) -> bool:
    return end is not None and verdict.fault is None and verdict.rows > end.head.sequence


def _held(verdict: Verdict, end: End | None) -> Verdict:
    if end is None or verdict.fault is not None:
        return verdict
    sure = end.head.sequence - end.unrecorded
    if verdict.rows > end.head.sequence:
        said = f"the workflow knows no row after {end.head.sequence}; {RESTORED}"
        return replace(verdict, fault=Fault(verdict.episode_id, end.head.sequence + 1, Wrong.INSERTED, said))
    if verdict.rows < sure and end.unrecorded:
        said = f"the workflow handed over the rows up to {sure}"
        return replace(verdict, fault=Fault(verdict.episode_id, verdict.rows + 1, Wrong.TRUNCATED, said))
    return verdict
