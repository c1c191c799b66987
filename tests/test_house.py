"""The house rules that a reader may rely on: who imports whom, how large things grow, what is never committed."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

#: Room → the rooms of ours that it may import. Whoever is not named (worker, cli, tests) wires and may import all.
ARROWS: dict[str, set[str]] = {
    "named_keys": set(),
    "setting_kinds": {"named_keys"},
    "settings": {"named_keys", "setting_kinds"},
    "logs": set(),
    "heap": set(),
    "protocol": set(),
    "rehearsal": {"protocol"},
    "proof": {"protocol", "rehearsal"},
    "protocol_specs": {"protocol", "rehearsal", "proof"},
    "workflows": {"protocol", "settings", "logs"},
    "audit": {"protocol", "logs"},
    "practice": {"protocol", "audit", "logs"},
    "web": {
        *("protocol", "rehearsal", "proof", "protocol_specs", "workflows", "activities", "audit", "practice"),
        *("settings", "logs", "heap"),
    },
    "activities": {"protocol", "audit", "workflows", "settings", "logs"},
}
WIRING = {"worker", "watchdog", "cli", "tests", "benchmarks"}
#: The core is pure: arithmetic, text, data classes, validation and the stage machine; no clock, chance, disk or net.
CORE_MAY_IMPORT = {
    "__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "difflib",
    "enum", "functools", "graphlib", "hashlib", "heapq", "hmac", "itertools", "json", "math", "operator", "re",
    "string", "textwrap", "types", "typing", "unicodedata", "zoneinfo",
    "uuid", "pydantic", "pydantic_core", "transitions",
}  # fmt: skip
PURE = {"protocol", "rehearsal", "proof"}
MAY_DRAW = {"rehearsal"}
"""May draw made-up episodes, from a seed that is given."""
CLOCK_AND_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4"}
REACHES_OUT = {"open", "eval", "exec", "__import__", "print"}
LOGGERS = {"log", "logger", "_log", "_logger"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

FORBIDDEN = {
    "the address of a package index": re.compile(
        r"(--(extra-)?index-url[ =]+\S|--find-links|-f |pypi\.org/simple|pythonhosted\.org)"
    ),
    "a path of somebody's machine": re.compile(r"(?:^|[\s\"'`(=:])/(?:home|root|Users|work|mnt)/\w"),
}


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


SOURCES = [path for path in committed() if path.suffix == ".py"]
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in ("tests", "benchmarks")]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


class Call(NamedTuple):
    """A call in a file: where, of what, and what it begins with: "nothing", a "constant" or something "made"."""

    place: str
    called: str
    begins: str


class Source(NamedTuple):
    """What the rules ask of a file. The tree itself is let go of: held for each file, it would slow later tests."""

    imports: list[str]
    calls: list[Call]
    attributes: set[str]
    lengths: dict[str, int]
    """Lines of each function."""


@cache
def source(path: Path) -> Source:
    imports, calls, attributes, lengths = list[str](), list[Call](), set[str](), dict[str, int]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), name(path))):
        match node:
            case ast.Import():
                imports += [alias.name for alias in node.names]
            case ast.ImportFrom():
                assert node.level == 0, f"{name(path)}:{node.lineno}: name the whole module instead of dots"
                imports.append(node.module or "")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=called)):
                calls.append(_call(path, node, f"{owner}.{called}"))
            case ast.Call(func=ast.Attribute(attr=called)):
                calls.append(_call(path, node, f"….{called}"))
            case ast.Call(func=ast.Name(id=called)):
                calls.append(_call(path, node, called))
            case ast.Attribute():
                attributes.add(node.attr)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                lengths[f"{node.name}:{node.lineno}"] = (node.end_lineno or node.lineno) - node.lineno + 1
            case _:
                pass
    return Source(imports, calls, attributes, lengths)


def _call(path: Path, call: ast.Call, called: str) -> Call:
    begins = "nothing" if not call.args else "constant" if isinstance(call.args[0], ast.Constant) else "made"
    return Call(f"{name(path)}:{call.lineno}", called, begins)


def test_arrows_point_inward():
    wrong = [
        f"{name(path)} imports {module}; {here} may import {sorted(ARROWS[here]) or 'nothing of ours'}"
        for path in PRODUCT
        if (here := room(path)) not in WIRING
        for module in source(path).imports
        if module.partition(".")[0] in (set(ARROWS) | WIRING) - ARROWS[here] - {here}
    ]
    assert not wrong


def test_every_room_is_known():
    assert {room(path) for path in SOURCES} <= set(ARROWS) | WIRING


def test_the_core_is_pure():
    pure = [path for path in PRODUCT if room(path) in PURE]
    tops = {(name(path), module.partition(".")[0]) for path in pure for module in source(path).imports}
    drawing = {(name(path), "random") for path in pure if room(path) in MAY_DRAW}
    assert not [(path, top) for path, top in tops - drawing if top not in PURE | CORE_MAY_IMPORT]
    calls = [(call, call.called.rpartition(".")) for path in pure for call in source(path).calls]
    assert not [call for call, (_, dot, last) in calls if dot and last in CLOCK_AND_CHANCE]
    assert not [call for call, _ in calls if call.called in REACHES_OUT]
    assert not [call for call, (_, _, last) in calls if last == "Random" and call.begins == "nothing"], (
        "a seed is given"
    )
    assert not [call for call, (_, _, last) in calls if last == "SystemRandom"]


def test_one_file_parses_yaml_and_one_reads_the_environment():
    parsers = {name(path) for path in PRODUCT if any(module.startswith("ruamel") for module in source(path).imports)}
    assert parsers == {"protocol_specs/yaml_text.py"}
    readers = {name(path) for path in PRODUCT if source(path).attributes & {"environ", "environb", "getenv"}}
    assert readers - {"cli/tables.py"} == {"settings.py"}, "cli/tables.py alone asks COLUMNS, as terminals have it"


def test_files_and_functions_stay_small():
    assert not [name(path) for path in SOURCES if path.read_text(encoding="utf-8").count("\n") > LONGEST_FILE]
    assert not [
        f"{name(path)}: {function} has {lines} lines"
        for path in SOURCES
        for function, lines in source(path).lengths.items()
        if lines > LONGEST_FUNCTION
    ]


def test_what_is_logged_is_a_constant_phrase():
    """Values go into named fields, where `logs.withhold` sees them; a phrase made at run time would slip past."""
    logged = [
        call
        for path in PRODUCT
        for call in source(path).calls
        if call.called.partition(".")[0] in LOGGERS and call.called.partition(".")[2] in LEVELS
    ]
    assert logged, "nothing is logged: the names of the loggers changed"
    assert not [call for call in logged if call.begins != "constant"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_names(what: str):
    found: list[str] = []
    for path in committed():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name(path)}:{number}"
            for number, line in enumerate(text.splitlines(), start=1)
            if FORBIDDEN[what].search(line)
        ]
    assert not found


def test_packages_stay_empty_at_the_door():
    """An import in a package's __init__ runs inside the workflow sandbox and ties rooms together."""
    assert [name(path) for path in PRODUCT if path.name == "__init__.py" and path.stat().st_size] == []


def test_nothing_runs_on_an_older_python_than_we_say():
    assert sys.version_info >= (3, 11)
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
