"""Random episodes with faults, on the pure core: the same seed always plays the same episode.

The people in it do the right thing often enough to get through a protocol, and every wrong thing as well:
wrong roles, names, answers, times and revisions. Around them things break: commands arrive twice, timers fire
late or not at all for days, pages are lost or reported twice, clocks jump, the engine crashes and is rebuilt from its
state, and the episode is moved to another version in the middle of all that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from protocol import commands as c
from protocol.effects import Effect, Page
from protocol.engine import Engine, Receipt
from protocol.spec import LEVELS, ProtocolSpec
from protocol.trail import TrailRow
from tests.protocol.breakage import (
    crash,
    move_in_the_middle,
    providers_away,
    report_page,
    report_twice,
    reuse_id,
    send_again,
)
from tests.protocol.invariants import Step, check
from tests.protocol.menu import Menu
from tests.protocol.story import KEY

FIRST_DAY = datetime(2026, 10, 25, tzinfo=UTC)
PEOPLE = ("mara", "ben", "sue")
PACIFIC = timezone(timedelta(hours=-8))
SPANS = [
    *[timedelta(0)] * 6,
    *[timedelta(seconds=20), timedelta(minutes=1), timedelta(minutes=4)] * 3,
    *[timedelta(minutes=17), timedelta(minutes=17), timedelta(hours=1), timedelta(hours=7), timedelta(days=1)],
]
OUTAGE = timedelta(days=9)
AFTER_THE_END = 3
"""Steps that are still tried in an episode that has ended."""


class Simulation:
    """One random episode."""

    def __init__(self, spec: ProtocolSpec, menu: Menu, seed: int, newer: Sequence[ProtocolSpec] = ()) -> None:
        self.random = Random(seed)
        self.spec, self.menu = spec, menu
        self.newer = newer
        """Other versions to which somebody may try to move the episode."""
        self.episode_id = f"sim-{seed}"
        self.engine = Engine(spec, self.episode_id, KEY)
        # Some episodes run over a change of the clocks.
        self.now = FIRST_DAY + timedelta(days=self.random.randrange(200), seconds=self.random.randrange(86_400))
        self.rows: list[TrailRow] = []
        self.effects: list[Effect] = []
        self.answered: list[tuple[c.Command, Receipt]] = []
        """What people sent. The engine's own commands come once."""
        self.pages: list[str] = []
        self.turned_away: list[str] = []
        """Refusals that left no trace."""
        self.faults: Counter[str] = Counter()
        self._number = 0

    def play(self, steps: int) -> Simulation:
        """Play so many steps, checking after each one."""
        self.submit(self._opening())
        after_the_end = 0
        for _ in range(steps):
            if self.engine.episode is not None and self.engine.episode.closed_at is not None:
                after_the_end += 1
            if after_the_end > AFTER_THE_END:
                break
            self.pass_time()
            self.random.choices(DEEDS, WEIGHTS)[0](self)
        return self

    def submit(self, command: c.Command, onto: ProtocolSpec | None = None) -> Receipt:
        """Send a command, take away rows and effects, check what must hold."""
        before, owed = self.engine.episode, self.engine.next_deadline()
        receipt = self.engine.submit(command, self.now, onto)
        rows, effects = self.engine.take_rows(), self.engine.take_effects()
        check(Step(self.engine, before, owed, command, self.now, receipt, rows, effects))
        self._keep(rows, effects)
        if not isinstance(command, c.SystemCommand):
            self.answered.append((command, receipt))
        return receipt

    def _keep(self, rows: list[TrailRow], effects: list[Effect]) -> None:
        self.rows += rows
        self.effects += effects
        self.pages += [effect.page_id for effect in effects if isinstance(effect, Page)]

    def identity(self) -> dict[str, Any]:
        """Who sends a command and when it happened: mostly right, sometimes wrong in every way."""
        random, self._number = self.random, self._number + 1
        chance = random.random()
        occurred, revision = self.now, None
        if chance < 0.18:
            occurred = self._other_time()
        elif chance < 0.30 and self.engine.episode is not None:
            revision = max(0, self.engine.episode.revision - random.choice((0, 0, 1, 4, -1)))
            self.faults["expected revision"] += 1
        return {
            "command_id": f"{self.episode_id}-{self._number}",
            "actor": random.choice(PEOPLE),
            "role": self._role(),
            "occurred_at": occurred,
            "expected_revision": revision,
        }

    def _role(self) -> str:
        chance = self.random.random()
        if chance < 0.6:
            return self.menu.roles[0]
        return self.random.choice(self.menu.roles if chance < 0.97 else ("cook", c.SYSTEM_ROLE))

    def _other_time(self) -> datetime:
        kind = self.random.randrange(20)
        self.faults["late entry" if kind < 15 else "wrong clock"] += 1
        if kind < 15:
            return self.now - self.random.choice(SPANS)
        if kind < 17:
            return (self.now + timedelta(minutes=3)).astimezone(PACIFIC)
        if kind < 19:
            return self.now + timedelta(hours=self.random.randrange(1, 99))
        return self.random.choice((datetime(1, 1, 1, tzinfo=PACIFIC), self.now - timedelta(days=40)))

    def pass_time(self) -> None:
        """Time goes by; the timer that should wake the engine may be late or lost."""
        random, due = self.random, self.engine.next_deadline()
        chance = random.random()
        if chance < 0.15 and due is not None:
            self.now = max(self.now, due + random.choice((timedelta(0), timedelta(seconds=2))))
        elif chance < 0.155:
            self.faults["outage"] += 1
            self.now += OUTAGE
        elif chance < 0.165:
            self.faults["clock jumps back"] += 1
            self.now -= timedelta(minutes=random.randrange(1, 90))
        else:
            self.now += random.choice(SPANS)
        if random.random() < 0.6:
            self.sweep()
        else:
            self.faults["lost timer"] += 1

    def sweep(self) -> None:
        """The timer fires."""
        before, owed = self.engine.episode, self.engine.next_deadline()
        self.engine.sweep(self.now)
        rows, effects = self.engine.take_rows(), self.engine.take_effects()
        check(Step(self.engine, before, owed, None, self.now, None, rows, effects))
        self._keep(rows, effects)

    def _opening(self) -> c.OpenEpisode:
        facts = self.menu.facts(self.random, self.now, 2) if self.random.random() < 0.3 else {}
        return c.OpenEpisode(
            command_id=f"{self.episode_id}-0",
            actor="mara",
            role=self.menu.roles[0],
            occurred_at=self.now - self.random.choice(SPANS),
            episode_id=self.episode_id,
            client_ref="client",
            owner="mara",
            crisis_types=self.menu.some_types(self.random),
            facts=facts,
            drill=self.random.random() < 0.1,
        )

    def send(self, kind: Callable[..., Any], **fields: Any) -> Receipt:
        """Send a command of this kind with a random identity."""
        return self.submit(kind(**{**self.identity(), **fields}))

    def send_rightly(self, kind: Callable[..., Any], roles: Sequence[str], **fields: Any) -> Receipt:
        """Send it as the right person would, mostly."""
        if self.random.random() < 0.1 or not roles:
            return self.send(kind, **fields)
        rightly = {"role": self.random.choice(roles), "expected_revision": None, "occurred_at": self.now}
        return self.submit(kind(**{**self.identity(), **rightly, **fields}))


# What people do


def record_facts(sim: Simulation) -> None:
    sim.send(c.RecordFacts, facts=sim.menu.facts(sim.random, sim.now, sim.random.choice((0, 1, 1, 2, 4))))


def next_step(sim: Simulation) -> None:
    """Do what the stage asks for, as a good therapist does; when nothing is missing, go on."""
    episode = sim.engine.episode
    missing = sim.menu.program.missing_steps(episode) if episode is not None else []
    if not missing:
        sim.send_rightly(c.Advance, sim.menu.roles)
        return
    form = sim.menu.form(sim.random, sim.now, missing[0])
    sim.send_rightly(c.CompleteStep, sim.spec.steps[missing[0]].roles, step=missing[0], facts=form, note="n")


def any_step(sim: Simulation) -> None:
    step = sim.menu.name(sim.random, sim.menu.steps)
    facts = sim.menu.form(sim.random, sim.now, step) if sim.random.random() < 0.6 else {}
    sim.send(c.CompleteStep, step=step, facts=facts)


def skip_step(sim: Simulation) -> None:
    sim.send(c.SkipStep, step=sim.menu.name(sim.random, sim.menu.steps), reason="r")


def skip_here(sim: Simulation) -> None:
    missing = sim.menu.program.missing_steps(sim.engine.episode) if sim.engine.episode is not None else []
    step = sim.menu.name(sim.random, [name for name in missing if sim.spec.steps[name].skip_cosigned_by])
    roles = sim.spec.steps[step].roles if step in sim.spec.steps else ()
    sim.send_rightly(c.SkipStep, roles, step=step, reason="r")


def cosign(sim: Simulation) -> None:
    subject = sim.menu.name(sim.random, sim.menu.signed(sim.engine.episode))
    entry = sim.menu.entry(sim.random, sim.engine.episode, subject)
    sim.send_rightly(c.CoSign, sim.menu.signers(subject), subject=subject, entry=entry)


def advance(sim: Simulation) -> None:
    to = sim.menu.name(sim.random, sim.menu.stages) if sim.random.random() < 0.3 else None
    sim.send(c.Advance, to=to)


def go_back(sim: Simulation) -> None:
    sim.send(c.GoBack, to=sim.menu.name(sim.random, sim.menu.stages), reason="r")


def declare_emergency(sim: Simulation) -> None:
    sim.send(c.DeclareEmergency, reason=sim.random.choice(("", "help")))


def crisis_type(sim: Simulation) -> None:
    sim.send(c.RecordCrisisType, crisis_type=sim.menu.name(sim.random, sim.menu.crisis_types))


def contact(sim: Simulation) -> None:
    random = sim.random
    sim.send(
        c.RecordContact,
        party=sim.menu.name(random, sim.menu.parties),
        channel="phone",
        outcome=random.choice(("reached", "reached", "no_answer", "voicemail", "automatic_message")),
        facts=sim.menu.facts(random, sim.now, random.choice((0, 0, 1))),
        exception=random.choice(("", "danger to life")),
    )


def decision(sim: Simulation) -> None:
    name, option = sim.menu.decision(sim.random)
    roles = sim.spec.decisions[name].roles if name in sim.spec.decisions else ()
    sim.send_rightly(c.RecordDecision, roles, decision=name, option=option, rationale="r")


def lower_risk(sim: Simulation) -> None:
    """Re-assess first, mostly."""
    lowering = sim.spec.risk.lowering
    if sim.random.random() < 0.8:
        facts = sim.menu.calm(sim.random, sim.now, lowering.step)
        sim.send_rightly(c.CompleteStep, sim.spec.steps[lowering.step].roles, step=lowering.step, facts=facts)
    sim.send_rightly(c.LowerRisk, lowering.roles, level=sim.random.choice(LEVELS[:-1]), reason="r")


def settle_one(sim: Simulation) -> None:
    """Do what one open obligation asks for."""
    episode = sim.engine.episode
    if episode is None or not episode.obligations:
        return
    owed = sim.random.choice(list(episode.obligations.values()))
    kind, roles, fields = sim.menu.evidence(sim.random, sim.now, owed.obligation)
    if kind is c.Acknowledge:
        fields = {"obligation_id": owed.obligation_id}
    sim.send_rightly(kind, roles, **fields)


def acknowledge(sim: Simulation) -> None:
    sim.send(c.Acknowledge, obligation_id=_an_obligation(sim))


def waive(sim: Simulation) -> None:
    name = _an_obligation(sim)
    duty = sim.spec.obligations.get(name.rpartition("-")[0])
    sim.send_rightly(c.Waive, duty.waived_by if duty is not None else (), obligation_id=name, reason="r")


def _an_obligation(sim: Simulation) -> str:
    known = list(sim.engine.episode.obligations) if sim.engine.episode is not None else []
    return sim.random.choice(known) if known and sim.random.random() < 0.9 else "nothing-1"


def handover(sim: Simulation) -> None:
    offer = sim.engine.episode.handover if sim.engine.episode is not None else None
    if offer is None and sim.random.random() < 0.9:
        sim.send_rightly(c.OfferHandover, sim.menu.roles, to=sim.random.choice(PEOPLE), reason="r")
        return
    who = offer.to if offer is not None and sim.random.random() < 0.8 else sim.random.choice(PEOPLE)
    if sim.random.random() < 0.5:
        sim.send_rightly(c.AcceptHandover, sim.menu.roles, actor=who)
    else:
        sim.send_rightly(c.DeclineHandover, sim.menu.roles, actor=who, reason="r")


def addendum(sim: Simulation) -> None:
    sim.send(c.AddAddendum, refers_to=sim.random.randrange(1, 40), text="t")


def close(sim: Simulation) -> None:
    outcome = sim.menu.name(sim.random, sim.menu.outcomes)
    sim.send_rightly(c.CloseEpisode, sim.spec.closing.roles, outcome=outcome, reason="r")


def migrate(sim: Simulation) -> None:
    """Somebody moves the episode to another version, with a signature or without."""
    if not sim.newer:
        return
    onto = sim.random.choice((*sim.newer, sim.newer[0], sim.newer[0]))
    signed = {"sign_off_by": "dora", "sign_off_role": "supervisor", "sign_off_reason": "r"}
    fields = {**sim.identity(), **(signed if sim.random.random() < 0.7 else {})}
    sim.submit(c.Migrate(**fields, protocol_hash=onto.content_hash), onto if sim.random.random() < 0.9 else None)


def reopen(sim: Simulation) -> None:
    sim.submit(
        c.OpenEpisode(**{**sim.identity(), "expected_revision": None}, episode_id="x", client_ref="x", owner="x")
    )


ODDS: dict[Callable[[Simulation], None], int] = {
    record_facts: 14,
    next_step: 22,
    any_step: 4,
    skip_step: 1,
    skip_here: 3,
    cosign: 4,
    advance: 8,
    go_back: 3,
    declare_emergency: 2,
    crisis_type: 2,
    contact: 7,
    decision: 6,
    lower_risk: 3,
    settle_one: 16,
    acknowledge: 5,
    waive: 4,
    handover: 4,
    addendum: 1,
    close: 5,
    reopen: 1,
    migrate: 3,
    report_page: 8,
    providers_away: 2,
    report_twice: 2,
    move_in_the_middle: 5,
    send_again: 4,
    reuse_id: 1,
    crash: 1,
}
DEEDS, WEIGHTS = list(ODDS), list(ODDS.values())


def refusals(sim: Simulation) -> Counter[str]:
    """How often each refusal was given."""
    return Counter(receipt.refusal.code for _, receipt in sim.answered if receipt.refusal is not None)


def kinds_of(sim: Simulation) -> Counter[str]:
    """How often each kind of event happened."""
    return Counter(row.kind for row in sim.rows)
