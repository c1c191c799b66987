"""The list of publications on both databases: chained, signed, checked, and kept for when the records are away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit.database import Database, connect
from audit.publications import PublicationError, Publications
from audit.published import Current
from audit.signatures import SigningKeys
from protocol.facts import Refused
from protocol.publishing import Publication, Record
from protocol.spec import ProtocolSpec
from tests.audit.records import START, sqlite_url
from tests.protocol.specs import compact, protocol

KEYS = SigningKeys([("s1", b"s" * 32)])
OTHERS = SigningKeys([("s1", b"o" * 32)])
NEXT = protocol(version="1.1.0")


def published(spec: ProtocolSpec, hours: int = 0) -> Publication:
    at = START + timedelta(hours=hours)
    about = (at, spec.protocol, spec.version, spec.content_hash, "dora", "supervisor")
    return Publication("published", *about, effective_at=at)


async def filled(records: Database) -> Publications:
    publications = Publications(records, KEYS)
    for number, spec in enumerate((compact(), NEXT)):
        done = published(spec, number)
        assert await publications.add(spec, lambda _, done=done: done) == done
    return publications


async def test_what_was_done_is_read_back_in_order(records: Database) -> None:
    publications = await filled(records)
    assert (await publications.read()).record == (published(compact()), published(NEXT, 1))
    unsigned = await Publications(records).read()
    assert (len(unsigned.record), unsigned.signatures_checked) == (2, False)


async def test_a_rule_sees_what_was_done_before_and_its_refusal_writes_nothing(records: Database) -> None:
    publications = await filled(records)
    seen: list[int] = []

    def rule(record: Record) -> Refused:
        seen.append(len(record))
        return Refused("no", "No.", "Don't.")

    assert isinstance(await publications.add(compact(), rule), Refused)
    assert seen == [2]
    assert len((await publications.read()).record) == 2


async def test_nothing_is_added_without_a_key(records: Database) -> None:
    with pytest.raises(ValueError, match="signing key"):
        await Publications(records).add(compact(), lambda _: published(compact()))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE publications SET said = replace(said, 'dora', 'finn') WHERE number = 1", "publication 1 was changed"),
        ("UPDATE publications SET act = 'retired' WHERE number = 2", "publication 2: its columns"),
        ("UPDATE publications SET signature = 'ab' WHERE number = 2", "publication 2: the signature"),
        ("DELETE FROM publications WHERE number = 1", "publication 1 is missing"),
        ("UPDATE publications SET hash = previous_hash WHERE number = 1", "publication 1 was changed"),
    ],
)
async def test_an_edit_past_the_guards_is_found(tmp_path: Path, change: str, found: str) -> None:
    from audit.migrate import upgrade

    upgrade(sqlite_url(tmp_path))
    records = connect(sqlite_url(tmp_path))
    publications = await filled(records)
    with records.engine.begin() as connection:
        for act in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER publications_no_{act}"))
        connection.execute(text(change))
    with pytest.raises(PublicationError, match=found):
        await publications.read()
    await records.dispose()


async def test_a_list_written_with_another_key_is_found(records: Database) -> None:
    await filled(records)
    with pytest.raises(PublicationError, match="the signature does not fit"):
        await Publications(records, OTHERS).read()


async def test_a_new_episode_takes_the_version_in_effect(records: Database, tmp_path: Path) -> None:
    current = Current(records, await filled(records), tmp_path)
    for hours, version in ((0, "1.0.0"), (1, "1.1.0")):
        found = await current.of("compact", START + timedelta(hours=hours))
        assert found is not None
        assert (found.spec.version, found.warning) == (version, "")
    assert await current.of("another", START) is None


async def test_the_last_known_version_counts_while_the_records_are_away(records: Database, tmp_path: Path) -> None:
    now = START + timedelta(hours=2)
    await Current(records, await filled(records), tmp_path).of("compact", now)
    away = connect(f"sqlite:////{tmp_path}/no/such/folder/records.db")
    lost = Current(away, Publications(away), tmp_path)
    found = await lost.of("compact", now)
    assert found is not None
    assert found.spec == NEXT
    assert "last known" in found.warning
    with pytest.raises(DBAPIError):
        await lost.of("another", now)
    (tmp_path / "compact.json").write_text((tmp_path / "compact.json").read_text().replace("For tests.", "Changed."))
    with pytest.raises(DBAPIError):
        await lost.of("compact", now)
    await away.dispose()
