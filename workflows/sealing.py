"""Seals every payload before it leaves the process, so that Temporal stores nothing it can read.

Never imported by workflow code: the worker and the clients apply it around the workflow.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from workflows.conversion import NOT_OPENED, PayloadConverter, SealError

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
NONCE_BYTES = 12
PLAIN, SQUEEZED = b"\x00", b"\x01"
SQUEEZE_FROM = 2048
"""Payloads from this size on are compressed before they are sealed: a protocol shrinks to a quarter. For less, such as
a receipt, setting up zlib takes longer than sealing."""
LARGE = 64 * 1024
QUICKLY, THOROUGHLY = 3, 6
"""How hard zlib tries on what is not large, such as a batch of rows, and on what is: a third of the time, 5 % more."""


class Keyring:
    """Named AES-256 keys; the first seals, all of them open.

    Rotation: add the new key at the end everywhere, then move it to the front everywhere.
    """

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._ciphers = {name: AESGCM(secret) for name, secret in keys}
        self._nonces: list[bytes] = []
        if not self._ciphers:
            raise ValueError("the key ring is empty: set HOLDFAST_PAYLOAD_KEYS")
        self.active = next(iter(self._ciphers))

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Nonce and ciphertext, bound to the given associated data."""
        nonce = self._nonce()
        return nonce + self._ciphers[self.active].encrypt(nonce, plain, bound_to)

    def _nonce(self) -> bytes:
        """A random nonce. Many are drawn at a time: a call to the system for each costs more than the sealing."""
        while True:
            try:
                return self._nonces.pop()
            except IndexError:
                drawn = os.urandom(NONCE_BYTES * 256)
                self._nonces += [drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES)]

    def open(self, name: str, sealed: bytes, bound_to: bytes) -> bytes:
        """The plain bytes. Raises SealError when the key is unknown or the seal does not fit."""
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SealError(
                f"sealed with the key {name!r}, which this process does not have; "
                "add it to HOLDFAST_PAYLOAD_KEYS here and restart"
            )
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            raise SealError(
                f"the seal of key {name!r} does not fit: the payload was changed, is of another episode, "
                "or was sealed with another key of that name"
            ) from None


class SealingCodec(PayloadCodec, WithSerializationContext):
    """AES-GCM around every payload, bound to the workflow it belongs to and to the key's name."""

    def __init__(self, keys: Keyring, workflow_id: str = "") -> None:
        self._keys = keys
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> SealingCodec:
        """The same codec, bound to the workflow that the context names."""
        known = isinstance(context, WorkflowSerializationContext | ActivitySerializationContext)
        return SealingCodec(self._keys, (context.workflow_id or "") if known else "")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal each payload with the active key."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open each payload. Of plain ones nothing is read: nothing unsealed is ever ours.

        One that can't be opened stays shut, and whoever needs its value fails, and only they: an update is rejected,
        a signal ignored. An error here would fail every task of the episode and stop its deadlines, and anybody who
        reaches the server could send one such signal.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        name = self._keys.active
        sealed = self._keys.seal(_squeeze(payload.SerializeToString()), self._bound_to(name))
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": name.encode()}
        return Payload(metadata=metadata, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return _shut("it is not sealed")
        name = payload.metadata.get("encryption-key-id", b"").decode(errors="replace")
        try:
            return Payload.FromString(_unsqueeze(self._keys.open(name, payload.data, self._bound_to(name))))
        except SealError as error:
            return _shut(str(error))

    def _bound_to(self, name: str) -> bytes:
        parts = (b"holdfast/payload/1", name.encode(), self._workflow_id.encode())
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _shut(why: str) -> Payload:
    return Payload(metadata={"encoding": NOT_OPENED}, data=why.encode())


def _squeeze(plain: bytes) -> bytes:
    if len(plain) < SQUEEZE_FROM:
        return PLAIN + plain
    return SQUEEZED + zlib.compress(plain, QUICKLY if len(plain) < LARGE else THOROUGHLY)


def _unsqueeze(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == SQUEEZED else data[1:]


class SealingConverter(DataConverter):
    """Only the codec knows the workflow. The SDK would make all converters anew, twice for every task."""

    def with_context(self, context: SerializationContext) -> SealingConverter:
        """The same converters with the codec bound to the context's workflow."""
        assert isinstance(self.payload_codec, SealingCodec)
        bound = object.__new__(SealingConverter)
        vars(bound).update(vars(self), payload_codec=self.payload_codec.with_context(context))
        return bound


def sealing_data_converter(keys: Keyring) -> DataConverter:
    """How everything of ours is written for Temporal: JSON, sealed; failures too."""
    return SealingConverter(
        payload_converter_class=PayloadConverter,
        payload_codec=SealingCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
