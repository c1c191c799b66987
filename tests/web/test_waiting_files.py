"""Files that wait to be fetched lie there sealed: read whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.sealing import Keyring, SealingError, UnknownKeyError
from web.waiting_files import PIECE, opened, seal, sealed_path

RING = Keyring([("first", b"1" * 32)])


def waiting(folder: Path, content: bytes, name: str = "a.zip") -> Path:
    path = folder / name
    path.write_bytes(content)
    seal(path, RING)
    return path


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_a_file_comes_back_as_it_was_and_nothing_of_it_lies_in_the_clear(tmp_path: Path, size: int) -> None:
    content = (b"Dana Rourke " * (size // 12 + 1))[:size]
    path = waiting(tmp_path, content)
    assert b"".join(opened(path, RING)) == content
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip.sealed"]
    assert b"Dana" not in sealed_path(path).read_bytes()
    assert sealed_path(path).stat().st_mode & 0o077 == 0


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    path = waiting(tmp_path, b"what somebody said")
    sealed = sealed_path(path).read_bytes()
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        sealed_path(path).write_bytes(changed)
        with pytest.raises(SealingError):
            b"".join(opened(path, RING))


def test_pieces_are_not_cut_off_moved_or_taken_from_another_file(tmp_path: Path) -> None:
    path, other = (waiting(tmp_path, bytes([n]) * 3 * PIECE, name) for n, name in enumerate(("a.zip", "b.zip")))
    sealed = sealed_path(path).read_bytes()
    step = PIECE + 16
    head = len(sealed) - 3 * step
    first, second, third = (sealed[head + n * step :][:step] for n in range(3))
    swapped = sealed_path(other).read_bytes()
    for pieces in ((first, second), (first,), (), (second, first, third), (first, third), (first, second, second)):
        sealed_path(path).write_bytes(b"".join((sealed[:head], *pieces)))
        with pytest.raises(SealingError):
            b"".join(opened(path, RING))
    sealed_path(path).write_bytes(swapped)
    with pytest.raises(SealingError):
        b"".join(opened(path, RING))


def test_without_its_key_it_says_so(tmp_path: Path) -> None:
    path = waiting(tmp_path, b"x")
    with pytest.raises(UnknownKeyError):
        b"".join(opened(path, Keyring([("second", b"2" * 32)])))
