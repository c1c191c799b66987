"""The house rules that a reader may rely on: who imports whom, how large things grow, what is never committed."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Room → the rooms of ours that it may import. Whoever is not named (worker, cli, tests) wires and may import all.
ARROWS: dict[str, set[str]] = {
    "settings": set(),
    "logs": set(),
    "protocol": set(),
    "rehearsal": {"protocol"},
    "protocol_specs": {"protocol", "rehearsal"},
    "workflows": {"protocol", "settings", "logs"},
    "audit": {"protocol", "logs"},
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
PURE = {"protocol", "rehearsal"}
CLOCK_AND_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4"}
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


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: name the whole module instead of dots"
            yield node.module or ""


@pytest.mark.parametrize("path", [path for path in PRODUCT if room(path) not in WIRING], ids=name)
def test_arrows_point_inward(path: Path):
    here = room(path)
    barred = (set(ARROWS) | WIRING) - ARROWS[here] - {here}
    wrong = {module for module in imports(path) if module.partition(".")[0] in barred}
    assert not wrong, f"{here} may import {sorted(ARROWS[here]) or 'nothing of ours'}, not {sorted(wrong)}"


def test_every_room_is_known():
    assert {room(path) for path in SOURCES} <= set(ARROWS) | WIRING


@pytest.mark.parametrize("path", [path for path in PRODUCT if room(path) in PURE], ids=name)
def test_the_core_is_pure(path: Path):
    tops = {module.partition(".")[0] for module in imports(path)} - PURE
    assert tops <= CORE_MAY_IMPORT, f"the core may not import {sorted(tops - CORE_MAY_IMPORT)}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCK_AND_CHANCE, f"line {node.lineno}: {node.func.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "eval", "exec", "__import__", "print"), f"line {node.lineno}"


def test_one_file_parses_yaml_and_one_reads_the_environment():
    parsers = {name(path) for path in PRODUCT if any(module.startswith("ruamel") for module in imports(path))}
    assert parsers == {"protocol_specs/yaml_text.py"}
    readers = {
        name(path)
        for path in PRODUCT
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    }
    assert readers - {"cli/output.py"} == {"settings.py"}, "cli/output.py alone asks COLUMNS, as terminals have it"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_and_functions_stay_small(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_what_is_logged_is_a_constant_phrase(path: Path):
    """Values go into named fields, where `logs.withhold` sees them; a phrase made at run time would slip past."""
    for node in ast.walk(tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id in ("log", "logger", "_log", "_logger"):
            assert node.args, f"{name(path)}:{node.lineno}: a line begins with a phrase"
            assert isinstance(node.args[0], ast.Constant), f"{name(path)}:{node.lineno}"


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
