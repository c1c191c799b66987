"""The rota may be edited while the worker runs; a slip never leaves a page without people."""

import os
from pathlib import Path

import pytest

from protocol.rota import Rota
from protocol_specs.loader import SpecErrors, load
from protocol_specs.rota_file import RotaFile

ROOT = Path(__file__).parents[2]
ONE = "people:\n  - {id: maya, name: Maya, roles: [therapist], email: maya@example.test}\n"
TWO = ONE + "  - {id: sam, name: Sam, roles: [therapist], email: sam@example.test}\n"


def write(path: Path, text: str, second: int) -> None:
    path.write_text(text)
    os.utime(path, (second, second))


async def people(rota: RotaFile) -> list[str]:
    return [person.id for person in (await rota.current()).people]


async def test_a_change_is_read_at_the_next_page(tmp_path: Path):
    path = tmp_path / "rota.yaml"
    write(path, ONE, 1)
    rota = RotaFile(path)
    assert await people(rota) == ["maya"]
    write(path, TWO, 2)
    assert await people(rota) == ["maya", "sam"]


async def test_a_broken_or_missing_file_keeps_the_last_good_rota(tmp_path: Path):
    path = tmp_path / "rota.yaml"
    write(path, ONE, 1)
    rota = RotaFile(path)
    write(path, "people: [", 2)
    assert await people(rota) == ["maya"]
    path.unlink()
    assert await people(rota) == ["maya"]
    write(path, TWO, 3)
    assert await people(rota) == ["maya", "sam"]


def test_a_broken_file_at_the_start_is_refused(tmp_path: Path):
    path = tmp_path / "rota.yaml"
    write(path, "people: []\n", 1)
    with pytest.raises(SpecErrors, match="people"):
        RotaFile(path)


def test_the_rota_that_ships_is_whole_and_fictional():
    rota = load(ROOT / "protocol_specs" / "rota.yaml", Rota)
    assert {"therapist", "supervisor", "on_call"} <= {role for person in rota.people for role in person.roles}
    assert all(person.email.endswith(".example") for person in rota.people)
