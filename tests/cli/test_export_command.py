"""`holdfast audit export …` on real records: what leaves the house, and what stays."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from audit import offline_verifier
from audit.signatures import SigningKeys
from cli.main import run
from settings import load
from tests.cli.audited import signed_now, tamper

Out = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("episode")


def test_an_export_verifies_and_leaves_a_row_for_each_episode(tmp_path: Path, capsys: Out):
    out = tmp_path / "export.zip"
    told = ["audit", "export", "ep-1", "--out", str(out), "--purpose", "yearly review", "--to", "the board"]
    assert run([*told, "--redact", "sud"]) == 0
    said = capsys.readouterr().out
    assert "1 episodes, 20 rows" in said
    assert run(["keys", "public", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out).values()
    assert f"--key {key}" in said
    assert offline_verifier.main([str(out), "--key", key]) == 0
    digest = capsys.readouterr().out.splitlines()[0].split()[1]
    assert run(["audit", "access", "--client", "client-1", "--json"]) == 0
    (look,) = json.loads(capsys.readouterr().out)
    assert (look["what"], look["episode_id"], look["purpose"]) == ("exported", "ep-1", "yearly review")
    assert look["detail"] == {"to": "the board", "bundle": digest, "withheld": "sud"}
    assert run(told) == 2, "an export is never overwritten"
    assert list(tmp_path.glob(".*")) == []
    capsys.readouterr()
    assert run(["keys", "public"]) == 0
    assert key in capsys.readouterr().out


def test_after_a_change_of_keys_every_key_that_is_needed_is_printed(
    episode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
):
    signed_now(episode)
    old = load().signing_keys[0]
    public = SigningKeys([(old.id, old.secret)]).public()[old.id]
    monkeypatch.setenv("HOLDFAST_SIGNING_KEYS", "new:" + "QUJD" * 10 + "QUE=")
    out = tmp_path / "export.zip"
    told = ["audit", "export", "ep-1", "--out", str(out), "--purpose", "yearly review", "--json"]
    assert run(told) == 1
    assert "add it to HOLDFAST_VERIFY_KEYS" in capsys.readouterr().err
    monkeypatch.setenv("HOLDFAST_VERIFY_KEYS", f"{old.id}:{public}")
    assert run(told) == 0
    keys = json.loads(capsys.readouterr().out)["keys"]
    assert list(keys) == ["new", old.id]
    assert offline_verifier.main([str(out), *(part for key in keys.values() for part in ("--key", key))]) == 0
    assert offline_verifier.main([str(out), "--key", keys["new"]]) == 1


def test_an_export_is_told_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out):
    out = tmp_path / "export.zip"
    assert run(["audit", "export", "ep-1", "--out", str(out), "--purpose", "review", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"].values()
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", f"sqlite:///{tmp_path / 'nowhere.db'}")
    assert run(["audit", "replay", "--bundle", str(out), "--key", key]) == 0
    said = capsys.readouterr().out
    assert "Mara, Therapist, turns to Client by phone: reached" in said
    assert "every decision comes out the same again" in said
    assert run(["audit", "replay", "--bundle", str(out)]) == 2
    assert run(["audit", "replay", "--bundle", str(out), "--key", "ab" * 32]) == 1
    assert "BAD: the signature does not fit" in capsys.readouterr().err
    assert run(["audit", "replay", "other", "--bundle", str(out), "--key", key]) == 2
    assert run(["audit", "replay"]) == 2
    assert run(["audit", "replay", "--bundle", str(tmp_path / "nothing.zip"), "--key", key]) == 2


def test_what_cannot_be_written_down_is_not_handed_out(episode: str, tmp_path: Path, capsys: Out):
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TRIGGER no_access BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END")
    out = tmp_path / "export.zip"
    assert run(["audit", "export", "--all", "--out", str(out), "--purpose", "review"]) == 3
    assert run(["audit", "replay", "ep-1"]) == 3
    assert "Mara" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["var"]


def test_a_damaged_trail_is_not_exported(episode: str, tmp_path: Path, capsys: Out):
    tamper(episode)
    assert run(["audit", "export", "--all", "--out", str(tmp_path / "export.zip"), "--purpose", "review"]) == 1
    assert "row 5: edited" in capsys.readouterr().err
    assert run(["audit", "export", "--out", str(tmp_path / "export.zip"), "--purpose", "review"]) == 2
    assert "name episodes, or say --all" in capsys.readouterr().err


def test_a_certificate_comes_beside_the_bundle(tmp_path: Path, capsys: Out):
    out, pdf = tmp_path / "export.zip", tmp_path / "export.pdf"
    told = ["audit", "export", "--out", str(out), "--purpose", "review", "--pdf", str(pdf)]
    assert run([*told, "--all"]) == 2
    assert "a certificate is of one episode" in capsys.readouterr().err
    assert run([*told, "ep-1"]) == 0
    assert pdf.read_bytes().startswith(b"%PDF")
    assert run([*told, "ep-1"]) == 2
