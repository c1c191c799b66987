"""What breaks around an episode: pages are lost, commands arrive twice or under a used id, the engine crashes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from protocol import commands as c
from protocol.engine import MOST_RECEIPTS, RECEIPT, Engine
from protocol.episode import EPISODE
from protocol.open_duties import SOON
from protocol.trail import Head
from tests.protocol.story import KEY

if TYPE_CHECKING:
    from tests.protocol.simulator import Simulation


def report_page(sim: Simulation) -> None:
    """A page is reported delivered, undeliverable, twice, or never."""
    if not sim.pages:
        return
    page_id = sim.pages.pop(sim.random.randrange(len(sim.pages)))
    fate = sim.random.random()
    if fate < 0.2:
        sim.faults["lost page report"] += 1
        return
    if fate < 0.5:
        sim.faults["undeliverable page"] += 1
    if fate > 0.95:
        sim.pages.append(page_id)
    fields = {**sim.identity(), "actor": c.SYSTEM_ACTOR, "role": c.SYSTEM_ROLE}
    sim.submit(c.ReportPage(**fields, page_id=page_id, delivered=fate >= 0.5, recipients=("mara",)))


def providers_away(sim: Simulation) -> None:
    """For some pages on end nobody can be reached, whoever is tried; the timer keeps on going."""
    sim.faults["providers away"] += 1
    for _ in range(sim.random.randrange(2, 9)):
        for page_id in sim.pages[-3:]:
            sim.pages.remove(page_id)
            fields = {**sim.identity(), "actor": c.SYSTEM_ACTOR, "role": c.SYSTEM_ROLE, "occurred_at": sim.now}
            sim.submit(c.ReportPage(**fields, page_id=page_id, delivered=False))
        due = sim.engine.next_deadline()
        if not sim.pages and (due is None or due - sim.now > SOON):
            return
        sim.now += timedelta(seconds=16) if sim.pages or due is None else max(due - sim.now, timedelta(0))
        sim.sweep()


def report_twice(sim: Simulation) -> None:
    """The same page is reported again under another id: the first word stands, nothing moves."""
    if not sim.pages:
        return
    page_id = sim.pages.pop(sim.random.randrange(len(sim.pages)))
    told = {**sim.identity(), "actor": c.SYSTEM_ACTOR, "role": c.SYSTEM_ROLE, "occurred_at": sim.now}
    sim.submit(c.ReportPage(**told, page_id=page_id, delivered=sim.random.random() < 0.5))
    before = sim.engine.episode
    again = {**told, "command_id": f"{told['command_id']}-again", "expected_revision": None}
    receipt = sim.submit(c.ReportPage(**again, page_id=page_id, delivered=sim.random.random() < 0.5))
    assert receipt.refusal is not None
    after = sim.engine.episode
    assert before is not None
    assert after is not None
    assert after.obligations == before.obligations
    sim.faults["page reported twice"] += 1


def move_in_the_middle(sim: Simulation) -> None:
    """Somebody moves the episode while pages are under way; the engine crashes, and then the pages are reported."""
    if not sim.newer or sim.engine.episode is None or sim.engine.episode.closed_at is not None:
        return
    sim.submit(c.DeclareEmergency(**{**sim.identity(), "occurred_at": sim.now, "expected_revision": None}))
    onto, under_way = sim.newer[0], sim.engine.episode.pages_open
    signed = {"sign_off_by": "dora", "sign_off_role": "supervisor", "sign_off_reason": "r"}
    fields = {**sim.identity(), **signed, "role": sim.menu.roles[0], "occurred_at": sim.now, "expected_revision": None}
    moving = c.Migrate(**fields, protocol_hash=onto.content_hash)
    receipt = sim.submit(moving, onto)
    crash(sim)
    assert sim.engine.submit(moving, sim.now, onto) == receipt, "sent again by who had no answer"
    assert not sim.engine.rows
    assert not sim.engine.effects
    for page_id in [one for one in sim.pages if one in under_way]:
        sim.pages.remove(page_id)
        told = {**sim.identity(), "actor": c.SYSTEM_ACTOR, "role": c.SYSTEM_ROLE, "occurred_at": sim.now}
        sim.submit(c.ReportPage(**told, page_id=page_id, delivered=sim.random.random() < 0.5))
    if receipt.refusal is None:
        sim.faults["moved in the middle"] += 1


def send_again(sim: Simulation) -> None:
    """The same command arrives twice; the answer is the same and nothing happens."""
    sim.faults["duplicate command"] += 1
    command, receipt = sim.random.choice(sim.answered)
    before = sim.engine.episode
    assert sim.engine.submit(command, sim.now) == receipt
    assert sim.engine.episode is before
    assert not sim.engine.rows
    assert not sim.engine.effects


def reuse_id(sim: Simulation) -> None:
    """Another command arrives under an id that was used: refused, and nothing happens."""
    sim.faults["reused command id"] += 1
    command, receipt = sim.random.choice(sim.answered[-MOST_RECEIPTS:])
    before, kept = sim.engine.episode, dict(sim.engine.receipts)
    other = {**sim.identity(), "command_id": command.command_id}
    refused = sim.engine.submit(c.AddAddendum(**other, refers_to=1, text=f"not {receipt.revision}"), sim.now)
    assert refused.refusal is not None
    assert refused.events == (refused.refusal,)
    assert refused.refusal.code == "command_id_reused"
    assert sim.engine.episode is before
    assert sim.engine.receipts == kept
    assert not sim.engine.rows
    assert not sim.engine.effects
    sim.turned_away.append(refused.refusal.code)


def crash(sim: Simulation) -> None:
    """The engine is rebuilt from what was kept: its state as JSON, the head of the trail, the receipts."""
    sim.faults["crash"] += 1
    engine = sim.engine
    kept = EPISODE.dump_json(engine.episode) if engine.episode is not None else None
    read = {name: RECEIPT.validate_json(one) for name, one in engine.receipts.items()}
    receipts = {name: RECEIPT.dump_json(one).decode() for name, one in read.items()}
    episode = EPISODE.validate_json(kept) if kept is not None else None
    assert episode == engine.episode
    assert receipts == engine.receipts
    sim.engine = Engine(
        engine.spec, sim.episode_id, KEY, episode, Head(engine.head.sequence, engine.head.hash), receipts
    )
