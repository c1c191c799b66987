"""How values are written for Temporal: JSON by pydantic, read back strictly into the declared types."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

NOT_OPENED = b"binary/not-opened"
"""Stands for a payload that is not sealed or whose seal does not fit; its data say why."""


class SealError(RuntimeError):
    """A payload can't be opened. Retrying helps only after the keys were mended.

    Not a failure of Temporal's kind, which would end a workflow instead of having its task tried again.
    """


@lru_cache(maxsize=256)
def adapter_of(hint: Any) -> TypeAdapter[Any]:
    """What reads a type; made once in a process, for making one takes longer than many an Update."""
    return TypeAdapter(hint)


class JsonConverter(EncodingPayloadConverter):
    """Like the SDK's own, but the adapters are shared: that one makes them anew for every workflow it meets."""

    @property
    def encoding(self) -> str:
        """The name in the payload's metadata."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload:
        """The value as JSON."""
        return Payload(metadata={"encoding": self.encoding.encode()}, data=to_json(value))

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """The value, checked against the type. Raises pydantic's ValidationError."""
        return adapter_of(Any if type_hint is None else type_hint).validate_json(payload.data)


_ALL = CompositePayloadConverter(
    *(
        JsonConverter() if isinstance(one, JSONPlainPayloadConverter) else one
        for one in DefaultPayloadConverter.default_encoding_payload_converters
    )
)


class PayloadConverter(CompositePayloadConverter):
    """The SDK's converters with our JSON. It is made twice for every task, so making it costs next to nothing."""

    def __init__(self) -> None:
        self.converters = _ALL.converters

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """The values. Raises SealError for a payload that could not be opened."""
        for payload in payloads:
            if payload.metadata.get("encoding") == NOT_OPENED:
                raise SealError(payload.data.decode())
        return super().from_payloads(payloads, type_hints)
