"""`holdfast caseload`: who carries a client, without the web application."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from audit import migrate
from audit.database import connect
from audit.sealing import Keyring
from cli.configuration import settings
from cli.main import app
from practice.accounts import Accounts
from practice.clients import Clients, read_file
from practice.sealing import Seal

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


async def _prepare() -> None:
    told = settings()
    migrate.upgrade(told.database_url.get_secret_value())
    database = connect(told.database_url.get_secret_value())
    seal = Seal(Keyring((key.id, key.secret) for key in told.record_keys))
    await Accounts(database, seal).add("maya", "Maya", ("therapist",), "fictional-password", NOW)
    await Accounts(database, seal).add("sam", "Sam", ("on_call",), "fictional-password", NOW)
    await Clients(database, seal).add(read_file({"name": "Dana R."}), NOW, "client-1")
    await database.dispose()


def test_a_client_goes_from_caseload_to_caseload(tmp_path: object, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    asyncio.run(_prepare())

    def says(*words: str, code: int = 0) -> str:
        told = CliRunner().invoke(app, ["caseload", *words])
        assert told.exit_code == code, told.output
        return told.output

    assert "nobody's caseload" in says("list", "client-1")
    says("assign", "client-1", "maya")
    assert says("list", "client-1").strip() == "maya"
    says("transfer", "client-1", "maya", "sam")
    assert says("list", "client-1", "--json").count("sam") == 1
    says("assign", "client-1", "nobody", code=1)
    says("transfer", "client-1", "maya", "sam", code=1)
    says("release", "client-1", "sam")
    assert "nobody's caseload" in says("list", "client-1")
