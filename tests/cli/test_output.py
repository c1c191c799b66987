"""The command line shows what people wrote without obeying it."""

from __future__ import annotations

import json

import pytest
from rich.text import Text

from cli.output import say, say_json
from cli.tables import console, table

HOSTILE = "12 Oak\x1b[2J\x9b2J\x07 St"


def test_text_tables_and_console_obey_nothing(capsys: pytest.CaptureFixture[str]):
    say(HOSTILE)
    table("Title", ("Where", HOSTILE), [(HOSTILE, Text(HOSTILE, "bold"))], "none")
    console().print(Text(HOSTILE))
    said = capsys.readouterr().out
    assert "12 Oak" in said
    assert not set(said) & set("\x1b\x9b\x07")


def test_json_keeps_the_text_and_obeys_nothing(capsys: pytest.CaptureFixture[str]):
    say_json({"where": HOSTILE})
    said = capsys.readouterr().out
    assert not set(said) & set("\x1b\x9b\x07")
    assert json.loads(said) == {"where": HOSTILE}
