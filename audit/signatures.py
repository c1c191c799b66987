"""Ed25519 keys: those that only check, which anybody may have, and those that sign.

Whoever verifies needs public keys alone; so who can verify can't forge.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.checkpoint import Statement


class CheckpointError(Exception):
    """Something is not what was signed; the message names it."""


class VerifyKeys:
    """Public keys by name, 32 bytes each: any of them may have signed."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._public = {name: Ed25519PublicKey.from_public_bytes(key) for name, key in keys}
        if not self._public:
            raise ValueError("checking needs at least one key")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._public)})"

    def public(self) -> dict[str, str]:
        """The public keys by name, in hex: to be pinned by whoever verifies."""
        return {name: key.public_bytes_raw().hex() for name, key in self._public.items()}

    def check(self, statement: Statement, signature: str) -> None:
        """Raises CheckpointError when the signature is not ours."""
        self._check(statement.key_id, statement.signed(), signature, f"checkpoint {statement.number}")

    def check_text(self, text: str, key_id: str, signature: str, name: str) -> None:
        """Raises CheckpointError, which names what was signed, when the signature is not ours."""
        self._check(key_id, text.encode(), signature, name)

    def _check(self, key_id: str, signed: bytes, signature: str, name: str) -> None:
        key = self._public.get(key_id)
        if key is None:
            raise CheckpointError(
                f"{name} is signed with {key_id!r}, which this process does not have; add it to HOLDFAST_VERIFY_KEYS"
            )
        try:
            key.verify(bytes.fromhex(signature), signed)
        except (InvalidSignature, ValueError):
            raise CheckpointError(f"{name}: the signature does not fit") from None


class SigningKeys(VerifyKeys):
    """The keys by name, made from 32 secret bytes each. The first signs, all of them verify."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._private = {name: Ed25519PrivateKey.from_private_bytes(secret) for name, secret in keys}
        super().__init__((name, key.public_key().public_bytes_raw()) for name, key in self._private.items())
        self.active = next(iter(self._private))

    def sign(self, statement: Statement) -> str:
        """The signature, with the key that the statement names."""
        return self._private[statement.key_id].sign(statement.signed()).hex()

    def sign_bytes(self, message: bytes) -> str:
        """The signature of the active key over a message."""
        return self._private[self.active].sign(message).hex()


def checking(public: Iterable[tuple[str, bytes]], secret: Iterable[tuple[str, bytes]]) -> VerifyKeys | None:
    """The keys to check with: those given, and the public halves of those that sign. None when there is none.

    Raises ValueError when a name stands for two keys.
    """
    halves = [(name, Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()) for name, key in secret]
    found: dict[str, bytes] = {}
    for name, key in (*public, *halves):
        if found.setdefault(name, key) != key:
            raise ValueError(f"{name} is one key in HOLDFAST_VERIFY_KEYS and another in HOLDFAST_SIGNING_KEYS")
    return VerifyKeys(found.items()) if found else None
