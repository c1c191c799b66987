"""What the documents promise exists: links, make targets, commands, settings, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app

pytestmark = pytest.mark.full

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
COMMANDS = typer.main.get_command(app)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    here = [link for link in links if "://" not in link]
    assert [link for link in here if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


def is_command(words: list[str]) -> bool:
    """Whether the words, up to the first argument, lead to a command."""
    command: Any = COMMANDS
    for word in words:
        group: dict[str, Any] | None = getattr(command, "commands", None)
        if group is None:
            return True
        if word not in group:
            return False
        command = group[word]
    return True


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    cited = re.findall(r"(?:`|\$ |bin/|cli\.main |^)holdfast((?: [a-z][a-z-]*)+)", text, re.MULTILINE)
    assert [words for words in cited if not is_command(words.split())] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_setting_is_explained(page: Path) -> None:
    explained = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    named = {
        one.removesuffix("_FILE") for one in re.findall(r"\bHOLDFAST_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))
    }
    assert {one for one in named if f"`{one}`" not in explained} == set()


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert {page.stem for page in folder.glob("*.md")} - {"README"} == set(re.findall(r"\]\((\w+)\.md\)", index))


def test_the_tour_names_files_that_are_there() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    rooms = [ROOT, *(path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))]
    for file in re.findall(r"`([\w/]+\.(?:py|yaml))`", tour):
        assert any((room / file).is_file() for room in rooms), file


def test_the_tour_names_every_room() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {room for room in rooms if f"{room}/" not in tour} == set()
