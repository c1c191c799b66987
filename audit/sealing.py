"""Sealing of payloads: each client has a data key, each data key is wrapped by a key-encryption key.

Destroying a client's data key makes every payload of that client unreadable, backups included; the chain does
not need it. A sealed payload is bound to its row: moved to another row, it does not open.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import from_json, to_json

from protocol.canonical import quoted

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_SALT_BYTES = 32


class SealingError(Exception):
    """A payload or key cannot be opened; the message says which and what to do, and shows no content."""


class UnknownKeyError(SealingError):
    """This process lacks a key-encryption key."""


class Keyring:
    """The key-encryption keys by name. The first wraps, all of them unwrap.

    To rotate: add the new key at the end everywhere, then move it to the front, then `rewrap`; the old key can
    go when no data key is wrapped with it.
    """

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._ciphers = {name: AESGCM(secret) for name, secret in keys}
        if not self._ciphers:
            raise ValueError("sealing needs at least one key")
        self.active = next(iter(self._ciphers))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._ciphers)})"

    def wrap(self, data_key: bytes, key_id: str, client_ref: str) -> bytes:
        """The data key, wrapped with the active key."""
        return _encrypt(self._ciphers[self.active], data_key, _bound(self.active, key_id, client_ref))

    def unwrap(self, wrapped: bytes, kek_id: str, key_id: str, client_ref: str) -> bytes:
        """The data key. Raises UnknownKeyError, or SealingError when the wrapping was changed."""
        cipher = self._ciphers.get(kek_id)
        if cipher is None:
            raise UnknownKeyError(
                f"data key {key_id} is wrapped with {kek_id!r}, which this process does not have; "
                f"it has {', '.join(self._ciphers)}. Add it to HOLDFAST_RECORD_KEYS"
            )
        try:
            return _decrypt(cipher, wrapped, _bound(kek_id, key_id, client_ref))
        except InvalidTag:
            raise SealingError(f"data key {key_id} was changed, or {kek_id!r} is another key than then") from None


class Place(NamedTuple):
    """The row that a sealed payload belongs to. Times in RFC 3339."""

    episode_id: str
    sequence: int
    hash: str
    key_id: str
    written_at: str

    def bound(self) -> bytes:
        """What the seal covers besides the payload."""
        episode_id, sequence, row_hash, key_id, written_at = self
        return (
            f'[{quoted(episode_id)},"{sequence}",{quoted(row_hash)},{quoted(key_id)},{quoted(written_at)}]'
        ).encode()


class ClientKey:
    """The data key of one client, ready for use."""

    def __init__(self, key_id: str, data_key: bytes) -> None:
        self.key_id = key_id
        self._cipher = AESGCM(data_key)

    def seal(self, payload: dict[str, Any], salt: str, place: Place) -> bytes:
        """Payload and salt of a row, sealed for this row alone.

        Any JSON will do: what is hashed is not these bytes but each value of what is read back from them.
        """
        return _FORMAT + _encrypt(self._cipher, bytes.fromhex(salt) + to_json(payload), place.bound())

    def unseal(self, sealed: bytes, place: Place) -> bytes:
        """Salt and payload as they were sealed. Raises SealingError when anything about the row was changed."""
        if not sealed.startswith(_FORMAT):
            raise SealingError(f"episode {place.episode_id}, row {place.sequence}: sealed in an unknown format")
        try:
            return _decrypt(self._cipher, sealed, place.bound(), len(_FORMAT))
        except InvalidTag:
            raise SealingError(
                f"episode {place.episode_id}, row {place.sequence}: the seal does not fit the row"
            ) from None

    def open(self, sealed: bytes, place: Place) -> tuple[dict[str, Any], str]:
        """Payload and salt of a row. Raises SealingError, also for what is no payload: a key can seal anything."""
        plain = self.unseal(sealed, place)
        try:
            # Only names are kept for the next time, never what somebody said.
            payload: object = from_json(plain[_SALT_BYTES:], allow_inf_nan=False, cache_strings="keys")
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise SealingError(f"episode {place.episode_id}, row {place.sequence}: what is sealed is no payload")
        return cast("dict[str, Any]", payload), plain[:_SALT_BYTES].hex()


def new_data_key() -> bytes:
    """A fresh random data key."""
    return AESGCM.generate_key(KEY_BYTES * 8)


def _bound(*parts: str) -> bytes:
    """An unambiguous list of texts, as canonical JSON."""
    return f"[{','.join(map(quoted, parts))}]".encode()


def _encrypt(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _decrypt(cipher: AESGCM, sealed: bytes, bound: bytes, after: int = 0) -> bytes:
    begins = after + _NONCE_BYTES
    if len(sealed) < begins:
        raise InvalidTag
    return cipher.decrypt(sealed[after:begins], sealed[begins:], bound)
