"""`holdfast protocol whatif` on real records, and on an export, without Temporal."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.database import connect
from audit.migrate import upgrade
from audit.sealing import Keyring
from audit.store import Store
from cli import configuration
from cli.main import run
from protocol import commands as c
from protocol.engine import Engine
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol_specs.loader import load_protocol
from tests.protocol.story import START, Story

MINIMAL = Path(__file__).parents[1] / "specs" / "minimal.yaml"


@pytest.fixture
def holdfast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs the command on records with one episode that took two hours and a half; what it said."""
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    configuration.settings.cache_clear()
    told = configuration.settings()
    url = told.database_url.get_secret_value()
    upgrade(url)
    asyncio.run(_fill(url, Keyring((key.id, key.secret) for key in told.record_keys)))

    def call(*arguments: str, code: int = 0) -> str:
        assert run(list(arguments)) == code
        said = capsys.readouterr()
        return said.out + said.err

    return call


async def _fill(url: str, ring: Keyring) -> None:
    spec = load_protocol(MINIMAL)
    story = Story(spec)
    story.engine = Engine(spec, "ep-1", bytes(32))
    story.do(c.OpenEpisode, episode_id="ep-1", client_ref="client-1", owner="mara")
    story.later("150m").do(c.CompleteStep, step="listen", facts={"wish_to_die": "no", "distress_1": 1})
    records = connect(url)
    store = Store(records, ring, lambda: START)
    await store.append(story.engine.rows, summarise(spec, story.episode))
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await records.dispose()


def draft(folder: Path, due: str, **more: Any) -> str:
    document = json.loads(load_protocol(MINIMAL).canonical())
    document["obligations"]["talk_limit"]["due"] = due
    document |= {"version": "1.1.0", **more}
    ProtocolSpec.model_validate_json(json.dumps(document))
    file = folder / "draft.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def test_a_draft_is_run_over_what_was_recorded(holdfast: Callable[..., Any], tmp_path: Path) -> None:
    said = holdfast("protocol", "whatif", draft(tmp_path, "1h"), "--from", "ep-1")
    assert "Episode ep-1, 1.0.0 → 1.1.0" in said
    assert "Come to a plan" in said
    assert "Step-ups: 0 otherwise, in 0 episodes." in said
    assert "1 episodes compared: 1 would have gone otherwise, 0 the same." in said
    told = json.loads(holdfast("protocol", "whatif", draft(tmp_path, "1h"), "--all", "--json"))
    assert (told["compared"], told["differ"], told["step_ups"], told["not_compared"]) == (1, 1, 0, {})
    looks = json.loads(holdfast("audit", "access", "--client", "client-1", "--what", "replayed", "--json"))
    assert [one["purpose"] for one in looks] == ["what if 1.1.0"] * 2
    same = holdfast("protocol", "whatif", draft(tmp_path, "2h"), "--all")
    assert "0 would have gone otherwise, 1 the same." in same


def test_an_export_is_read_like_the_records(holdfast: Callable[..., Any], tmp_path: Path) -> None:
    bundle = tmp_path / "export.zip"
    holdfast("audit", "export", "ep-1", "--out", str(bundle), "--purpose", "a draft")
    said = holdfast("protocol", "whatif", draft(tmp_path, "1h"), "--from", str(bundle))
    assert "1 would have gone otherwise" in said
    redacted = tmp_path / "redacted.zip"
    holdfast("audit", "export", "ep-1", "--out", str(redacted), "--purpose", "a draft", "--redact", "sud")
    said = holdfast("protocol", "whatif", draft(tmp_path, "1h"), "--from", str(redacted), code=1)
    assert "redacted" in said
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as empty:
        empty.writestr("x", "y")
    assert "has no rows.ndjson" in holdfast(
        "protocol", "whatif", draft(tmp_path, "1h"), "--from", str(tmp_path / "none.zip"), code=1
    )


def test_what_can_not_be_compared_is_said_kindly(holdfast: Callable[..., Any], tmp_path: Path) -> None:
    other = draft(tmp_path, "1h", protocol="another")
    said = holdfast("protocol", "whatif", other, "--from", "ep-1", code=1)
    assert "can't be compared: it ran under minimal, which is another protocol than another." in said
    assert "which episodes?" in holdfast("protocol", "whatif", other, code=2)
