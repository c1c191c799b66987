"""What one run of an episode hands to the next: enough to answer what is sent again, and no more than fits."""

from __future__ import annotations

from pydantic import TypeAdapter
from pydantic_core import to_json

from protocol import commands as c
from protocol.engine import Engine
from tests.protocol.specs import compact
from tests.protocol.story import KEY, Story, code
from workflows.carrying import LARGEST_RECEIPTS, engine_of, latest
from workflows.messages import Carried, EpisodeInput

CARRIED = TypeAdapter(Carried)


def carried_on(engine: Engine) -> Engine:
    """The engine of the next run."""
    kept = Carried(episode=engine.episode, head=engine.head, receipts=latest(engine.receipts))
    read = CARRIED.validate_json(to_json(kept))
    return engine_of(EpisodeInput(engine.episode_id, compact().canonical(), KEY.hex(), read))


def test_the_next_run_answers_what_is_sent_again_and_refuses_a_used_id():
    story = Story.begun()
    told = {"command_id": "x", "actor": "mara", "role": "therapist", "occurred_at": story.now}
    first = story.engine.submit(c.RecordFacts(**told, facts={"safe": "yes"}), story.now)
    engine = carried_on(story.engine)
    assert engine.submit(c.RecordFacts(**told, facts={"safe": "yes"}), story.now) == first
    assert code(engine.submit(c.RecordFacts(**told, facts={"safe": "no"}), story.now)) == "command_id_reused"
    assert engine.episode == story.episode
    assert not engine.rows


def test_the_latest_receipts_are_kept_as_far_as_they_fit():
    story = Story.begun()
    for number in range(40):
        story.answer(story=f"{number} " + "x" * 3900, address="y" * 3900, safe="yes")
    receipts = story.engine.receipts
    newest = list(receipts.values())[-1]
    many = {
        f"{number}-{name}": one for number in range(LARGEST_RECEIPTS // len(newest)) for name, one in receipts.items()
    }
    kept = latest(many)
    assert LARGEST_RECEIPTS - 10_000 < sum(map(len, kept.values())) <= LARGEST_RECEIPTS
    assert len(newest) < 10_000
    assert list(kept) == list(many)[-len(kept) :]
    assert kept[list(many)[-1]] == newest
    assert latest(receipts) == receipts
