"""The rota of the file with the changes of the application over it: kept with who and when, tried before, undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audit.database import Database, connect
from practice.rotas import Change, RotaError, Rotas, new_change
from protocol.roster import answering
from protocol.rota import Rota, parse_rota, resolve
from tests.audit.records import sqlite_url

NOW = datetime(2026, 12, 1, 20, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")
MAYA = {"person": "maya", "first": "2026-12-01", "last": "2026-12-02", "cover": "sam"}


def staff(**more: Any) -> Rota:
    people = [
        {"id": one, "name": one.title(), "roles": ["on_call"], "email": f"{one}@staff.example"}
        for one in ("maya", "sam")
    ]
    return parse_rota({"people": people, **more})


class File:
    """The file, which somebody may change meanwhile."""

    zone = ZONE

    def __init__(self, rota: Rota) -> None:
        self.rota = rota

    async def current(self) -> Rota:
        return self.rota


def leave(**changes: Any) -> Change:
    return new_change("add", "leave", {**MAYA, **changes}, "ruth", NOW)


async def test_a_leave_counts_at_once_and_no_more_when_it_is_undone(records: Database):
    rotas = Rotas(File(staff()), records)
    change = leave()
    await rotas.save(change)
    await rotas.save(change)
    assert [one.id for one in resolve(await rotas.current(), "owner", NOW, "maya")] == ["sam"]
    (kept,) = await rotas.listed()
    assert (kept.by, kept.at, kept.undone_at) == ("ruth", NOW, None)
    await rotas.undo(change.change_id, "gale", NOW)
    assert [one.id for one in resolve(await rotas.current(), "owner", NOW, "maya")] == ["maya"]
    (kept,) = await rotas.listed()
    assert (kept.undone_by, kept.undone_at) == ("gale", NOW)
    with pytest.raises(RotaError, match="no such change"):
        await rotas.undo(change.change_id, "gale", NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (leave(person="nobody"), "names 'nobody', who is not among"),
        (new_change("add", "shifts", {"role": "nurse", "person": "sam"}, "ruth", NOW), "shift"),
        (new_change("remove", "leave", MAYA, "ruth", NOW), "does not stand in the rota"),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_kept(records: Database, change: Change, why: str):
    rotas = Rotas(File(staff()), records)
    with pytest.raises(RotaError, match=why):
        await rotas.save(change)
    assert await rotas.listed() == ()


async def test_a_change_that_the_file_no_longer_fits_changes_nothing(records: Database):
    file = File(staff())
    rotas = Rotas(file, records)
    await rotas.save(leave())
    sam = {"id": "sam", "name": "Sam", "roles": ["on_call"], "email": "sam@staff.example"}
    file.rota = parse_rota({"people": [sam]})
    assert (await rotas.current()).leave == ()


async def test_what_stands_in_the_file_can_be_taken_away(records: Database):
    rotas = Rotas(File(staff(leave=[MAYA])), records)
    await rotas.save(new_change("remove", "leave", MAYA, "ruth", NOW))
    assert (await rotas.current()).leave == ()


async def test_while_the_records_are_away_the_changes_last_known_count(records: Database, tmp_path: Path):
    rotas = Rotas(File(staff()), records)
    await rotas.save(leave())
    await rotas.current()
    (tmp_path / "empty").mkdir()
    away = connect(sqlite_url(tmp_path / "empty"))
    rotas._database = away  # pyright: ignore[reportPrivateUsage] - the same one, which is away now
    assert len((await rotas.current()).leave) == 1
    assert (await Rotas(File(staff()), away).current()).leave == ()
    await away.dispose()


def test_a_day_is_told_in_stretches_without_a_gap_between_them():
    weekly = {"days": ["tue"], "begins": "08:00", "ends": "12:00"}
    rota = staff(shifts=[{"role": "on_call", "person": "sam", "weekly": weekly}])
    begins = datetime(2026, 12, 1, tzinfo=ZONE).astimezone(UTC)
    day = answering(rota, "on_call", begins, begins + timedelta(days=1))
    assert [[one.id for one in stretch.people] for stretch in day] == [[], ["sam"], []]
    assert [stretch.ends.astimezone(ZONE).hour for stretch in day] == [8, 12, 0]
    assert all(first.ends == then.begins for first, then in pairwise(day))
