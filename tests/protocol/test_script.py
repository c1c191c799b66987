"""The words for the emergency service: what is recorded is filled in, what is not is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.script import spoken
from protocol.spec import ProtocolSpec
from tests.protocol.specs import protocol
from tests.protocol.story import Story


def with_script(*lines: str) -> ProtocolSpec:
    spec = protocol()
    return spec.model_copy(update={"emergency": spec.emergency.model_copy(update={"script": lines})})


def test_what_is_recorded_is_filled_in_and_the_rest_is_asked_for():
    spec = with_script("They are at {address}.", "Means: {means}.", "Please hurry.")
    story = Story.begun()
    assert spoken(spec, story.episode.facts) == ("They are at (Address).", "Means: (Means).", "Please hurry.")
    story.answer(address="12 Elm", means="ready")
    assert spoken(spec, story.episode.facts) == ("They are at 12 Elm.", "Means: ready.", "Please hurry.")


def test_an_answer_that_looks_like_a_blank_is_read_as_it_is():
    story = Story.begun()
    story.answer(address="{means}")
    assert spoken(with_script("At {address}."), story.episode.facts) == ("At {means}.",)


def test_an_answer_that_was_refused_or_left_empty_is_asked_for():
    story = Story.begun()
    story.answer(address="12 Elm")
    known = story.episode.facts["address"]
    for value in ("refused", "unknown", ""):
        nothing = {"address": replace(known, value=value)}
        assert spoken(with_script("At {address}."), nothing) == ("At (Address).",)


@pytest.mark.parametrize(
    ("recorded", "said"), [("los_angeles", "Los Angeles County"), ("outside_california", "outside California")]
)
def test_a_county_is_said_by_its_name(recorded: str, said: str):
    spec = with_script("At {means}, {address}.")
    story = Story.begun()
    story.answer(address="12 Elm")
    place = {"means": replace(story.episode.facts["address"], value=recorded)}
    pages = spec.pages.model_copy(update={"county": "means"})
    assert spoken(spec.model_copy(update={"pages": pages}), place) == (f"At {said}, (Address).",)
