"""The chain holds for what was written and breaks, at the right row, for anything else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import NotCanonicalError, canonical, leaves, rfc3339
from protocol.trail import (
    DisclosedRow,
    Entry,
    Head,
    Shown,
    TrailRow,
    Withheld,
    Wrong,
    append,
    commit,
    disclose,
    genesis,
    link_of,
    payload_of,
    row_hash,
    verify,
)

KEY = bytes(range(32))
START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
)
documents = st.dictionaries(words, json_values, max_size=3)
payloads = st.dictionaries(words, scalars, min_size=1, max_size=3)


def entry(sequence: int, payload: dict[str, Any], episode_id: str = "ep-1") -> Entry:
    at = START + timedelta(seconds=sequence)
    return Entry(episode_id, sequence, at, at, "lee", "therapist", f"c-{sequence}", "FactsRecorded", payload)


def chain(payloads: Iterable[dict[str, Any]], episode_id: str = "ep-1", key: bytes = KEY) -> list[TrailRow]:
    head, rows = genesis(episode_id), list[TrailRow]()
    for sequence, payload in enumerate(payloads, start=1):
        rows.append(append(head, entry(sequence, payload, episode_id), key))
        head = rows[-1].head
    return rows


def rehashed(row: TrailRow) -> TrailRow:
    """What a forger does who knows the format: the row's own hash is right again."""
    return replace(row, hash=row_hash(*link_of(row)[:-1]))


chains = st.lists(payloads, min_size=1, max_size=5).map(chain)


def fault_of(rows: Iterable[TrailRow | DisclosedRow], expected: Head | None = None) -> tuple[Wrong, int] | None:
    fault = verify(rows, "ep-1", expected)
    return None if fault is None else (fault.wrong, fault.sequence)


@given(chains)
def test_what_was_written_verifies(rows: list[TrailRow]) -> None:
    assert verify(rows, "ep-1", rows[-1].head) is None


def test_an_empty_chain_verifies_unless_rows_were_expected() -> None:
    assert verify([], "ep-1") is None
    assert fault_of([], Head(2, "ab")) == (Wrong.TRUNCATED, 1)


@given(chains, st.data())
def test_a_changed_column_is_found_at_its_row(rows: list[TrailRow], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from([field.name for field in fields(TrailRow)]))
    row = rows[place]
    changed = data.draw(other(getattr(row, column)))
    assert isinstance(changed, type(getattr(row, column)))
    rows[place] = replace(row, **{column: changed})
    fault = verify(rows, "ep-1", rows[-1].head if place < len(rows) - 1 else None)
    assert fault is not None
    assert fault.sequence <= place + 1
    if column != "sequence":
        assert fault.sequence == place + 1


def other(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, dict):
        return payloads.filter(lambda payload: leaves(payload) != leaves(value))
    if isinstance(value, datetime):
        return st.timedeltas(timedelta(microseconds=1), timedelta(days=9)).map(lambda by: value + by)
    if isinstance(value, int):
        return st.integers(-1, 9).filter(lambda number: number != value)
    if len(value) == 64:
        flipped = {digit: "0123456789abcdef"[int(digit, 16) ^ 1] for digit in "0123456789abcdef"}
        places = st.integers(0, 63)
        return places.map(lambda at: value[:at] + flipped[value[at]] + value[at + 1 :])
    return words.filter(lambda text: text != value)


@given(chains, st.data())
def test_an_edited_row_with_its_hash_made_anew_is_found(rows: list[TrailRow], data: st.DataObject) -> None:
    head = rows[-1].head
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = rehashed(replace(rows[place], actor="somebody else"))
    last = place == len(rows) - 1
    assert fault_of(rows, head) == (Wrong.REWRITTEN if last else Wrong.UNLINKED, place + 1)


@given(chains, st.data())
def test_a_deleted_row_is_named(rows: list[TrailRow], data: st.DataObject) -> None:
    head = rows[-1].head
    place = data.draw(st.integers(0, len(rows) - 1))
    last = place == len(rows) - 1
    del rows[place]
    assert fault_of(rows, head) == (Wrong.TRUNCATED if last else Wrong.MISSING, place + 1)


@given(chains, st.data())
def test_a_repeated_row_is_named(rows: list[TrailRow], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    assert fault_of([*rows[: place + 1], *rows[place:]]) == (Wrong.INSERTED, place + 1)


@given(st.lists(payloads, min_size=2, max_size=6).map(chain), st.data())
def test_two_rows_in_each_others_place_are_named(rows: list[TrailRow], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(rows) - 2))
    second = data.draw(st.integers(first + 1, len(rows) - 1))
    rows[first], rows[second] = rows[second], rows[first]
    assert fault_of(rows) == (Wrong.REORDERED, first + 1)


@given(chains, st.data())
def test_a_row_of_another_episode_is_named(rows: list[TrailRow], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    foreign = chain([{} for _ in rows], "ep-2")[place]
    assert fault_of([*rows[:place], foreign, *rows[place + 1 :]]) == (Wrong.FOREIGN, place + 1)
    relabelled = replace(foreign, episode_id="ep-1")
    assert fault_of([*rows[:place], relabelled, *rows[place + 1 :]]) == (Wrong.EDITED, place + 1)


@given(chains, st.data())
def test_a_chain_rewritten_to_its_end_is_found_by_the_expected_head(rows: list[TrailRow], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    forged = [row.payload or {} for row in rows]
    forged[place] = {"forged": True}
    assert fault_of(chain(forged)) is None, "nothing inside the records can tell"
    if forged[place] != rows[place].payload:
        assert fault_of(chain(forged), rows[-1].head) == (Wrong.REWRITTEN, len(rows))
    assert fault_of(rows[: place + 1], replace(rows[-1].head, sequence=99)) == (Wrong.TRUNCATED, place + 2)
    if place < len(rows) - 1:
        assert fault_of(rows, rows[place].head) == (Wrong.INSERTED, place + 2)


def test_a_malformed_row_is_a_fault_and_no_crash() -> None:
    (row,) = chain([{"a": 1}])
    for broken in (
        replace(row, actor=None),  # type: ignore[arg-type]
        replace(row, actor="\ud800"),
        replace(row, salt="no hex"),
        replace(row, salt=None),
        replace(row, payload=None),
        replace(row, payload={"a": math.nan}),
    ):
        assert verify([broken], "ep-1") is not None


@given(st.lists(payloads, min_size=1, max_size=4).map(chain), st.data())
def test_a_chain_with_destroyed_keys_still_verifies(rows: list[TrailRow], data: st.DataObject) -> None:
    head = rows[-1].head
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = replace(rows[place], payload=None, salt=None)
    assert verify(rows, "ep-1", head) is None
    rows[place] = replace(rows[place], kind="StepSkipped")
    assert fault_of(rows) == (Wrong.EDITED, place + 1)


@given(documents, st.sets(st.integers(0, 20)))
def test_withheld_values_keep_a_row_verifiable(payload: dict[str, Any], hidden: set[int]) -> None:
    (row,) = chain([payload])
    paths: list[str] = []
    disclose(row, lambda path: bool(paths.append(path)))
    withheld = {path for number, path in enumerate(paths) if number in hidden}
    disclosed = disclose(row, withheld.__contains__)
    assert verify([disclosed], "ep-1", row.head) is None
    shown = [value.leaf for value in disclosed.values if isinstance(value, Shown)]
    assert [json.JSONDecoder().raw_decode(leaf)[0] for leaf in shown] == [p for p in paths if p not in withheld]


@given(payloads.filter(leaves), st.data())
def test_a_disclosed_value_cannot_be_changed(payload: dict[str, Any], data: st.DataObject) -> None:
    (row,) = chain([payload])
    disclosed = disclose(row, lambda _path: data.draw(st.booleans()))
    place = data.draw(st.integers(0, len(disclosed.values) - 1))
    value = disclosed.values[place]
    forged = Withheld("00" * 32) if isinstance(value, Withheld) else Shown(value.leaf + " ", value.salt)
    values = (*disclosed.values[:place], forged, *disclosed.values[place + 1 :])
    assert fault_of([replace(disclosed, values=values)]) == (Wrong.CONTENT, 1)


def test_one_fact_can_be_withheld_without_its_neighbours() -> None:
    facts = {"ideation": "yes", "last_drink": "today"}
    (row,) = chain([payload_of({"facts": facts}, {"kind": "RecordFacts", "facts": facts})])
    disclosed = disclose(row, lambda path: path.endswith("/last_drink"))
    assert [value.leaf for value in disclosed.values if isinstance(value, Shown)] == [
        '"command/facts/ideation":"yes"',
        '"command/kind":"RecordFacts"',
        '"event/facts/ideation":"yes"',
    ]
    assert "drink" not in repr(disclosed)
    assert "today" not in repr(disclosed)


def test_equal_values_leave_no_equal_traces() -> None:
    rows = chain([{"sober": "no", "calm": "no"}] * 2)
    hidden = [
        value.hash for row in rows for value in disclose(row, lambda _path: True).values if isinstance(value, Withheld)
    ]
    assert len(set(hidden)) == 4
    assert rows[0].commitment != rows[1].commitment
    assert chain([{"sober": "no"}], key=b"x" * 32)[0].commitment != chain([{"sober": "no"}])[0].commitment


def test_a_destroyed_row_cannot_be_disclosed() -> None:
    (row,) = chain([{"a": 1}])
    with pytest.raises(ValueError, match="row 1 cannot be read"):
        disclose(replace(row, payload=None, salt=None), lambda _path: False)


def test_only_the_next_entry_can_be_appended() -> None:
    with pytest.raises(ValueError, match="entry 3 cannot follow row 0"):
        append(genesis("ep-1"), entry(3, {}), KEY)


@given(json_values)
def test_the_canonical_form_survives_being_read(value: Any) -> None:
    written = canonical(value)
    assert canonical(json.loads(written)) == written


@given(documents, documents)
def test_different_documents_have_different_leaves(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert (leaves(one) == leaves(two)) == (canonical(one) == canonical(two))


@given(documents)
def test_a_commitment_survives_transport(payload: dict[str, Any]) -> None:
    assert commit(json.loads(json.dumps(payload)), "ab" * 32) == commit(payload, "ab" * 32)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        {1: "a"},
        [{None: 1}],
        "\ud800",
        {"a": ["\udfff"]},
        b"",
        START,
        {"a": object()},
        {1, 2},
    ],
)
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonicalError):
        canonical(value)
    with pytest.raises(NotCanonicalError):
        append(genesis("ep-1"), entry(1, {"value": value}), KEY)


def test_the_written_forms_are_fixed() -> None:
    """Golden: rows already written must verify for ever."""
    assert canonical({"b": [1, 2.5, None], "a/": "é\n"}) == '{"a/":"é\\n","b":[1,2.5,null]}'.encode()
    assert leaves({"b": {"~/": True, "": {}}, "a": []}) == [b'"a":[]', b'"b/":{}', b'"b/~0~1":true']
    summer = datetime(2026, 7, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=-7)))
    assert rfc3339(summer) == "2026-07-01T09:00:00.000005Z"
    with pytest.raises(NotCanonicalError, match="zone"):
        rfc3339(datetime(2026, 7, 1, 2))  # noqa: DTZ001
    for fold, written in ((0, "2026-10-25T00:30:00.000000Z"), (1, "2026-10-25T01:30:00.000000Z")) * 2:
        twice = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"), fold=fold)
        assert rfc3339(twice) == written  # the two count as equal
    row = chain([{"facts": {"ideation": "yes"}, "score": 7}])[0]
    assert (row.commitment[:16], row.previous_hash[:16], row.hash[:16]) == (
        "4b1c2a6a7fffac21",
        "d67d7478ef8b16ed",
        "6fcfb58b6ccbac24",
    )
