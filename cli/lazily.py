"""Groups of commands whose modules are imported when somebody uses them.

Checking a draft must not wait for Temporal's client and the database library, which it never calls.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperGroup


class _Commands(MutableMapping[str, Any]):
    """Commands by name; those that are only known by their place are imported when they are asked for."""

    def __init__(self, made: MutableMapping[str, Any], places: dict[str, str]) -> None:
        self._made = made
        self._places = places

    def __getitem__(self, name: str) -> Any:
        if name not in self._made and name in self._places:
            self._made[name] = _command_at(self._places[name], name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._made, **self._places})

    def __len__(self) -> int:
        return len({**self._made, **self._places})


def with_places(places: dict[str, str]) -> type[TyperGroup]:
    """A group that also has the commands at these places, such as `{"fmt": "cli.authoring:fmt"}`."""

    class Lazy(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(self.commands, places)

    return Lazy


def group_in(module: str, words: str) -> typer.Typer:
    """The group `app` of a module, with the words that stand beside it in the help of what it belongs to.

    What the group does before each of its commands, it does without options.
    """

    class Lazy(TyperGroup):
        @property
        def commands(self) -> MutableMapping[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
            return _group_at(module).commands

        @commands.setter
        def commands(self, given: MutableMapping[str, Any]) -> None:
            assert not given

        def invoke(self, ctx: Any) -> Any:
            begin = _group_at(module).callback
            if begin is not None:
                begin()
            return super().invoke(ctx)

    return typer.Typer(no_args_is_help=True, help=words, cls=Lazy)


@cache
def _group_at(module: str) -> TyperGroup:
    return cast("TyperGroup", typer.main.get_command(import_module(module).app))


def _command_at(place: str, name: str) -> Any:
    module, _, function = place.partition(":")
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(import_module(module), function))
    return typer.main.get_command(alone)
