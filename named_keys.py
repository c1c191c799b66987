"""Keys as they are written in a setting: each with a name that travels with what it sealed or signed."""

from __future__ import annotations

import base64
import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PUBLIC = re.compile(r"[0-9a-f]{64}")


class Key(BaseModel):
    """A named key of 32 bytes. The name travels with what it sealed; the key never leaves the process."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str
    secret: bytes = Field(repr=False, min_length=KEY_BYTES, max_length=KEY_BYTES)


def parse_keys(text: str) -> tuple[Key, ...]:
    """`id:base64,id:base64` to keys. Raises ValueError that names the wrong entry without repeating it."""
    keys: list[Key] = []
    for place, entry in enumerate(text.split(","), start=1):
        key_id, _, encoded = entry.strip().partition(":")
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError(f"entry {place}: a key is written id:base64, its id in letters, digits, _ . -")
        try:
            secret = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise ValueError(f"entry {place} ({key_id}): what follows the colon is not base64") from None
        if len(secret) != KEY_BYTES:
            raise ValueError(f"entry {place} ({key_id}): {len(secret)} bytes; a key has {KEY_BYTES}")
        keys.append(Key(id=key_id, secret=secret))
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("two keys have the same id")
    return tuple(keys)


def _keys(value: object) -> object:
    return parse_keys(value) if isinstance(value, str) else value


class PublicKey(BaseModel):
    """The half of a signing key that only checks; it is no secret."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str
    public: bytes = Field(min_length=KEY_BYTES, max_length=KEY_BYTES)


def parse_public_keys(text: str) -> tuple[PublicKey, ...]:
    """`id:hex,id:hex`, as `holdfast keys public` prints them. Raises ValueError that names the wrong entry."""
    keys: list[PublicKey] = []
    for place, entry in enumerate(text.split(","), start=1):
        key_id, _, digits = entry.strip().partition(":")
        if not _KEY_ID.fullmatch(key_id) or not _PUBLIC.fullmatch(digits):
            raise ValueError(f"entry {place}: a public key is written id:digits, with 64 hexadecimal digits")
        keys.append(PublicKey(id=key_id, public=bytes.fromhex(digits)))
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("two keys have the same id")
    return tuple(keys)


def _public_keys(value: object) -> object:
    return parse_public_keys(value) if isinstance(value, str) else value


Keys = Annotated[tuple[Key, ...], BeforeValidator(_keys), Field(repr=False)]
PublicKeys = Annotated[tuple[PublicKey, ...], BeforeValidator(_public_keys)]
