"""`holdfast protocol submit` to `versions`, and what `episode open` takes, on real records."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from audit.migrate import upgrade
from cli import configuration, publishing
from cli.main import run
from cli.opening import spec_to_open
from cli.output import Trouble
from cli.shipped import publish_shipped
from protocol.spec import ProtocolSpec
from protocol_specs.trial import Proved
from settings import Settings

SPECS = Path(__file__).parents[2] / "protocol_specs"
NAME = "caring_contacts"


class Shell:
    """A command line on its own records and protocols."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.file = folder / f"{NAME}.yaml"
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = run(["protocol", *arguments])
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def versions(self) -> list[dict[str, Any]]:
        assert self("versions", "--json") == 0
        return json.loads(self.out)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "protocols"
    folder.mkdir()
    for name in (f"{NAME}.yaml", "rota.yaml", "directory.yaml"):
        shutil.copy(SPECS / name, folder / name)
    shutil.copytree(SPECS / "scenarios" / NAME, folder / "scenarios" / NAME)
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HOLDFAST_PROTOCOLS", str(folder))
    configuration.settings.cache_clear()
    told = configuration.settings()
    told.var.mkdir(exist_ok=True)
    upgrade(told.database_url.get_secret_value())
    return told


def proved_as(monkeypatch: pytest.MonkeyPatch, found: Proved) -> None:
    def prove(_spec: ProtocolSpec) -> Proved:
        return found

    monkeypatch.setattr(publishing, "proof_of", prove)


@pytest.fixture
def holdfast(settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    proved_as(monkeypatch, Proved("proved", "All of it."))
    return Shell(capsys, settings.protocols)


def test_from_a_draft_to_what_new_episodes_take(holdfast: Shell, settings: Settings) -> None:
    assert holdfast("versions") == 0
    assert "Nothing was submitted yet" in holdfast.out
    assert holdfast("submit", NAME, "--as", "tess") == 0
    assert "proved; " in holdfast.out
    assert holdfast.versions()[0]["state"] == "in review"
    assert holdfast("publish", NAME, "--as", "ruth") == 0
    assert ", America/Los_Angeles" in holdfast.out, "the zone in which `--effective` is written"
    assert holdfast("versions") == 0
    assert "Times are local to the protocol: America/Los_Angeles." in holdfast.out
    assert holdfast("versions", NAME.replace("g", "q")) == 2
    assert f"did you mean `{NAME}`?" in holdfast.err
    (found,) = holdfast.versions()
    assert (found["state"], found["author"], found["published_by"], found["exception"]) == (
        *("in effect", "tess", "ruth"),
        "",
    )
    spec, warning = spec_to_open(settings, NAME, publishing.utc_now())
    assert (spec.content_hash, warning) == (found["hash"], "")
    assert holdfast("retire", found["hash"][:10], "--reason", "Not in use.", "--as", "ruth") == 0
    with pytest.raises(Trouble, match="no version of caring_contacts is in effect"):
        spec_to_open(settings, NAME, publishing.utc_now())


def test_what_begins_from_the_template_is_submitted_by_the_coordinator(
    holdfast: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert holdfast("new", "evening_line") == 0
    assert holdfast("submit", "evening_line.yaml", "--as", "tess") == 0
    assert "0 warnings" in holdfast.out
    assert holdfast("publish", "evening_line.yaml", "--as", "ruth") == 0


def test_a_changed_file_is_another_draft(holdfast: Shell) -> None:
    holdfast("submit", NAME, "--as", "tess")
    holdfast.file.write_text(holdfast.file.read_text().replace("title:", "title: Changed", 1))
    assert holdfast("publish", NAME, "--as", "ruth") == 1
    assert "another draft" in holdfast.err


def test_nobody_publishes_their_own_and_nobody_without_a_licence(holdfast: Shell) -> None:
    holdfast("submit", NAME, "--as", "ruth")
    assert holdfast("publish", NAME, "--as", "ruth") == 1
    assert "submitted themselves" in holdfast.err
    assert holdfast("publish", NAME, "--as", "tess") == 2
    assert "tess is not licensed" in holdfast.err


def test_an_exception_needs_a_name_and_stays_visible(holdfast: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    proved_as(monkeypatch, Proved("unfinished", "5 of at least 9."))
    holdfast("submit", NAME, "--as", "tess")
    assert holdfast("publish", NAME, "--as", "ruth") == 1
    assert "NOT PROVED (unfinished)" in holdfast.err
    assert holdfast("publish", NAME, "--as", "ruth", "--exception", "Needed tonight.") == 2
    told = ("--exception", "Needed tonight.", "--signed-by", "ruth")
    assert holdfast("publish", NAME, "--as", "gale", *told) == 0
    assert holdfast("versions") == 0
    assert "EXCEPTION caring_contacts" in holdfast.out
    assert "signed by ruth, supervisor: Needed tonight. (NOT PROVED" in holdfast.out


def test_a_scenario_that_fails_now_forbids_publishing(holdfast: Shell) -> None:
    holdfast("submit", NAME, "--as", "tess")
    scenario = next((holdfast.file.parent / "scenarios" / NAME).glob("*.yaml"))
    scenario.write_text(scenario.read_text().replace("protocol: caring_contacts", "protocol: other"))
    assert holdfast("publish", NAME, "--as", "ruth") == 1
    assert f"1 FAILED: {scenario.stem}" in holdfast.err


def test_an_earlier_version_is_published_again_by_its_hash(holdfast: Shell) -> None:
    """A rollback: the scenarios beside the files are gone or made for another version by then."""
    holdfast("submit", NAME, "--as", "tess")
    assert holdfast("publish", NAME, "--as", "ruth") == 0
    (first,) = holdfast.versions()
    holdfast.file.write_text(re.sub(r"(?m)^version: .*$", "version: 9.0.0", holdfast.file.read_text(), count=1))
    holdfast("submit", NAME, "--as", "tess")
    assert holdfast("publish", NAME, "--as", "ruth") == 0
    shutil.rmtree(holdfast.file.parent / "scenarios")
    assert holdfast("publish", first["short"], "--as", "ruth") == 0
    assert "proved; 0 scenarios" not in holdfast.out
    states = {one["version"]: one["state"] for one in holdfast.versions()}
    assert states == {first["version"]: "in effect", "9.0.0": "superseded"}


def test_what_was_not_good_is_not_good_by_its_hash(holdfast: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = next((holdfast.file.parent / "scenarios" / NAME).glob("*.yaml"))
    scenario.write_text(scenario.read_text().replace("protocol: caring_contacts", "protocol: other"))
    holdfast("submit", NAME, "--as", "tess")
    (found,) = holdfast.versions()
    assert holdfast("publish", found["short"], "--as", "ruth") == 1
    assert f"1 FAILED: {scenario.stem}" in holdfast.err


def test_a_version_waits_for_its_date(holdfast: Shell) -> None:
    holdfast("submit", NAME, "--as", "tess")
    assert holdfast("publish", NAME, "--as", "ruth", "--effective", "2031-01-06 08:00") == 0
    (found,) = holdfast.versions()
    assert found["state"] == "scheduled"
    assert found["effective_at"] == "2031-01-06T16:00:00Z"
    assert "08:00" in found["from_when"]


def test_what_is_sent_back_says_why(holdfast: Shell) -> None:
    holdfast("submit", NAME, "--as", "tess")
    assert holdfast("send-back", NAME, "--reason", "Say who calls.", "--as", "ruth") == 0
    assert holdfast.versions()[0]["state"] == "draft"


def test_the_shipped_protocols_are_published_once_and_nobody_takes_it_for_a_sign_off(
    holdfast: Shell, settings: Settings
) -> None:
    asyncio.run(publish_shipped(settings))
    asyncio.run(publish_shipped(settings))
    (found,) = holdfast.versions()
    assert found["state"] == "in effect"
    assert "DEMO, not a clinical sign-off" in found["exception"]
    _, warning = spec_to_open(settings, NAME, publishing.utc_now())
    assert "DEMO" in warning


def test_an_unpublished_protocol_opens_in_the_embedded_mode_only(settings: Settings) -> None:
    now = publishing.utc_now()
    spec, warning = spec_to_open(settings, NAME, now)
    assert (spec.protocol, "nobody published" in warning) == (NAME, True)
    file = str(settings.protocols / f"{NAME}.yaml")
    assert "a file" in spec_to_open(settings, file, now)[1]
    production = settings.model_copy(update={"mode": "production"})
    for named, message in ((NAME, "no version of"), (file, "is a file")):
        with pytest.raises(Trouble, match=message):
            spec_to_open(production, named, now)
