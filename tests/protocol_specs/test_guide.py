"""The examples of the guide on writing a protocol can be read, and the error it shows is the one that is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol.conditions import Guard
from protocol.duties import DueMoment, DueTable
from protocol_specs.lint import lint
from protocol_specs.loader import read_yaml

GUIDE = (Path(__file__).parents[2] / "docs" / "writing_a_protocol.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```([a-z]+ ?[a-z]*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
WHOLE = "\n".join(text for kind, text in BLOCKS if kind == "yaml")
KINDS: dict[str, type] = {"yaml condition": Guard, "yaml due": DueTable | DueMoment}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, text in BLOCKS if kind in KINDS])
def test_the_examples_can_be_read(kind: str, text: str) -> None:
    read_yaml(text).validate(KINDS[kind])


def test_the_error_that_is_shown_is_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "my_protocol.yaml"
    path.write_text(WHOLE.replace("{reached: client, done", "{reached: clent, done"), encoding="utf-8")
    shown = next(text for kind, text in BLOCKS if kind == "text")
    said = "".join(f"{each}\n" for each in lint(path)).replace(str(path), "my_protocol.yaml")
    assert said == shown
