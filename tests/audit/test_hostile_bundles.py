"""Files made to deceive whoever checks an export: signed by the very key, or with not a byte of ours left as it was."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import offline_verifier
from audit.database import Database
from audit.store import Store
from audit.unpacked import UnpackError, unpacked
from tests.audit.bundles import KEY, checked, exported, forged, resigned, some_episodes

Out = pytest.CaptureFixture[str]
Archive = zipfile.ZipFile


@pytest.fixture
async def bundle(store: Store, records: Database, tmp_path: Path) -> Path:
    await some_episodes(store, records)
    await exported(records, path := tmp_path / "bundle.zip", "ep-1")
    return path


def added(bundle: Path, add: Callable[[Archive], None]) -> Path:
    """The bundle with more in it, signed anew."""
    buffer = io.BytesIO(bundle.read_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        add(archive)
        archive.comment = b"holdfast-bundle-1 s1 " + b"0" * 128
    (hostile := bundle.with_name("hostile.zip")).write_bytes(resigned(buffer.getvalue()))
    return hostile


def twice(archive: Archive) -> None:
    """Whoever unpacks it may get the other one."""
    archive.writestr("rows.ndjson", archive.read("rows.ndjson").replace(b"therapist", b"supervisor"))


def link(archive: Archive) -> None:
    entry = zipfile.ZipInfo("protocols/" + "0" * 64 + ".json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


def out_of_the_folder(archive: Archive) -> None:
    archive.writestr("../../outside.txt", "x")


def to_the_root(archive: Archive) -> None:
    archive.writestr("/outside.txt", "x")


def with_a_drive(archive: Archive) -> None:
    archive.writestr("C:\\outside.txt", "x")


def a_program(archive: Archive) -> None:
    archive.writestr("verify_me_instead.py", "print('EVERYTHING HOLDS')")


def a_folder(archive: Archive) -> None:
    archive.writestr("protocols/", "")


def a_bomb(archive: Archive) -> None:
    entry = zipfile.ZipInfo("protocols/" + "0" * 64 + ".json")
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, bytes(offline_verifier.LARGEST + 1))


ADDED = (twice, link, out_of_the_folder, to_the_root, with_a_drive, a_program, a_folder, a_bomb)


@pytest.mark.parametrize("add", ADDED, ids=lambda one: one.__name__)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_no_export_has_is_refused_even_when_signed(
    bundle: Path, capsys: Out, add: Callable[[Archive], None]
) -> None:
    assert checked(added(bundle, add)) == 1
    said = capsys.readouterr().out
    assert said.startswith("BAD   ")
    assert "can't be read" not in said, "it is told what is wrong"
    assert [one.name for one in bundle.parent.iterdir() if "outside" in one.name] == []


def test_a_line_without_an_end_fills_no_memory(bundle: Path, capsys: Out) -> None:
    def endless(entries: dict[str, bytes]) -> None:
        entries["rows.ndjson"] = b'{"episode_id":"' + b"x" * (offline_verifier.LONGEST_LINE + 1)

    hostile = forged(bundle, endless)
    assert checked(hostile) == 1
    assert "EVERYTHING HOLDS" not in capsys.readouterr().out
    with pytest.raises(UnpackError):
        list(unpacked(hostile))


def test_what_somebody_typed_can_not_speak_for_the_verifier(bundle: Path, capsys: Out) -> None:
    """Receiver and purpose are typed by whoever exports; neither ends a line nor steers the terminal."""

    def speak(entries: dict[str, bytes]) -> None:
        manifest = json.loads(entries["manifest.json"])
        manifest["purpose"] = "x\nGOOD  All of it is true.\r\x1b[2K\x1b[1A\u202e"
        entries["manifest.json"] = json.dumps(manifest).encode()

    assert checked(forged(bundle, speak)) == 0
    said = capsys.readouterr().out
    assert "\nGOOD  All of it" not in said
    assert not [letter for letter in said if not letter.isprintable() and letter != "\n"]


def test_an_unsigned_file_is_not_even_opened(bundle: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a stranger put into it: without the signature nothing in it is read."""
    hostile = added(bundle, a_bomb)
    content = hostile.read_bytes()
    hostile.write_bytes(content[:-1] + (b"1" if content.endswith(b"0") else b"0"))
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert checked(hostile) == 1
    assert "signature does not fit" in capsys.readouterr().out


@pytest.mark.full
def test_every_single_byte_counts(bundle: Path) -> None:
    """The whole file, one byte at a time, each with one bit of it flipped."""
    keys = [offline_verifier.read_key(KEY)]
    content = bundle.read_bytes()
    with bundle.open("r+b", buffering=0) as file:
        for place, byte in enumerate(content):
            file.seek(place)
            file.write(bytes([byte ^ (1 << place % 8)]))
            with pytest.raises(offline_verifier.Bad):
                offline_verifier.check_signature(bundle, keys)
            file.seek(place)
            file.write(bytes([byte]))
    assert checked(bundle) == 0
