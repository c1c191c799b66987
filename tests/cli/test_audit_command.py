"""`holdfast audit …` and `holdfast keys …` on real records, with no Temporal anywhere."""

from __future__ import annotations

import csv
import getpass
import json
import sqlite3
from pathlib import Path

import pytest

from cli.main import run
from tests.cli.audited import restore_old_backup, signed_now, tamper
from tests.protocol.specs import compact

Out = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("episode")


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


def test_conformance_is_told_and_written_for_other_programs(tmp_path: Path, capsys: Out):
    files = {name: tmp_path / f"log.{name}" for name in ("csv", "ndjson", "ocel", "xes")}
    told = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    assert run(["audit", "conformance", *told, "--purpose", "quarter"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "compact 1.0.0 1" in said
    assert "1 episodes; 0 drills left out." in said
    (line,) = csv.DictReader(files["csv"].read_text().splitlines())
    assert (line["episode_id"], line["late_entries"], line["differs"]) == ("ep-1", "1", "0")
    kept = json.loads(files["ndjson"].read_text())
    assert [one["kind"] for one in kept["deviations"]] == ["late_entry"]
    assert json.loads(files["ocel"].read_text())["events"]
    assert "EpisodeOpened" in files["xes"].read_text()
    assert run(["audit", "conformance", *told]) == 2, "nothing is overwritten"
    capsys.readouterr()
    assert run(["audit", "conformance", "--by", "therapist", "--from", "2026-12-01", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["groups"]) == {"mara"}
    assert run(["audit", "conformance", "--to", "2026-12-01"]) == 0
    assert "No episode was opened then." in capsys.readouterr().out
    assert run(["audit", "access", "--by", getpass.getuser()]) == 0
    assert "quarter" in capsys.readouterr().out


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


def test_disclosures_are_listed_with_receiver_hash_and_what_was_withheld(tmp_path: Path, capsys: Out):
    assert run(["audit", "disclosures"]) == 0
    assert "Nothing was handed out." in capsys.readouterr().out
    out = ["--out", str(tmp_path / "e.zip"), "--purpose", "complaint 12", "--to", "State board", "--redact", "sud"]
    assert run(["audit", "export", "ep-1", *out]) == 0
    capsys.readouterr()
    assert run(["audit", "disclosures", "--client", "client-1", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["detail"]["to"], one["detail"]["withheld"], one["purpose"]) == ("State board", "sud", "complaint 12")
    assert run(["audit", "disclosures"]) == 0
    said = capsys.readouterr().out
    assert "State board" in said
    assert one["detail"]["bundle"][:16] in said
    assert run(["audit", "disclosures", "--to", "2020-01-01"]) == 0
    assert "0 disclosures" in capsys.readouterr().out
