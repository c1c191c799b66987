"""The safety properties that clinical operations state themselves, judged at one moment of an episode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from protocol.conditions import Guard, tests_in
from protocol.elements import elapsed_seconds
from protocol.episode import Episode
from protocol.readers import Readers
from protocol.spec import Property, ProtocolSpec
from protocol.vocabulary import accepted, vocabulary

Promise = Callable[[Episode, datetime], bool]


def promise(readers: Readers, stated: Property) -> Promise:
    """Whether a property holds of an episode at `now` (aware UTC).

    Of a closed episode every one holds, except a `never` that looks at a closed stage: it says how not to close.
    """
    condition = readers.predicate(stated.never or stated.always)
    if stated.never is not None:
        if looks_at_closing(readers.spec, stated.never):
            return lambda episode, now: not condition(episode)
        return lambda episode, now: episode.closed_at is not None or not condition(episode)
    within = None if stated.within is None else timedelta(seconds=elapsed_seconds(stated.within))

    def kept(episode: Episode, now: datetime) -> bool:
        if episode.closed_at is not None or not condition(episode):
            return True
        owed = (one for one in episode.obligations.values() if one.obligation in stated.owed)
        return any(within is None or one.due_at <= now + within for one in owed)

    return kept


def looks_at_closing(spec: ProtocolSpec, guard: Guard) -> bool:
    """Whether a condition names a closed stage, as `stage: closed` does."""
    closed = {name for name, stage in spec.stages.items() if stage.kind == "closed"}
    domain = vocabulary(spec)["stage"]
    tests = (test for test in tests_in(guard.condition) if test.name == "stage" and test.operator != "known")
    return any(closed & accepted(test, domain) for test in tests)
