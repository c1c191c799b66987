"""Aims at one spot of a protocol: a walk through it, or an act there that is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proof.answers import Wish
from proof.ending import close
from proof.people import REASON
from proof.pilot import Pilot
from proof.walk import Walk
from protocol import events as e
from protocol.spec import LEVELS, RANK, Refusal
from rehearsal.coverage import Spot
from rehearsal.scenario import Scenario

BASIS = "Generated: it holds what the protocol does, and fails when that changes."
MOST_OPEN = 60


@dataclass(frozen=True)
class Aim:
    """A walk to a spot, and the last act where that one is refused."""

    walk: Walk
    refused: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def scenario(self, name: str, title: str) -> Scenario:
        """The walk as a scenario that expects at its end what is so."""
        if self.refused:
            fields = {key: value for key, value in self.refused.items() if key not in ("do", "by")}
            expect = {"refused": "clinical_refusal", "stage": self.walk.episode.stage}
            return self.walk.refused(self.refused["do"], self.refused["by"], expect, name, title, BASIS, **fields)
        return self.walk.scenario(name, title, BASIS, _seen(self.walk))


def _seen(walk: Walk) -> dict[str, Any]:
    """What is so after the last entry: stage, risk, what is owed, what just ended."""
    episode = walk.episode
    owed = sorted({one.obligation for one in episode.obligations.values()})[:MOST_OPEN]
    ended = {one.obligation: "met_late" if one.late else "met" for one in walk.last if isinstance(one, e.ObligationMet)}
    ended |= {one.obligation: "waived" for one in walk.last if isinstance(one, e.ObligationWaived)}
    seen: dict[str, Any] = {"stage": episode.stage, "risk": episode.risk}
    seen |= {"closed": "yes"} if episode.closed_at is not None else {}
    seen |= {"open": dict.fromkeys(owed, "any")} if owed else {}
    return seen | ({"ended": ended} if ended and walk.entries else {})


class Aiming:
    """Knows one protocol."""

    def __init__(self, pilot: Pilot) -> None:
        self.pilot, self.spec = pilot, pilot.spec

    def at(self, spot: Spot) -> Aim | None:
        """An aim at a spot; None when no way to it was found. Raises Lost when too much was tried."""
        if spot.group == "refusals":
            return self._refusal(self.spec.refusals[str(spot.path[1])])
        walk = self.pilot.begin()
        reached = self._walk(walk, spot) if walk is not None else None
        return Aim(reached) if reached is not None else None

    def _walk(self, walk: Walk, spot: Spot) -> Walk | None:
        name = str(spot.path[1])
        match spot.group:
            case "ways on" | "ways into the emergency" | "ways back":
                return self._way(walk, spot)
            case "endings":
                return close(self.pilot, walk, str(spot.path[2]))
            case "risk rules":
                return self._rule(walk, int(spot.path[2]))
            case "table rows":
                return self._row(walk, name, int(spot.path[3]))
            case "options of decisions":
                return self.pilot.people.decide(walk, name, str(spot.path[3]))
            case "rungs":
                return self._rung(walk, name, int(spot.path[3]))
            case "notices":
                return self._notice(walk, name)
            case group:
                return self._duty(walk, group.removeprefix("obligations "), name)

    def _way(self, walk: Walk, spot: Spot) -> Walk | None:
        pilot, name = self.pilot, str(spot.path[1])
        if spot.group == "ways back":
            return self._back(walk, name)
        there = pilot.go_to(walk, name)
        if there is None:
            return None
        if spot.group == "ways on":
            return pilot.advance(there, str(spot.path[3]))
        return pilot.act(there, "declare_emergency", reason=REASON)

    def _back(self, walk: Walk, stage: str) -> Walk | None:
        for other in self.spec.stages:
            away = self.pilot.go_to(walk, other) if other != stage else None
            if away is not None and (back := self.pilot.step_back(away, stage)) is not None:
                return back
        return None

    def _rule(self, walk: Walk, number: int) -> Walk | None:
        pilot, rule = self.pilot, self.spec.risk.rules[number]
        if RANK[rule.level] <= RANK[walk.episode.risk]:
            walk = pilot.risk.lower(walk, LEVELS[RANK[rule.level] - 1]) or walk
        for wish in pilot.wishes(rule.when.condition):
            for raised in self._granted(walk, wish):
                if self._raised_by(raised, number):
                    return raised
        return None

    def _granted(self, walk: Walk, wish: Wish) -> Iterator[Walk]:
        """A wish fulfilled in several ways, since others follow from how.

        A screen of which only some is answered is unfinished, which may raise the risk by itself. An answer that comes
        last may raise the risk that was wished for once more; one that is known before leads to another way there.
        """
        pilot = self.pilot
        for whole in (False, True):
            if (reached := pilot.grant(walk, wish, whole)) is not None:
                yield reached
        answers = {name: values for name, values in wish.items() if name in self.spec.facts}
        known = pilot.grant(walk, answers)
        if known is not None and (reached := pilot.grant(known, wish)) is not None:
            yield reached

    def _raised_by(self, walk: Walk, number: int) -> bool:
        return any(isinstance(one, e.RiskRaised) and one.rule == number for one in walk.events)

    def _row(self, walk: Walk, table: str, number: int) -> Walk | None:
        pilot, row = self.pilot, self.spec.tables[table].rows[number]
        deciding = pilot.program.readers.deciding_row(table)
        if deciding(walk.episode) == number:
            return walk.wait(1)
        for wish in pilot.wishes(row.when.condition):
            for reached in self._granted(walk, wish):
                if deciding(reached.episode) == number:
                    return reached
        return None

    def _duty(self, walk: Walk, fate: str, name: str) -> Walk | None:
        owing = self.pilot.owing
        makers = {"opened": owing.open, "met": owing.meet, "missed": owing.miss, "waived": owing.waive}
        found = makers[fate](walk, name)
        return found.wait(1) if found is not None and not found.entries else found

    def _rung(self, walk: Walk, ladder: str, number: int) -> Walk | None:
        for name, owed in self.spec.obligations.items():
            opened = self.pilot.owing.open(walk, name) if owed.ladder == ladder else None
            while opened is not None and (one := self.pilot.owing.owed(opened, name)) is not None:
                if one.rung >= number:
                    return opened if opened.entries else opened.wait(1)
                later = opened.wait_for(one.next_page_at)
                stuck = (later.episode, later.now) == (opened.episode, opened.now)
                opened = None if stuck else later
        return None

    def _notice(self, walk: Walk, name: str) -> Walk | None:
        pilot, notice = self.pilot, self.spec.notices[name]
        if notice.when is not None:
            return pilot.achieve(walk, notice.when)
        texts = [fact for fact, one in self.spec.facts.items() if one.type == "text"]
        if not texts or not notice.mentions:
            return None
        return pilot.act(walk, "record_facts", facts={texts[0]: f"it says {notice.mentions[0]}"})

    def _refusal(self, refusal: Refusal) -> Aim | None:
        """An act that a clinical rule refuses, tried where it would be possible otherwise."""
        ((key, name),) = refusal.act.happenings()
        always: Wish = {}
        for wish in self.pilot.wishes(refusal.act.when.condition) if refusal.act.when is not None else (always,):
            walk = self.pilot.begin()
            ready = self._before(walk, key, name) if walk is not None else None
            ready = self._alone(ready, refusal) if ready is not None else None
            ready = self.pilot.grant(ready, wish) if ready is not None else None
            tried = self._try(ready, refusal) if ready is not None else None
            if ready is not None and tried is not None:
                return Aim(ready, tried)
        return None

    def _before(self, walk: Walk, key: str, name: str) -> Walk | None:
        if key == "done":
            return self.pilot.ready_for(walk, name)
        if key == "entered":
            before = [stage for stage, one in self.spec.stages.items() if name in one.next]
            there = self.pilot.first(self.pilot.go_to(walk, stage) for stage in before)
            return self.pilot.prepared(there, name) if there is not None else None
        return walk

    def _alone(self, walk: Walk, refusal: Refusal) -> Walk:
        """No other rule refuses the same act."""
        for other in self.spec.refusals.values():
            if other is not refusal and other.act.happenings() == refusal.act.happenings():
                walk = self.pilot.achieve(walk, other.act.when, want=False) or walk
        return walk

    def _try(self, walk: Walk, refused: Refusal) -> dict[str, Any] | None:
        pilot, options = self.pilot, refused.act.options
        ((key, name),) = refused.act.happenings()
        if key == "done":
            roles = self.spec.steps[name].roles
            acts = [{"do": "complete_step", "step": name, "facts": pilot.form(walk, name)}]
        elif key == "decided":
            roles = self.spec.decisions[name].roles
            chosen = options or tuple(self.spec.decisions[name].options)
            acts = [{"do": "record_decision", "decision": name, "option": o, "rationale": REASON} for o in chosen]
        else:
            roles, acts = (), [{"do": "advance", "to": name}]
        by = pilot.cast.one_of(roles) if roles else pilot.cast.owner
        for act in acts:
            refusal = walk.tried(str(act["do"]), by, **{k: v for k, v in act.items() if k != "do"}).refusal
            if refusal is not None and refusal.message == refused.because:
                return {**act, "by": by}
        return None

    def why_not(self, spot: Spot) -> str:
        """Why there may be no scenario through a spot."""
        initial = self.spec.risk.initial
        if spot.group == "risk rules" and RANK[self.spec.risk.rules[int(spot.path[2])].level] <= RANK[initial]:
            return f"the risk begins at {initial}, and no way was found to lower it below and raise it again"
        if spot.group == "obligations waived":
            return "no episode was found in which its condition for waiving holds while it is open"
        return "no episode was found that goes through it"
