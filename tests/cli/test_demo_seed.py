"""The fictional episodes of the first start are what the protocols accept."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.demo_seed import SEEDS, Seed, commands_of
from protocol.engine import Engine
from protocol.rota import Rota
from protocol_specs.loader import load, load_protocol

SPECS = Path(__file__).parent.parent.parent / "protocol_specs"
NOW = datetime(2026, 12, 1, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.episode_id)
def test_a_fictional_episode_is_accepted_in_every_step(seed: Seed) -> None:
    engine = Engine(load_protocol(SPECS / f"{seed.protocol}.yaml"), seed.episode_id, bytes(32))
    for command in commands_of(seed, NOW):
        receipt = engine.submit(command, NOW)
        assert receipt.refusal is None
    assert engine.next_deadline() is not None


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.episode_id)
def test_fictional_episodes_belong_to_people_of_the_rota(seed: Seed) -> None:
    assert seed.role in load(SPECS / "rota.yaml", Rota).by_id[seed.by].roles


def test_the_first_start_shows_different_places_of_the_protocols() -> None:
    ids = [seed.episode_id for seed in SEEDS]
    assert len({one[:8] for one in ids}) == len(ids)
    assert {True, False} == {seed.drill for seed in SEEDS}
    assert len({seed.protocol for seed in SEEDS}) > 1
