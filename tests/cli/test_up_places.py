"""What `holdfast up` says of where things are."""

from __future__ import annotations

import json
from pathlib import Path

from cli.up import as_lines, as_text, where_to_look
from settings import Settings

ELSEWHERE = Settings(var=Path("/srv/hold fast"), temporal_address="127.0.0.1:7999", temporal_ui_port=0)


def test_a_stack_elsewhere_is_called_with_its_settings() -> None:
    listed = where_to_look(ELSEWHERE)["episodes"]
    assert listed.startswith("HOLDFAST_VAR='/srv/hold fast' HOLDFAST_TEMPORAL_ADDRESS=127.0.0.1:7999 ")
    assert listed.endswith("holdfast episode list")


def test_an_ordinary_stack_needs_none() -> None:
    for ordinary in (Settings(), Settings(var=Path("var").absolute())):
        assert "HOLDFAST_" not in where_to_look(ordinary)["episodes"]


def test_people_and_machines_are_told_the_same() -> None:
    said: list[str] = []
    places = where_to_look(ELSEWHERE)
    as_text(said.append).welcome(places)
    as_lines(said.append).welcome(places)
    text, line = said
    assert json.loads(line) == {"said": "Holdfast is up.", "places": places}
    assert all(place in text for place in places.values())
