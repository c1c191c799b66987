"""Files that wait on this machine to be fetched, sealed: a copy of the disk or a backup tells nothing of them.

Each has a data key of its own, wrapped by a key-encryption key of the records. It is cut into pieces; a piece is bound
to the file's name, its place and whether it is the last, so that none can be left out, moved or cut off unseen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.sealing import Keyring, SealingError, new_data_key

SUFFIX = ".sealed"
PIECE = 256 * 1024
_TAG_BYTES = 16
_WHAT = "waiting file"
_LENGTH_BYTES = 2


def seal(path: Path, ring: Keyring) -> None:
    """Put the sealed file in the place of one in the clear."""
    data_key, name = new_data_key(), path.name
    head = [ring.active.encode(), ring.wrap(data_key, _WHAT, name)]
    cipher, sealed = AESGCM(data_key), sealed_path(path)
    with path.open("rb") as clear, os.fdopen(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for part in head:
            out.write(len(part).to_bytes(_LENGTH_BYTES) + part)
        for number, piece, last in _pieces(clear, PIECE):
            out.write(cipher.encrypt(_nonce(number, last=last), piece, name.encode()))
    path.unlink()


def opened(path: Path, ring: Keyring) -> Iterator[bytes]:
    """What the file of this name in the clear held, piece by piece.

    Raises OSError when there is none, and SealingError when it was changed or its key is missing.
    """
    with sealed_path(path).open("rb") as file:
        active, wrapped = (file.read(int.from_bytes(file.read(_LENGTH_BYTES))) for _ in range(2))
        data_key = ring.unwrap(wrapped, active.decode(errors="replace"), _WHAT, path.name)
        cipher = AESGCM(data_key)
        for number, piece, last in _pieces(file, PIECE + _TAG_BYTES):
            try:
                yield cipher.decrypt(_nonce(number, last=last), piece, path.name.encode())
            except InvalidTag:
                raise SealingError("a file that waited to be fetched was changed") from None


def sealed_path(path: Path) -> Path:
    """Where the sealed file of this name lies."""
    return path.with_name(path.name + SUFFIX)


def _pieces(file: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Number, piece, and whether it is the last; an empty file is one empty piece."""
    number, piece = 0, file.read(size)
    while True:
        following = file.read(size)
        yield number, piece, not following
        if not following:
            return
        number, piece = number + 1, following


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
