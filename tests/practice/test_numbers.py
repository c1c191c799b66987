from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from audit.database import Database
from practice.numbers import NumberError, Numbers
from practice.tables import number_changes
from protocol.directory import Directory, unapproved_changes
from protocol_specs.loader import load
from tests.audit.records import START

DIRECTORY = load(Path(__file__).parents[2] / "protocol_specs" / "directory.yaml", Directory)
LINE = "orange_oc_links"
OTHER = [{"by": "call", "number": "714-555-0100", "then": ""}]


@pytest.fixture
def numbers(records: Database) -> Numbers:
    return Numbers(records)


async def proposed(numbers: Numbers) -> str:
    return await numbers.propose(DIRECTORY, LINE, OTHER, "read on the county's page", "ruth", START)


async def test_a_number_changes_only_when_a_second_person_says_so(numbers: Numbers):
    change_id = await proposed(numbers)
    assert await numbers.current(DIRECTORY) == DIRECTORY
    with pytest.raises(NumberError, match="another person"):
        await numbers.answer(change_id, "ruth", START, approve=True)
    await numbers.answer(change_id, "gale", START, approve=True)
    after = await numbers.current(DIRECTORY)
    found = after.resources[LINE]
    assert [way.number for way in found.ways] == ["714-555-0100"]
    assert found.change is not None
    assert (found.change.changed_by, found.change.approved_by) == ("ruth", "gale")
    assert found.never_called
    assert unapproved_changes(DIRECTORY, after) == ()
    assert await numbers.waiting() == ()


async def test_what_was_turned_down_or_answered_stays_so(numbers: Numbers):
    change_id = await proposed(numbers)
    await numbers.answer(change_id, "gale", START, approve=False)
    with pytest.raises(NumberError):
        await numbers.answer(change_id, "iris", START, approve=True)
    assert await numbers.current(DIRECTORY) == DIRECTORY


async def test_the_database_itself_asks_for_two_people(records: Database):
    row = {"change_id": "x", "resource": LINE, "before": [], "after": [], "reason": "", "proposed_by": "ruth",
           "proposed_at": START, "answered_by": "ruth", "answered_at": START, "approved": True}  # fmt: skip
    with pytest.raises(IntegrityError):
        await records.write(lambda connection: connection.execute(insert(number_changes), row))


async def test_a_change_of_numbers_that_are_no_more_changes_nothing(numbers: Numbers):
    for number in ("714-555-0100", "714-555-0101"):
        ways = [{"by": "call", "number": number, "then": ""}]
        await numbers.answer(
            await numbers.propose(DIRECTORY, LINE, ways, "read", "ruth", START), "gale", START, approve=True
        )
    after = await numbers.current(DIRECTORY)
    assert len(after.resources[LINE].ways) == 1
    assert after.resources[LINE].ways[0].number in ("714-555-0100", "714-555-0101")


@pytest.mark.parametrize(
    ("resource", "ways", "reason", "words"),
    [
        ("nowhere", OTHER, "read", "no such resource"),
        (LINE, [{"by": "call", "number": "12", "then": ""}], "read", "a number is"),
        (LINE, [], "read", "one to four"),
        (LINE, [way.model_dump() for way in DIRECTORY.resources[LINE].ways], "read", "has already"),
        (LINE, OTHER, " ", "where you read"),
    ],
)
async def test_a_proposal_says_what_is_wrong(
    numbers: Numbers, resource: str, ways: list[dict[str, str]], reason: str, words: str
):
    with pytest.raises(NumberError, match=words):
        await numbers.propose(DIRECTORY, resource, ways, reason, "ruth", START)
