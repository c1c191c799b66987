"""What the protocol's names are called where people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.events import CommandRefused
from protocol.words import Words
from tests.protocol.specs import protocol


def refused(code: str, message: str, remedy: str, *missing: str) -> CommandRefused:
    return CommandRefused("X", code, message, remedy, missing, datetime(2026, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (refused("missing_facts", "1 answers of first_step are missing.", "Answer them.", "a"), "1 answer is missing."),
        (refused("missing_facts", "2 answers of x are missing.", "Answer them.", "a", "b"), "2 answers are missing."),
        (refused("missing_facts", "Nothing was answered.", "Give at least one fact."), "Nothing was answered."),
        (
            refused("wrong_role", "A care_coordinator may not.", "Ask a on_call."),
            "A care coordinator may not. Ask a on call.",
        ),
        (refused("stale_revision", "Changed since revision 7.", "With the new one."), "The episode changed while you"),
    ],
)
def test_a_refusal_is_said_without_names_of_a_file(refusal: CommandRefused, said: str):
    assert Words(protocol()).refusal(refusal).startswith(said)
    assert "_" not in Words(protocol()).refusal(refusal)


def test_a_step_is_called_by_its_title():
    spec = protocol()
    name = next(name for name in spec.obligations if "_" in name)
    told = Words(spec).refusal(refused("not_waivable", f"{name} can't be waived.", "Do it and record it."))
    assert told == f"“{spec.obligations[name].title}” can't be waived. Do it and record it."
