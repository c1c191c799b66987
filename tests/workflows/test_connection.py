"""What a client of ours is made of."""

from pathlib import Path

import pytest

from settings import Settings
from tests.workflows.stack import key
from workflows.connection import connect, tls_of


def test_no_tls_unless_asked():
    assert tls_of(Settings()) is False


def test_certificates_are_read_from_their_files(tmp_path: Path):
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_bytes(name.encode())
    told = Settings(
        temporal_tls_ca=tmp_path / "ca", temporal_tls_cert=tmp_path / "cert", temporal_tls_key=tmp_path / "key"
    )
    tls = tls_of(told)
    assert not isinstance(tls, bool)
    assert (tls.server_root_ca_cert, tls.client_cert, tls.client_private_key) == (b"ca", b"cert", b"key")


def test_the_systems_authorities_serve_when_none_is_named():
    tls = tls_of(Settings(temporal_tls=True))
    assert not isinstance(tls, bool)
    assert tls.server_root_ca_cert is None


async def test_without_a_key_there_is_no_client():
    with pytest.raises(ValueError, match="HOLDFAST_PAYLOAD_KEYS"):
        await connect(Settings(temporal_address="127.0.0.1:1"))


async def test_a_server_that_is_not_there_is_an_error_at_once():
    with pytest.raises(RuntimeError):
        await connect(Settings(temporal_address="127.0.0.1:1", payload_keys=(key(),)))
