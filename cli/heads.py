"""What the workflows of open episodes remember of their chains, held against what the records have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from audit.verify import Verdict
from cli.desk import Desk
from cli.output import Trouble
from protocol.trail import Fault, Head, Wrong
from workflows.client import EngineUnavailableError, EpisodeClient, EpisodeError
from workflows.messages import EpisodeView

AT_ONCE = 16


@dataclass
class Asked:
    """The answers of the workflows that were asked."""

    views: dict[str, EpisodeView] = field(default_factory=dict[str, EpisodeView])
    silent: list[str] = field(default_factory=list[str])
    """Episodes whose workflow could not be asked."""
    why: str | None = None
    """Why nothing, or not all, was asked."""

    @property
    def heads(self) -> dict[str, Head]:
        """Rows that the records must have: of episodes with nothing under way."""
        return {name: view.head for name, view in self.views.items() if not view.unrecorded and view.head.sequence}

    @property
    def said(self) -> str:
        """In words."""
        if not self.views:
            return f"Workflows: not asked; {self.why or 'there is no open episode'}."
        late = sum(view.unrecorded > 0 for view in self.views.values())
        behind = f"; of {late} some rows are still on the way" if late else ""
        rest = f" NOT asked: {len(self.silent)}, because {self.why}." if self.silent else ""
        return f"Workflows: {len(self.views)} were asked for the end of their chain{behind}.{rest}"


async def ask_all(desk: Desk) -> Asked:
    """Every open episode."""
    try:
        engine = await desk.engine()
        return await _ask(engine, [one async for one in engine.running()])
    except (Trouble, EngineUnavailableError) as error:
        return Asked(why=str(error))


async def ask_one(desk: Desk, episode_id: str) -> Asked:
    """A single episode."""
    try:
        return await _ask(await desk.engine(), [episode_id])
    except Trouble as error:
        return Asked(why=str(error))


async def hold(desk: Desk, asked: Asked, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts, with what only the workflows know: rows that nobody recorded, and rows that are gone."""
    longer = [one.episode_id for one in verdicts if _longer(one, asked.views.get(one.episode_id))]
    # A chain may have grown since its workflow was asked.
    again = await _ask(await desk.engine(), longer) if longer else Asked()
    return [_held(one, again.views.get(one.episode_id) or asked.views.get(one.episode_id)) for one in verdicts]


def _longer(verdict: Verdict, view: EpisodeView | None) -> bool:
    return view is not None and verdict.fault is None and verdict.rows > view.head.sequence


def _held(verdict: Verdict, view: EpisodeView | None) -> Verdict:
    if view is None or verdict.fault is not None:
        return verdict
    sure = view.head.sequence - view.unrecorded
    if verdict.rows > view.head.sequence:
        said = f"the workflow knows no row after {view.head.sequence}"
        return replace(verdict, fault=Fault(verdict.episode_id, view.head.sequence + 1, Wrong.INSERTED, said))
    if verdict.rows < sure and view.unrecorded:
        said = f"the workflow handed over the rows up to {sure}"
        return replace(verdict, fault=Fault(verdict.episode_id, verdict.rows + 1, Wrong.TRUNCATED, said))
    return verdict


async def _ask(engine: EpisodeClient, ids: Sequence[str]) -> Asked:
    asked, turn = Asked(), asyncio.Semaphore(AT_ONCE)

    async def one(episode_id: str) -> None:
        async with turn:
            if asked.why is not None:  # nobody answers: more questions would only take longer
                asked.silent.append(episode_id)
                return
            try:
                asked.views[episode_id] = await engine.view(episode_id)
            except EngineUnavailableError:
                asked.silent.append(episode_id)
                asked.why = "no worker answers"
            except EpisodeError:  # over, and forgotten by Temporal
                asked.silent.append(episode_id)

    await asyncio.gather(*map(one, ids))
    if asked.silent and asked.why is None:
        asked.why = "Temporal has no workflow of them any more"
    return asked
