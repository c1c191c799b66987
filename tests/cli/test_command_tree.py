"""What every command has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from cli.main import app

WITHOUT_JSON = {
    "audit checkpoint": "prints JSON in any case: what is printed is the file that is kept outside",
    "worker": "runs until it is stopped and prints nothing; its log is JSON with HOLDFAST_LOG_FORMAT=json",
}
"""Commands that need no `--json`, and why."""


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command below a group, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


TREE = dict(commands(typer.main.get_command(app)))


def test_the_tree_is_walked_to_its_leaves() -> None:
    assert {"up", "protocol lint", "episode do advance", "audit verify"} <= TREE.keys()


def test_every_command_answers_in_json_where_asked() -> None:
    mute = {path for path, command in TREE.items() if "--json" not in {o for p in command.params for o in p.opts}}
    assert mute == WITHOUT_JSON.keys()


def test_every_command_says_what_it_does() -> None:
    assert [path for path, command in TREE.items() if not command.help] == []
