"""The safety properties that clinical operations state themselves, judged at one moment of an episode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from protocol.elements import elapsed_seconds
from protocol.episode import Episode
from protocol.readers import Readers
from protocol.spec import Property

Promise = Callable[[Episode, datetime], bool]


def promise(readers: Readers, stated: Property) -> Promise:
    """Whether a property holds of an episode at `now` (aware UTC). Of a closed episode every one holds."""
    condition = readers.predicate(stated.never or stated.always)
    if stated.never is not None:
        return lambda episode, now: episode.closed_at is not None or not condition(episode)
    within = None if stated.within is None else timedelta(seconds=elapsed_seconds(stated.within))

    def kept(episode: Episode, now: datetime) -> bool:
        if episode.closed_at is not None or not condition(episode):
            return True
        owed = (one for one in episode.obligations.values() if one.obligation in stated.owed)
        return any(within is None or one.due_at <= now + within for one in owed)

    return kept
