"""Ten thousand random changes to a trail, by somebody who owns the database and in part every key: all are found.

The rows lie in memory and go through the very check that reads them from a database. What is known from outside is
what an auditor has: marks of checkpoints that were kept, and the end that each workflow remembers.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from audit.sealing import ClientKey, Place
from audit.verify import ChainCheck, FoundKey, StoredRow
from protocol.canonical import rfc3339
from protocol.trail import Fault, Head, Link, TrailRow, genesis, link_of, row_hash
from tests.audit.records import rows

MUTATIONS = 10_000
ROWS = 12
MARKED = (4, 8, ROWS)
"""Rows of each episode that checkpoints vouch for."""
EPISODES = ("ep-1", "ep-2")


Trail = dict[str, list[StoredRow]]
KEYS = {"k-1": ("client-1", ClientKey("k-1", b"1" * 32)), "k-2": ("client-2", ClientKey("k-2", b"2" * 32))}
FOUND = {name: FoundKey(client, key) for name, (client, key) in KEYS.items()}
CLEAR = ("occurred_at", "recorded_at", "actor", "role", "command_id", "kind", "commitment")
TEXTS = ("previous_hash", *CLEAR, "hash", "key_id", "written_at")
Mutation = Callable[[Trail, random.Random], tuple[str, int]]
"""Changes a trail; the episode and the row that must be named."""


def test_a_stored_row_begins_with_its_link():
    assert StoredRow._fields == (*Link._fields, "sealed", "key_id", "written_at")


def stored(row: TrailRow, key_id: str) -> StoredRow:
    written = rfc3339(row.recorded_at)
    place = Place(row.episode_id, row.sequence, row.hash, key_id, written)
    assert row.payload is not None
    assert row.salt is not None
    return StoredRow(*link_of(row), KEYS[key_id][1].seal(row.payload, row.salt, place), key_id, written)


ORIGINAL: Trail = {
    episode_id: [stored(row, f"k-{number}") for row in rows(ROWS, episode_id)]
    for number, episode_id in enumerate(EPISODES, start=1)
}
MARKS = {name: {number: trail[number - 1].hash for number in MARKED} for name, trail in ORIGINAL.items()}
ENDS = {name: Head(ROWS, trail[-1].hash) for name, trail in ORIGINAL.items()}


def first_fault(trail: Trail) -> Fault | None:
    """As `verify` finds it: every episode, rows by their sequence; the first bad row of the first bad episode."""
    everything = sorted((row for one in trail.values() for row in one), key=lambda row: (row.episode_id, row.sequence))
    faults: list[Fault] = []
    for episode_id in sorted({*MARKS, *(row.episode_id for row in everything)}):
        check = ChainCheck(episode_id, True, MARKS.get(episode_id, {}), Head(0, ""))
        for row in everything:
            if row.episode_id == episode_id:
                check.take(row, FOUND.get(row.key_id, FoundKey("", problem="its key is not in the records")))
        fault = check.verdict(ENDS.get(episode_id, genesis(episode_id))).fault
        if fault is not None:
            faults.append(fault)
    return next((fault for fault in faults if fault.episode_id in EPISODES), faults[0] if faults else None)


def pick(trail: Trail, chance: random.Random) -> tuple[str, int]:
    return chance.choice(EPISODES), chance.randint(1, ROWS)


def put(trail: Trail, episode: str, place: int, **changes: Any) -> StoredRow:
    trail[episode][place - 1] = changed = trail[episode][place - 1]._replace(**changes)
    return changed


def hash_of(row: StoredRow) -> str:
    return row_hash(*row[:10])


def another(value: str, chance: random.Random) -> str:
    """Some other text."""
    place = chance.randrange(len(value))
    letter = chance.choice([one for one in "0123456789abcdefxyz-: \u00e9" if one != value[place]])
    return chance.choice(
        [value[:place] + letter + value[place + 1 :], value + letter, value[:place] + value[place + 1 :], ""]
    )


def edit_a_column(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id, sequence = pick(trail, chance)
    name = chance.choice(TEXTS)
    row = trail[episode_id][sequence - 1]
    put(trail, episode_id, sequence, **{name: another(getattr(row, name), chance)})
    return episode_id, sequence


def edit_the_sealed_bytes(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id, sequence = pick(trail, chance)
    sealed = bytearray(trail[episode_id][sequence - 1].sealed)
    sealed[chance.randrange(len(sealed))] ^= 1 << chance.randrange(8)
    put(trail, episode_id, sequence, sealed=bytes(sealed[: chance.choice([len(sealed), len(sealed), 3])]))
    return episode_id, sequence


def move_to_another_number(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """A number before the first row is named itself: it stands where nothing may stand."""
    episode_id, sequence = pick(trail, chance)
    moved = sequence + chance.choice([ROWS, 1_000, -ROWS - 1])
    put(trail, episode_id, sequence, sequence=moved)
    return episode_id, min(sequence, moved)


def move_to_another_episode(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id, sequence = pick(trail, chance)
    put(trail, episode_id, sequence, episode_id=chance.choice(["ep-0", "ep-3", "ep-1 "]))
    return episode_id, sequence


def delete(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id, sequence = pick(trail, chance)
    del trail[episode_id][sequence - 1]
    return episode_id, sequence


def truncate(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id, sequence = pick(trail, chance)
    del trail[episode_id][sequence - 1 :]
    return episode_id, sequence


def reorder(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id = chance.choice(EPISODES)
    first, second = sorted(chance.sample(range(1, ROWS + 1), 2))
    there, here = trail[episode_id][second - 1], trail[episode_id][first - 1]
    trail[episode_id][first - 1] = there._replace(sequence=first)
    trail[episode_id][second - 1] = here._replace(sequence=second)
    return episode_id, first


def insert_in_between(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """Everything behind moves on by one."""
    episode_id, sequence = pick(trail, chance)
    there = trail[episode_id]
    behind = [row._replace(sequence=row.sequence + 1) for row in there[sequence - 1 :]]
    copied = there[chance.randrange(ROWS)]._replace(sequence=sequence)
    trail[episode_id] = [*there[: sequence - 1], copied, *behind]
    return episode_id, sequence if copied.hash != there[sequence - 1].hash else sequence + 1


def append_a_row(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """A row that continues the chain rightly, by somebody with every key: only the workflow knows of no such row."""
    episode_id = chance.choice(EPISODES)
    last = trail[episode_id][-1]
    head = Head(last.sequence, last.hash)
    trail[episode_id].append(stored(rows(1, episode_id, head, note=str(chance.random()))[0], last.key_id))
    return episode_id, ROWS + 1


def rehash_all_after_an_edit(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """By somebody without the keys: the seal of the first edited row does not fit any more."""
    episode_id, sequence = pick(trail, chance)
    name = chance.choice([one for one in CLEAR if one != "commitment"])
    row = put(trail, episode_id, sequence, **{name: another(getattr(trail[episode_id][sequence - 1], name), chance)})
    for number in range(sequence, ROWS + 1):
        row = put(trail, episode_id, number, hash=hash_of(trail[episode_id][number - 1]))
        if number < ROWS:
            put(trail, episode_id, number + 1, previous_hash=row.hash)
    return episode_id, sequence


def rewrite_with_every_key(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """Nothing inside shows it: the first mark of a checkpoint from there on does."""
    episode_id, sequence = pick(trail, chance)
    there = trail[episode_id]
    head = genesis(episode_id) if sequence == 1 else Head(sequence - 1, there[sequence - 2].hash)
    made = rows(ROWS - sequence + 1, episode_id, head, note=str(chance.random()))
    trail[episode_id] = [*there[: sequence - 1], *(stored(row, there[0].key_id) for row in made)]
    return episode_id, min(number for number in MARKED if number >= sequence)


def swap_between_episodes(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """Two rows take each other's episode, with or without their keys."""
    sequence, keyed = chance.randint(1, ROWS), chance.random() < 0.5
    ours, theirs = (trail[one][sequence - 1] for one in EPISODES)
    trail["ep-1"][sequence - 1] = theirs._replace(episode_id="ep-1", key_id=(theirs if keyed else ours).key_id)
    trail["ep-2"][sequence - 1] = ours._replace(episode_id="ep-2", key_id=(ours if keyed else theirs).key_id)
    return "ep-1", sequence


def swap_payloads(trail: Trail, chance: random.Random) -> tuple[str, int]:
    episode_id = chance.choice(EPISODES)
    first, second = sorted(chance.sample(range(1, ROWS + 1), 2))
    here, there = trail[episode_id][first - 1], trail[episode_id][second - 1]
    moved = ("sealed", "commitment")[: chance.randint(1, 2)]
    for number, other in ((first, there), (second, here)):
        put(trail, episode_id, number, **{name: getattr(other, name) for name in moved})
    return episode_id, first


def seal_something_else(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """With the client's own key, in the right place: the commitment knows better."""
    episode_id, sequence = pick(trail, chance)
    row = trail[episode_id][sequence - 1]
    place = Place(row.episode_id, row.sequence, row.hash, row.key_id, row.written_at)
    other = {"event": {"kind": "FactsRecorded", "facts": {"ideation": str(chance.random())}}}
    put(trail, episode_id, sequence, sealed=KEYS[row.key_id][1].seal(other, "ab" * 32, place))
    return episode_id, sequence


def restore_an_old_backup(trail: Trail, chance: random.Random) -> tuple[str, int]:
    """All episodes as they once were: whole in themselves; a checkpoint that was kept reaches further."""
    reach = {name: chance.randint(0, ROWS) for name in EPISODES}
    if all(number == ROWS for number in reach.values()):
        reach["ep-2"] = ROWS - 1
    for name, number in reach.items():
        del trail[name][number:]
    return next((name, number + 1) for name, number in reach.items() if number < ROWS)


MUTATORS: Sequence[Mutation] = (
    *(edit_a_column, edit_the_sealed_bytes, move_to_another_number, move_to_another_episode, delete, truncate),
    *(reorder, insert_in_between, append_a_row, rehash_all_after_an_edit, rewrite_with_every_key),
    *(swap_between_episodes, swap_payloads, seal_something_else, restore_an_old_backup),
)


def copy() -> Trail:
    return {name: list(trail) for name, trail in ORIGINAL.items()}


def test_an_untouched_trail_is_good():
    assert first_fault(copy()) is None


def found(mutate: Mutation, seed: int) -> bool:
    chance, trail = random.Random(seed), copy()
    expected = mutate(trail, chance)
    fault = first_fault(trail)
    assert fault is not None, f"{mutate.__name__} {seed} was not found"
    assert (fault.episode_id, fault.sequence) == expected, f"{mutate.__name__} {seed}: {fault}"
    return True


@pytest.mark.parametrize("mutate", MUTATORS, ids=lambda one: one.__name__)
def test_every_kind_of_change_is_found_at_its_row(mutate: Mutation):
    assert all(found(mutate, seed) for seed in range(8))


@pytest.mark.full
def test_ten_thousand_random_changes_are_all_found_at_their_row():
    chance = random.Random(11)
    kinds = Counter[str]()
    for seed in range(MUTATIONS):
        mutate = chance.choice(MUTATORS)
        assert found(mutate, seed)
        kinds[mutate.__name__] += 1
    assert kinds.total() == MUTATIONS
    assert len(kinds) == len(MUTATORS)
