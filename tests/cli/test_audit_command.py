"""`holdfast audit …` and `holdfast keys …` on real records, with no Temporal anywhere."""

from __future__ import annotations

import asyncio
import getpass
import json
import sqlite3
from pathlib import Path

import pytest

from audit import offline_verifier
from audit.checkpoints import Checkpointer
from audit.database import connect
from audit.lists import folded
from audit.migrate import upgrade
from audit.sealing import Keyring
from audit.signatures import SigningKeys
from audit.store import Store
from cli.main import run
from protocol import commands as c
from protocol.summary import summarise
from settings import load
from tests.protocol.specs import compact
from tests.protocol.story import START, Story

Out = pytest.CaptureFixture[str]


def told() -> Story:
    """A deadline missed, an entry written late, an addendum."""
    story = Story.begun().in_follow_up()
    story.later("73h").contact(ago="2h")
    story.do(c.AddAddendum, refers_to=2, text="Seen on video.")
    return story


@pytest.fixture(autouse=True)
def episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """That episode in the records; Temporal is away."""
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HOLDFAST_TEMPORAL_ADDRESS", "127.0.0.1:1")
    story = told()
    settings = load()
    url = settings.database_url.get_secret_value()
    upgrade(url)

    async def record() -> None:
        records = connect(url)
        store = Store(records, Keyring((key.id, key.secret) for key in settings.record_keys))
        spec = compact()
        await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
        await store.append(story.engine.rows, summarise(spec, story.episode))
        await records.dispose()

    asyncio.run(record())
    return url


def tamper(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TRIGGER trail_no_update")
        connection.execute("UPDATE trail SET role = 'supervisor' WHERE sequence = 5")


def test_an_episode_is_told_with_both_times_and_its_rules(capsys: Out):
    assert run(["audit", "replay", "ep"]) == 0
    said = capsys.readouterr().out
    assert "Mara, Therapist, turns to Client by phone: reached" in said
    assert "LATE ENTRY: happened" in said
    assert "known only 2 h later" in said
    assert "ADDENDUM: adds to entry 2, which stays as it is" in said
    assert "by obligation first_contact: Speak to the client [P]" in said
    assert "owes Speak to the client, due" in said
    assert "every decision comes out the same again" in said
    assert "Late entries: 1. Addenda: 1. Missed deadlines: 2." in said
    assert max(map(len, said.splitlines())) <= 100


def test_only_what_was_missed_can_be_told(capsys: Out):
    assert run(["audit", "replay", "ep-1", "--breaches"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Speak to the client: was due" in said
    assert "done in time, but written down only after the deadline" in said
    assert "Start" not in said
    assert run(["audit", "replay", "ep-1", "--breaches", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["sound"] is True
    sequences = [entry["sequence"] for entry in shown["entries"]]
    assert sequences == sorted({number for one in shown["breaches"] for number in one["led"]})


def test_json_carries_every_entry(capsys: Out):
    assert run(["audit", "replay", "ep-1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [entry["sequence"] for entry in shown["entries"]] == list(range(1, shown["chain"]["rows"] + 1))
    late = [entry for entry in shown["entries"] if entry["late"]]
    assert {entry["late"] for entry in late} == {7200.0}
    assert late[0]["command"]["kind"] == "RecordContact"
    assert late[0]["rule"] is None
    assert shown["protocol"]["hash"] == compact().content_hash


def test_a_changed_row_ends_the_account_with_code_1(episode: str, capsys: Out):
    tamper(episode)
    assert run(["audit", "replay", "ep-1"]) == 1
    said = capsys.readouterr().out
    assert "BAD: episode ep-1, row 5: edited" in said
    assert run(["audit", "replay", "ep-1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["chain"]["fault"]["wrong"] == "edited"


def test_an_unknown_episode_is_answered_with_a_remedy(capsys: Out):
    assert run(["audit", "replay", "nowhere"]) == 2
    assert "mend:" in capsys.readouterr().err


def test_a_key_is_destroyed_only_when_that_is_said_twice(capsys: Out):
    assert run(["keys", "destroy", "client-1"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["audit", "replay", "ep-1", "--json"]) == 0
    capsys.readouterr()
    assert run(["keys", "destroy", "client-1", "--yes"]) == 1
    assert "these records must be kept, an episode is open" in capsys.readouterr().err
    assert run(["audit", "hold", "client-1", "--reason", "subpoena 4"]) == 0
    told = ["keys", "destroy", "client-1", "--yes", "--despite-retention", "court order 7"]
    assert run(told) == 1
    assert "a legal hold stands on this client" in capsys.readouterr().err
    assert run(["audit", "lift", "client-1", "--reason", "closed"]) == 0
    capsys.readouterr()
    assert run(told) == 0
    said = capsys.readouterr()
    assert "1 key destroyed" in said.out
    assert "data keys destroyed" in said.err
    assert "client-1" not in said.err
    assert run(["audit", "replay", "ep-1"]) == 1
    assert "the client's key was destroyed" in capsys.readouterr().err
    assert run(["keys", "destroy", "client-1", "--yes"]) == 1
    assert run(["audit", "verify"]) == 0, "the chain holds without the key"
    said = capsys.readouterr()
    assert "Not compared: 1, because the client's key was destroyed." in said.out
    assert run(["audit", "access", "--client", "client-1", "--json"]) == 0
    looks = [(one["what"], one["purpose"]) for one in json.loads(capsys.readouterr().out)]
    assert ("destroyed", "court order 7") in looks
    assert {"held", "released"} <= {what for what, _ in looks}
    assert run(["keys", "destroy", "client-1", "--yes"]) == 1
    assert "no usable key" in capsys.readouterr().err


def test_keys_are_wrapped_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Out):
    old = (tmp_path / "var" / "keys" / "record_keys.txt").read_text().strip()
    monkeypatch.setenv("HOLDFAST_RECORD_KEYS", "new:" + "QUJD" * 10 + "QUE=," + old)
    assert run(["keys", "rewrap"]) == 0
    assert "1 key wrapped anew with new" in capsys.readouterr().out
    monkeypatch.setenv("HOLDFAST_RECORD_KEYS", "new:" + "QUJD" * 10 + "QUE=")
    assert run(["audit", "replay", "ep-1", "--json"]) == 0
    capsys.readouterr()
    assert run(["keys", "rewrap"]) == 0
    assert "0 keys" in capsys.readouterr().out


def restore_old_backup(url: str, rows: int) -> None:
    """The records as they were after so many rows."""
    Path(url.removeprefix("sqlite:///")).unlink()
    upgrade(url)
    story = told()
    earlier = story.engine.rows[:rows]

    async def record() -> None:
        records = connect(url)
        store = Store(records, Keyring((key.id, key.secret) for key in load().record_keys))
        spec = compact()
        await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
        await store.append(earlier, summarise(spec, folded(earlier)))
        await records.dispose()

    asyncio.run(record())


def signed_now(url: str) -> None:
    """What the watchdog does every minute."""

    async def make() -> None:
        records = connect(url)
        keys = SigningKeys((key.id, key.secret) for key in load().signing_keys)
        await Checkpointer(records, keys, lambda: START).make()
        await records.dispose()

    asyncio.run(make())


def test_the_records_are_held_against_a_checkpoint_kept_outside(episode: str, tmp_path: Path, capsys: Out):
    assert run(["audit", "checkpoint"]) == 1
    assert "no checkpoint yet" in capsys.readouterr().err
    signed_now(episode)
    assert run(["audit", "checkpoint"]) == 0
    kept = tmp_path / "kept.json"
    kept.write_text(capsys.readouterr().out)
    assert run(["audit", "verify", "--checkpoint", str(kept)]) == 0
    said = capsys.readouterr().out
    assert "Checkpoints: 1 good, over 20 rows; number 1, kept outside, is among them." in said
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as connection:
        for trigger in ("trail_no_delete", "checkpoints_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("DELETE FROM trail WHERE sequence > 18")
    assert run(["audit", "verify", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["good"], found["episodes"][0]["fault"]["wrong"]) == (False, "truncated")
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as connection:
        connection.execute("DELETE FROM checkpoints")
    assert run(["audit", "verify"]) == 1
    assert "BAD: episode ep-1, row 19: truncated: the list of episodes knows row 20" in capsys.readouterr().out
    restore_old_backup(episode, rows=18)
    assert run(["audit", "verify"]) == 0, "without the one kept outside, the old state looks whole"
    capsys.readouterr()
    assert run(["audit", "verify", "--checkpoint", str(kept)]) == 1
    assert "an old backup restored" in capsys.readouterr().out
    kept.write_text("{}")
    assert run(["audit", "verify", "--checkpoint", str(kept)]) == 2
    assert "mend:" in capsys.readouterr().err


def test_a_wrong_list_is_named_and_what_was_not_checked_is_said(episode: str, capsys: Out):
    assert run(["audit", "verify"]) == 0
    said = capsys.readouterr().out
    assert "Chains: 1 episodes, 20 good rows, seals and contents fit: all good." in said
    assert "Lists: those of 1 episodes compared with their rows: all say what the trail says." in said
    assert "Workflows: not asked; `--all` asks them." in said
    assert "Not covered: the last rows of 1 episodes." in said
    assert run(["audit", "verify", "ep-1", "--quick"]) == 0
    said = capsys.readouterr().out
    assert "Lists: not compared: --quick." in said
    assert "Workflows: not asked; Temporal does not answer at 127.0.0.1:1." in said
    with sqlite3.connect(episode.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE obligations SET missed = 0, due_at = '2030-01-01T00:00:00.000000Z'")
    assert run(["audit", "verify"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "BAD: list obligations, episode ep-1, row" in said
    assert "column due_at: the list says '2030-01-01T00:00:00.000000Z', the trail says" in said
    assert run(["audit", "verify", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["lists"][0]["disagreement"]["column"] == "due_at"
    assert (found["good"], len(found["found"])) == (False, 1)


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
    asking, look = json.loads(capsys.readouterr().out)
    assert asking["what"] == "searched", "who asks who looked is a row itself"
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


def test_who_looked_is_told(capsys: Out):
    assert run(["audit", "replay", "ep-1", "--purpose", "complaint 12"]) == 0
    capsys.readouterr()
    assert run(["audit", "access", "--episode", "ep"]) == 0
    said = capsys.readouterr().out
    assert "replayed" in said
    assert "complaint 12" in said
    assert run(["audit", "access", "--by", "nobody"]) == 0
    assert "0 accesses" in capsys.readouterr().out
    assert run(["audit", "access"]) == 2


def test_what_is_due_to_go_is_listed(capsys: Out):
    assert run(["audit", "retention"]) == 0
    said = capsys.readouterr().out
    assert "No client's records are due to go." in said
    assert "Counsel decides." in said
    assert run(["audit", "hold", "client-1", "--reason", "subpoena 4"]) == 0
    assert run(["audit", "retention", "--all"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "client-1 1 open HELD by" in said
    assert "an episode is open" in said
    assert "compact 1.0.0 open" in said
    assert run(["audit", "retention", "--all", "--json"]) == 0
    (client,) = json.loads(capsys.readouterr().out)["clients"]
    assert (client["due"], client["hold"]["reason"]) == (False, "subpoena 4")


def test_episodes_are_found_and_a_filter_is_kept(capsys: Out):
    told = ["audit", "search", "--breach", "first_contact", "--from", "2026-12-01", "--save", "missed", "--open"]
    assert run([*told, "--purpose", "complaint 12"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "ep-1 2026-12-01 18:00Z client-1 compact 1.0.0 mara" in said
    assert run(["audit", "search", "--saved", "missed", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["episodes"]
    assert (found["episode_id"], found["missed"]) == ("ep-1", 2)
    assert run(["audit", "search", "--client", "nobody"]) == 0
    assert "No episode fits." in capsys.readouterr().out
    assert run(["audit", "search", "--saved", "nothing"]) == 2
    assert "yours are: missed" in capsys.readouterr().err
    assert run(["audit", "search", "--client", "x" * 65]) == 2
    assert run(["audit", "access", "--by", getpass.getuser()]) == 0
    assert "complaint 12" in capsys.readouterr().out


def test_a_certificate_comes_beside_the_bundle(tmp_path: Path, capsys: Out):
    out, pdf = tmp_path / "export.zip", tmp_path / "export.pdf"
    told = ["audit", "export", "--out", str(out), "--purpose", "review", "--pdf", str(pdf)]
    assert run([*told, "--all"]) == 2
    assert "a certificate is of one episode" in capsys.readouterr().err
    assert run([*told, "ep-1"]) == 0
    assert pdf.read_bytes().startswith(b"%PDF")
    assert run([*told, "ep-1"]) == 2
