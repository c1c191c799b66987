"""No shipped protocol can be made laxer in silence: the edit is refused, or `protocol diff` tells it, at its place."""

from __future__ import annotations

import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cli.main import run
from protocol.check import check
from protocol.diff import compare
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_file
from protocol_specs.writing import yaml_text
from tests.proof.laxer import Edit, edits

PROTOCOLS = ("caring_contacts", "withdrawal_monitoring", "virtual_iop_crisis")
PLACES = 8
"""At most so many of a kind are tried in one protocol, spread over it."""
AS_A_WHOLE = ("risk", "closing")
"""What is written in one place of these is told in others."""


@cache
def written(protocol: str) -> dict[str, Any]:
    return read_file(Path(__file__).parents[2] / f"protocol_specs/{protocol}.yaml").data


@cache
def spec_of(protocol: str) -> ProtocolSpec:
    return ProtocolSpec.model_validate(written(protocol))


@cache
def by_kind(protocol: str) -> dict[str, list[Edit]]:
    ordered = sorted(edits(written(protocol)), key=lambda one: one.kind)
    return {kind: list(ones) for kind, ones in groupby(ordered, key=lambda one: one.kind)}


CASES = [(protocol, kind) for protocol in PROTOCOLS for kind in by_kind(protocol)]


def some(protocol: str, kind: str) -> list[Edit]:
    found = by_kind(protocol)[kind]
    return found[:: -(-len(found) // PLACES)]


def edited(protocol: str, edit: Edit) -> ProtocolSpec | None:
    """The laxer protocol; None where the document itself is refused."""
    try:
        return ProtocolSpec.model_validate(edit.of(written(protocol)))
    except ValidationError:
        return None


def refused(spec: ProtocolSpec | None) -> bool:
    return spec is None or any(one.severity == "error" for one in check(spec))


def depth(edit: Edit) -> int:
    return 1 if edit.path[0] in AS_A_WHOLE else 2


def test_there_are_many() -> None:
    assert len({kind for _, kind in CASES}) >= 35
    assert sum(len(some(*case)) for case in CASES) >= 400


@pytest.mark.parametrize(("protocol", "kind"), CASES)
def test_a_laxer_edit_is_refused_or_told_as_laxer_at_its_place(protocol: str, kind: str) -> None:
    silent = [edit.path for edit in some(protocol, kind) if not told(protocol, edit)]
    assert silent == []


def told(protocol: str, edit: Edit) -> bool:
    spec = edited(protocol, edit)
    if spec is None:
        return True
    place = edit.path[: depth(edit)]
    laxer = [one for one in compare(spec_of(protocol), spec) if one.effect == "laxer"]
    return any(one.path[: len(place)] == place for one in laxer) or refused(spec)


@pytest.mark.parametrize("kind", sorted({kind for _, kind in CASES}))
def test_the_command_ends_with_one(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the first edit of each kind that is not refused already."""
    file, told_in = tmp_path / "laxer.yaml", [protocol for protocol in PROTOCOLS if kind in by_kind(protocol)]
    sound = ((one, edit) for one in told_in for edit in by_kind(one)[kind] if not refused(edited(one, edit)))
    protocol, edit = next(sound)
    file.write_text(yaml_text(edit.of(written(protocol))), encoding="utf-8")
    assert run(["protocol", "diff", protocol, str(file), "--json"]) == 1
    changes = json.loads(capsys.readouterr().out)
    place = ".".join(map(str, edit.path[: depth(edit)]))
    assert any(one["effect"] == "laxer" and one["path"].startswith(place) for one in changes)
