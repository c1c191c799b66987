from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from audit.database import Database
from audit.sealing import SealingError
from practice.client_lists import COLUMNS, read_csv
from practice.clients import Clients, Consent, StaleClient, Unreadable, read_file
from practice.sealing import Seal
from practice.tables import clients
from tests.audit.records import RING, START

DANA = {"name": "Dana R.", "phone": "510-555-0137", "born": "1992-04-11", "contacts": [{"name": "Ines"}]}


@pytest.fixture
def kept(records: Database) -> Clients:
    return Clients(records, Seal(RING))


async def test_a_file_comes_back_as_it_was(kept: Clients):
    client_ref = await kept.add(read_file(DANA), START)
    found = await kept.get(client_ref)
    assert found is not None
    assert found.file == read_file(DANA)
    assert found.file.born == date(1992, 4, 11)
    assert await kept.names([client_ref, "nobody"]) == {client_ref: "Dana R."}


async def test_what_describes_a_client_lies_sealed(kept: Clients, records: Database):
    client_ref = await kept.add(read_file(DANA), START)
    row = await records.read(lambda connection: connection.execute(select(clients)).one())
    assert b"Dana" not in row.sealed
    assert client_ref.startswith("client-")
    with pytest.raises(SealingError):
        Seal(RING).open(row.sealed, "client", "another")


async def test_the_slower_of_two_people_is_told(kept: Clients):
    client_ref = await kept.add(read_file(DANA), START)
    await kept.save(client_ref, read_file({**DANA, "phone": "1" * 7}), 1, START)
    with pytest.raises(StaleClient):
        await kept.save(client_ref, read_file(DANA), 1, START)
    found = await kept.get(client_ref)
    assert found is not None
    assert (found.file.phone, found.revision) == ("1111111", 2)


async def test_adding_a_known_reference_changes_nothing(kept: Clients):
    await kept.add(read_file(DANA), START, "client-1")
    await kept.add(read_file({"name": "Other"}), START, "client-1")
    assert await kept.names(["client-1"]) == {"client-1": "Dana R."}


def test_a_consent_runs_out_after_its_last_day():
    consent = Consent(kind="Telehealth", answer="given", until=date(2026, 12, 1))
    assert not consent.lapsed(date(2026, 12, 1))
    assert consent.lapsed(date(2026, 12, 2))
    assert not Consent(kind="Telehealth", answer="refused", until=date(2020, 1, 1)).lapsed(date(2026, 12, 2))


def test_lines_are_read_with_their_contact():
    text = "name,phone,contact_name,contact_consent\nDana,510-555-0137,Ines,given\nLuis,,,\n"
    dana, luis = read_csv(text)
    assert (dana.name, dana.contacts[0].name, dana.contacts[0].consent) == ("Dana", "Ines", "given")
    assert luis.contacts == ()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("who\nDana\n", "line 1", "no column who"),
        ("name\n", "line 2", "no client below the heading"),
        ("name,phone\nDana,call me\n", "line 2", "phone: write digits"),
        ("name,born\nDana,tomorrow\n", "line 2", "born: write a day"),
        ("name\nDana,1,2\n", "line 2", "more cells"),
        ('name\n"Dana\n', "", "is no CSV"),
        ("name\n" + "x\n" * 1_001, "line 1002", "at most 1000"),
    ],
)
def test_wrong_lines_are_named_and_nothing_is_kept(text: str, place: str, words: str):
    with pytest.raises(Unreadable) as refused:
        read_csv(text)
    assert any(where.startswith(place) and words in said for where, said in refused.value.problems)


def test_every_column_can_be_imported():
    ends = {"born": "1990-01-01", "phone": "1234567", "consent": "given", "on": "2026-01-01", "until": "2027-01-01"}
    answers = {one: "given" for one in COLUMNS if one.startswith("consent_") and one.rpartition("_")[2] not in ends}
    line = ",".join(answers.get(one) or ends.get(one.rpartition("_")[2], "x") for one in COLUMNS)
    (file,) = read_csv(f"{','.join(COLUMNS)}\n{line}\n")
    assert [one.scope for one in file.contacts] == ["x", "x", "x"]
    assert len(file.consents) == len(answers)
