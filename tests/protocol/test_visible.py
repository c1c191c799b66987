"""What people wrote steers no terminal and forges no line."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import commands as c
from protocol import events as e
from protocol.visible import one_line, visible
from protocol.words import Words
from tests.protocol.specs import protocol

HOSTILE = "12 Oak St\x1b[2J\x1b]0;owned\x07\n  met       Call the responder\u202e119"
AT = datetime(2026, 12, 1, tzinfo=UTC)


@given(st.text())
def test_nothing_that_steers_is_left(text: str):
    assert not [one for one in one_line(text) if unicodedata.category(one) in ("Cc", "Zl", "Zp")]
    assert not [one for one in visible(text) if one != "\n" and unicodedata.category(one) in ("Cc", "Zl", "Zp")]


@pytest.mark.parametrize("text", ["", "12 Oak St, Apt 4", "Peña — “quiet”, naïve 🙂", "señora\N{NO-BREAK SPACE}9"])
def test_ordinary_text_stays(text: str):
    assert one_line(text) == visible(text) == text


def test_a_line_break_is_shown_and_makes_no_line():
    assert one_line("one\ntwo\r\nthree") == "one⏎two⏎three"
    assert visible("one\ntwo") == "one\ntwo"


@pytest.mark.parametrize(
    "command",
    [
        c.DeclareEmergency(command_id="1", actor="mara", role="therapist", occurred_at=AT, reason=HOSTILE),
        c.AddAddendum(command_id="1", actor="mara", role="therapist", occurred_at=AT, refers_to=1, text=HOSTILE),
    ],
)
def test_what_somebody_did_is_told_on_one_harmless_line(command: c.Command):
    assert not set(Words(protocol()).deed(command)) & set("\n\x1b\x07\u202e")


def test_an_answer_is_told_on_one_harmless_line():
    line = Words(protocol()).line(e.FactsRecorded({"plan": HOSTILE}, AT), AT)
    assert line is not None
    assert not set(line.text) & set("\n\x1b\x07\u202e")
