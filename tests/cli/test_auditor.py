"""What an auditor does at the command line: steps through an episode, lists what was handed out."""

from __future__ import annotations

import asyncio
import csv
import getpass
import io
import json
from pathlib import Path

import pytest

from audit.database import connect
from audit.sealing import Keyring
from audit.store import Store
from cli.main import run
from protocol_specs.loader import load_protocol
from settings import load
from tests.audit.bundles import SPECS, played
from tests.cli.test_audit_command import Out, episode

__all__ = ["episode"]


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


def test_an_export_about_substance_use_as_a_whole_is_refused_with_what_to_do(tmp_path: Path, episode: str, capsys: Out):
    spec = load_protocol(SPECS / "withdrawal_monitoring.yaml")
    settings = load()

    async def record() -> None:
        records = connect(episode)
        await played(
            Store(records, Keyring((key.id, key.secret) for key in settings.record_keys)),
            SPECS / "scenarios" / spec.protocol / "five_quiet_days.yaml",
        )
        await records.dispose()

    asyncio.run(record())
    out = tmp_path / "e.zip"
    assert run(["audit", "export", "--all", "--out", str(out), "--purpose", "review", "--redact", "sud"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert spec.title in said
    assert "leave it out, or hand it to a reader who has the right" in said
    assert not out.exists()


def test_one_entry_shows_what_was_known_owed_and_paged_then(capsys: Out):
    assert run(["audit", "replay", "ep-1", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    paged = max(one["sequence"] for one in entries if one["event"]["kind"] == "PageRequested")
    assert run(["audit", "replay", "ep-1", "--at", str(paged)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Entry {paged} of 20" in said
    assert "known address: 12 Elm" in said
    assert "OVERDUE" in said
    assert "page ep-1-p" in said
    assert "not answered" in said
    assert run(["audit", "replay", "ep-1", "--at", "1", "--json"]) == 0
    (first,) = json.loads(capsys.readouterr().out)["entries"]
    assert first["state"]["facts"] == {}
    assert not {"after", "words"} & set(first)
    assert entries[-1]["state"]["facts"]["address"]["value"] == "12 Elm"
    assert run(["audit", "replay", "ep-1", "--at", "21"]) == 2
    assert run(["audit", "replay", "ep-1", "--step", "--json"]) == 2


def test_one_steps_through_an_episode_at_a_prompt(capsys: Out, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\nn\np\nb\ne\n3\nwhat\nq\nn\n"))
    assert run(["audit", "replay", "ep-1", "--step"]) == 0
    said = capsys.readouterr().out
    numbers = [int(line.split()[1]) for line in said.splitlines() if line.startswith("Entry ")]
    assert numbers[:4] == [1, 2, 3, 2]
    assert numbers[5:] == [20, 3, 3]


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


def test_one_episode_is_told_with_all_that_it_left_out(capsys: Out):
    assert run(["audit", "conformance", "--episode", "ep", "--purpose", "complaint 7"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "owned by mara." in said
    assert "first_contact" in said
    assert "late entry" in said
    assert run(["audit", "conformance", "--episode", "ep-1", "--redact", "sud", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["episodes"]
    assert one["crisis_types"] == ["withheld"]
    assert run(["audit", "access", "--episode", "ep-1"]) == 0
    assert "complaint 7" in capsys.readouterr().out
    assert run(["audit", "conformance", "--episode", "ep-1", "--from", "2026-12-01"]) == 2
