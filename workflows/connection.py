"""How every process of ours reaches Temporal; the one place that makes a client."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import HeaderCodecBehavior
from temporalio.service import GrpcCompression, TLSConfig

from settings import Settings
from workflows.sealing import Keyring, sealing_data_converter


async def connect(settings: Settings) -> Client:
    """A client whose payloads, failures and headers are sealed.

    Raises RuntimeError when Temporal does not answer, ValueError when there is no key.
    """
    keys = Keyring((key.id, key.secret) for key in settings.payload_keys)
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=sealing_data_converter(keys),
        header_codec_behavior=HeaderCodecBehavior.CODEC,
        tls=tls_of(settings),
        grpc_compression=GrpcCompression.NONE,  # what is sealed does not shrink
    )


def tls_of(settings: Settings) -> TLSConfig | bool:
    """How Temporal is spoken to: False for plain text. Raises OSError when a file can't be read."""
    if not settings.uses_tls:
        return False
    return TLSConfig(
        server_root_ca_cert=settings.temporal_tls_ca.read_bytes() if settings.temporal_tls_ca else None,
        client_cert=settings.temporal_tls_cert.read_bytes() if settings.temporal_tls_cert else None,
        client_private_key=settings.temporal_tls_key.read_bytes() if settings.temporal_tls_key else None,
    )
