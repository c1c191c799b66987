"""An episode as it is now: from its workflow, or from the records while the engine is away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from protocol.chronicle import event_of
from protocol.episode import Episode
from protocol.evolve import evolve
from protocol.program import Program
from protocol.trail import TrailRow
from protocol.words import Words
from web.engine import Engine
from web.errors import Away, NotThere
from web.parts import Parts
from web.shelf import UnknownProtocolError
from workflows.client import EngineUnavailableError, EpisodeError, EpisodeStoppedError, EpisodeUnknownError
from workflows.messages import EpisodeView

MOST_ROWS = 100_000


@dataclass(frozen=True)
class Seen:
    """An episode with its protocol."""

    program: Program
    episode: Episode
    stale_since: datetime | None
    """The last moment the records know of, when the engine could not be asked (aware UTC)."""
    stopped: bool = False
    """The episode is open and its workflow was ended in Temporal, or is gone: no deadline rings, nothing is taken."""

    @property
    def words(self) -> Words:
        """Speaks about its protocol."""
        return Words(self.program.spec)


async def see(parts: Parts, episode_id: str) -> Seen:
    """The episode. Raises NotThere, or Away when neither the engine nor the records have it."""
    episode, stale_since, stopped = await _episode(parts, episode_id)
    try:
        program = await parts.shelf.pinned(episode.protocol_hash)
    except UnknownProtocolError:
        raise Away from None
    return Seen(program, episode, stale_since, stopped and episode.closed_at is None)


async def _episode(parts: Parts, episode_id: str) -> tuple[Episode, datetime | None, bool]:
    """The episode, since when it is not up to date, and whether nothing carries it on while it is open."""
    away, stopped = False, False
    try:
        view, stopped = await _view(parts.engine, episode_id)
        if view.episode is not None:
            return view.episode, None, stopped
    except EngineUnavailableError:
        away, stopped = True, episode_id in parts.engine.stopped
    except EpisodeUnknownError:
        stopped = True  # unless it is over: then its workflow may be forgotten, its trail is not
    except EpisodeError:
        pass
    rows = await parts.queries.trail_rows(episode_id, limit=MOST_ROWS)
    if not rows:
        raise Away if away else NotThere
    return folded(rows), (rows[-1].recorded_at if away else None), stopped


async def _view(engine: Engine, episode_id: str) -> tuple[EpisodeView, bool]:
    """What the workflow says, and whether it was stopped: Temporal tells also what a stopped one knew last."""
    try:
        return await engine.living(episode_id), False
    except EpisodeStoppedError:
        return await engine.view(episode_id), True


def folded(rows: Iterable[TrailRow]) -> Episode:
    """The state that recorded events make. Raises NotThere when the client's key was destroyed."""
    episode: Episode | None = None
    try:
        for row in rows:
            episode = evolve(episode, event_of(row))
    except ValueError:
        raise NotThere from None
    if episode is None:
        raise NotThere
    return episode
