"""An episode under way on the core, together with the scenario entries that led to it.

A walk is a value: trying something and not liking what came of it costs nothing, one goes on from the walk before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from protocol import commands as c
from protocol import events as e
from protocol.decide import MacroStep, decide
from protocol.episode import Episode, next_deadline
from protocol.program import Program
from protocol.readers import waits_for_signature
from protocol.spec import ProtocolSpec
from rehearsal.scenario import COMMANDS, Entry, Expectation, Opening, Scenario

NAMES = (
    "ada", "ben", "cora", "dan", "eva", "finn", "gina", "hugo", "ines", "joel", "kira", "liam", "mona", "nils", "olga",
    "paul", "quin", "rosa", "samir", "tara", "uma", "vito", "wanda", "xaver", "yara", "zoe",
)  # fmt: skip
"""Fictional people: one for each role, then a second one for roles that sign."""

STARTS = "2026-12-01 10:00"
"""A Tuesday morning, local time."""
BREATH = 5
"""Seconds between two things that people do: shorter than any deadline."""
MOST_SWEEPS = 2000
"""Deadlines that come due while time passes; a protocol that needs more pages for ever."""


class Cast:
    """Who acts in a proof's scenarios."""

    def __init__(self, spec: ProtocolSpec) -> None:
        signing = {role for one in spec.decisions.values() for role in one.cosigned_by}
        signing |= {role for one in spec.steps.values() for role in one.skip_cosigned_by}
        roles = [*spec.roles, *(role for role in spec.roles if role in signing)]
        self.people: dict[str, str] = dict(zip(NAMES, roles, strict=False))
        counts = {role: sum(role in step.roles for step in spec.steps.values()) for role in spec.roles}
        self.owner = self.one_of([max(counts, key=lambda role: counts[role])])

    def one_of(self, roles: Iterable[str], but: str = "") -> str:
        """A person in one of these roles, other than `but` if there is one; anybody when nobody fits."""
        wanted = list(roles)
        fitting = [name for role in wanted for name, own in self.people.items() if own == role and name != but]
        return fitting[0] if fitting else next(iter(self.people))


@dataclass(frozen=True)
class Walk:
    """Where an episode stands, and how it came there."""

    program: Program
    cast: Cast
    opening: Mapping[str, Any]
    episode: Episode
    now: datetime
    entries: tuple[Mapping[str, Any], ...]
    events: tuple[e.Event, ...]
    """Everything that happened so far."""
    last: tuple[e.Event, ...]
    """What the latest entry and the time before it brought about."""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The protocol's time zone."""
        return self.program.zone

    def act(self, do: str, by: str, **fields: Any) -> Walk | None:
        """The walk after a person's command a breath later; None when the core refuses it."""
        walk = self._until(self.now + timedelta(seconds=BREATH))
        step = walk.tried(do, by, **fields)
        if step.refusal is not None or step.episode is None:
            return None
        entry = {"at": f"+{BREATH}s", "by": by, "do": do, **fields}
        return walk._after(step, entry)

    def tried(self, do: str, by: str, **fields: Any) -> MacroStep:
        """What a command would bring about now."""
        own = dict(fields)
        if "obligation" in own:
            own["obligation_id"] = self._obligation_id(own.pop("obligation"))
        if do == "co_sign":
            waiting = waits_for_signature(self.episode).get(own["subject"])
            own["entry"] = waiting.sequence if waiting is not None else self.episode.revision
        common = {"command_id": f"walk-{len(self.entries)}", "actor": by, "role": self.cast.people[by]}
        command: c.HumanCommand = cast("Any", COMMANDS[do])(**own, **common, occurred_at=self.now)
        return decide(self.program.spec, self.episode, command, self.now)

    def wait(self, seconds: int) -> Walk:
        """The walk after some time in which nobody does anything."""
        at, seconds = _span(seconds)
        walk = self._until(self.now + timedelta(seconds=seconds))
        return replace(walk, entries=(*self.entries, {"at": at, "wait": "yes"}))

    def wait_for(self, moment: datetime) -> Walk:
        """The walk at a moment or a little later, nothing done until then."""
        return self.wait(max(1, -int(-(moment - self.now).total_seconds() // 1)))

    def scenario(self, name: str, title: str, basis: str, expect: Mapping[str, Any] | None = None) -> Scenario:
        """The scenario that leads here; `expect` belongs to its last entry."""
        steps = [Entry.model_validate(_listed(entry)) for entry in self.entries] or [Entry(at="+1s", wait="yes")]
        if expect is not None:
            steps[-1] = steps[-1].model_copy(update={"expect": Expectation.model_validate(_listed(expect))})
        return Scenario(
            scenario=name,
            title=title,
            basis=basis,
            protocol=self.program.spec.protocol,
            starts=STARTS,
            people=self.cast.people,
            open=Opening.model_validate(_listed(self.opening)),
            steps=tuple(steps),
        )

    def refused(
        self, do: str, by: str, expect: Mapping[str, Any], name: str, title: str, basis: str, **fields: Any
    ) -> Scenario:
        """A scenario that ends with an act which the core refuses although it should not."""
        entry = {"at": f"+{BREATH}s", "by": by, "do": do, **fields}
        return replace(self, entries=(*self.entries, entry)).scenario(name[:48], title, basis, expect)

    def _obligation_id(self, kind: str) -> str:
        owed = [one for one in self.episode.obligations.values() if one.obligation == kind]
        return min(owed, key=lambda one: one.due_at).obligation_id if owed else "none-open"

    def _until(self, moment: datetime) -> Walk:
        """Sweep each deadline at its moment, as the engine does."""
        episode, events = self.episode, list[e.Event]()
        for _ in range(MOST_SWEEPS):
            due = next_deadline(episode)
            if due is None or due > moment:
                break
            swept = _swept(self.program.spec, episode, due)
            assert swept.episode is not None
            episode = swept.episode
            events += swept.events
        return replace(self, episode=episode, now=moment, events=(*self.events, *events), last=tuple(events))

    def _after(self, step: MacroStep, entry: Mapping[str, Any]) -> Walk:
        assert step.episode is not None
        return replace(
            self,
            episode=step.episode,
            entries=(*self.entries, entry),
            events=(*self.events, *step.events),
            last=(*self.last, *step.events),
        )


def _swept(spec: ProtocolSpec, episode: Episode, due: datetime) -> MacroStep:
    command = c.DeadlineReached(
        command_id=f"deadline-{episode.revision + 1}", actor=c.SYSTEM_ACTOR, role=c.SYSTEM_ROLE, occurred_at=due
    )
    return decide(spec, episode, command, due)


def begin(
    program: Program, cast: Cast, start: datetime, facts: Mapping[str, Any], crisis_types: tuple[str, ...]
) -> Walk | None:
    """A walk that has just begun; None when the opening is refused."""
    by = cast.owner
    command = c.OpenEpisode(
        command_id="walk-open",
        actor=by,
        role=cast.people[by],
        occurred_at=start,
        episode_id="scenario-walk",
        client_ref="client-walk",
        owner=by,
        crisis_types=crisis_types,
        facts=facts,
    )
    step = decide(program.spec, None, command, start)
    if step.episode is None:
        return None
    opening: dict[str, Any] = {"by": by}
    if facts:
        opening["facts"] = dict(facts)
    if crisis_types:
        opening["crisis_types"] = crisis_types
    return Walk(program, cast, opening, step.episode, start, (), step.events, step.events)


def _span(seconds: int) -> tuple[str, int]:
    """A time as a scenario can write it, with five digits at most: rounded up to hours beyond a day."""
    if seconds < 86_400:
        return f"+{seconds}s", seconds
    hours = -(-seconds // 3600)
    return f"+{hours}h", hours * 3600


def _listed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data: tuples as lists, as a file holds them."""
    return {key: _plain(value) for key, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in cast("tuple[Any, ...]", value)]
    return _listed(cast("dict[str, Any]", value)) if isinstance(value, dict) else value
