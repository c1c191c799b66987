"""Generated scenarios go through everything of a protocol, and pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run
from proof.generating import GIVEN_UP, generate
from protocol_specs.loader import load, load_protocol
from rehearsal.coverage import GROUPS
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario

ROOT = Path(__file__).parents[2]
MINIMAL = ROOT / "tests" / "specs" / "minimal.yaml"


def test_nothing_of_a_small_protocol_is_left_out() -> None:
    generated = generate(load_protocol(MINIMAL))
    assert generated.missed == ()
    assert [spot for group in GROUPS for spot in generated.coverage.missing(group)] == []
    names = [scenario.scenario for scenario in generated.scenarios]
    assert len(names) == len(set(names))


def test_nothing_of_the_starter_is_left_out(tmp_path: Path) -> None:
    """Its rule on an unfinished screen holds alone only where the second question was answered without the first."""
    assert run(["protocol", "new", "evening_line", "--in", str(tmp_path)]) == 0
    assert generate(load_protocol(tmp_path / "evening_line.yaml")).missed == ()


def test_what_was_given_up_is_not_said_to_be_impossible() -> None:
    generated = generate(load_protocol(MINIMAL), most_acts=20)
    assert generated.scenarios
    assert GIVEN_UP in {one.why for one in generated.missed}


def test_what_is_left_is_named_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = MINIMAL.read_text(encoding="utf-8")
    file = tmp_path / "p.yaml"
    file.write_text(
        text.replace(
            "when: {support: nobody, if_unknown: fails}",
            "when: {all: [{support: nobody}, {support: present}], if_unknown: fails}",
            1,
        )
    )
    assert run(["protocol", "generate", str(file), "--out", str(tmp_path / "out"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in told["missed"]] == ["notices.alone"]
    assert told["missed"][0]["why"]


def test_the_files_are_played_like_any_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["protocol", "generate", str(MINIMAL), "--out", str(out)]) == 0
    assert "scenarios saved" in capsys.readouterr().out
    files = sorted(out.glob("*.yaml"))
    spec = load_protocol(MINIMAL)
    assert all(rehearse(spec, load(file, Scenario)).passed for file in files)
    assert run(["protocol", "test", str(MINIMAL), *map(str, files[:5])]) == 0


def test_a_protocol_with_errors_and_a_folder_with_scenarios_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "p.yaml", tmp_path / "out"
    file.write_text(MINIMAL.read_text(encoding="utf-8").replace("met_by: [{left: talk}]", "met_by: [{left: nowhere}]"))
    assert run(["protocol", "generate", str(file), "--out", str(out)]) == 1
    assert "`nowhere` is not a stage" in capsys.readouterr().out
    assert not out.exists()
    out.mkdir()
    kept = out / "mine.yaml"
    kept.write_text("mine")
    assert run(["protocol", "generate", str(MINIMAL), "--out", str(out)]) == 2
    assert "mine.yaml exists already" in capsys.readouterr().err
    assert run(["protocol", "generate", str(MINIMAL), "--out", str(out), "--overwrite"]) == 0
    assert kept.read_text() == "mine"


@pytest.mark.full
@pytest.mark.parametrize("name", ["caring_contacts", "virtual_iop_crisis", "withdrawal_monitoring"])
def test_nothing_of_a_shipped_protocol_is_left_out(name: str) -> None:
    assert generate(load_protocol(ROOT / "protocol_specs" / f"{name}.yaml")).missed == ()
