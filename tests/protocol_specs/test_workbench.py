"""What the process for long work says while it works: the studio shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol_specs.loader import load_protocol
from protocol_specs.workbench import Job, Kind, work

ROOT = Path(__file__).parents[2]
CONTACTS = load_protocol(ROOT / "protocol_specs" / "caring_contacts.yaml")


@pytest.mark.full
def test_how_far_a_proof_is_comes_between_the_claims_too() -> None:
    said = _said("proof")
    told = [(line["done"], line["last"]) for line in said]
    assert len(told) > len({last for _, last in told}), "more often than a claim is settled"


@pytest.mark.full
def test_how_far_the_making_of_scenarios_is_comes_with_how_much_there_is() -> None:
    said = _said("scenarios")
    *_, last = said
    done, _, places = last["done"].partition(" of ")
    assert f"{done} places" == places


def _said(kind: Kind) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    work(Job([kind], CONTACTS.canonical(), {}, ""), said.append)
    return said
