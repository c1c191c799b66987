"""Draft, in review, published, retired: who may do what, and which version counts when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from protocol import publishing as p
from protocol.facts import Refused
from protocol.publishing import Actor, Publication, SignOff, Trial
from protocol.spec import ProtocolSpec
from tests.protocol.specs import compact, protocol
from tests.protocol.story import START

GOOD = Trial(0, "proved", "All of it.", 3, ())
BAD = Trial(2, "failed", "Nobody is paged.", 3, ("late_call",))
NEXT = protocol(version="1.1.0")
SIGNED = SignOff("dora", "supervisor", "The proof does not know the second line.")


class Office:
    """What is done, in order, with a clock of its own."""

    def __init__(self) -> None:
        self.record: list[Publication] = []
        self.now = START

    def later(self, hours: float) -> datetime:
        self.now += timedelta(hours=hours)
        return self.now

    def do(self, act: Any, spec: ProtocolSpec, by: str, *rest: Any, role: str = "therapist", **more: Any) -> str:
        """The code of the refusal, or what was done."""
        done = act(self.record, spec, Actor(by, role, self.now), *rest, **more)
        if isinstance(done, Refused):
            return done.code
        self.record.append(done)
        return done.act

    def published(self, spec: ProtocolSpec, **more: Any) -> None:
        assert self.do(p.submit, spec, "ann", GOOD) == "submitted"
        assert self.do(p.publish, spec, "dora", GOOD, **more) == "published"

    def counts(self) -> str | None:
        found = p.in_effect(self.record, "compact", self.now)
        return found.version if found else None

    def state(self, spec: ProtocolSpec) -> str:
        return p.state_of(self.record, spec.content_hash, self.now)


def test_a_version_goes_from_draft_to_retired() -> None:
    office = Office()
    assert office.state(compact()) == "draft"
    assert office.do(p.submit, compact(), "ann", GOOD, role="peer") == "submitted"
    assert (office.state(compact()), office.counts()) == ("in review", None)
    assert office.do(p.publish, compact(), "dora", GOOD) == "published"
    assert (office.state(compact()), office.counts()) == ("in effect", "1.0.0")
    assert office.do(p.retire, compact(), "dora", "Superseded by law.") == "retired"
    assert (office.state(compact()), office.counts()) == ("retired", None)


def test_nobody_publishes_their_own_work() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", GOOD)
    assert office.do(p.publish, compact(), "ann", GOOD) == "own_work"
    assert office.do(p.publish, compact(), "ann", BAD, sign_off=SIGNED) == "own_work"


def test_work_stays_ones_own_when_another_submits_it_again() -> None:
    office = Office()
    assert office.do(p.submit, compact(), "ann", GOOD) == "submitted"
    assert office.do(p.send_back, compact(), "dora", "Say who calls.") == "sent_back"
    assert office.do(p.submit, compact(), "bea", GOOD) == "submitted"
    for author in ("ann", "bea"):
        assert office.do(p.publish, compact(), author, GOOD) == "own_work"
        assert office.do(p.publish, compact(), "dora", BAD, sign_off=replace(SIGNED, by=author)) == "own_work"
    assert office.do(p.publish, compact(), "dora", GOOD) == "published"


def test_only_licensed_staff_publishes_and_retires() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", GOOD)
    assert office.do(p.publish, compact(), "pat", GOOD, role="peer") == "wrong_role"
    office.do(p.publish, compact(), "dora", GOOD)
    assert office.do(p.retire, compact(), "pat", "why", role="peer") == "wrong_role"
    assert office.do(p.retire, compact(), "dora", "  ") == "no_reason"
    assert office.do(p.retire, NEXT, "dora", "why") == "not_published"


def test_only_what_was_published_is_retired() -> None:
    assert Office().do(p.retire, compact(), "dora", "why") == "not_published"


def test_a_changed_file_is_another_draft() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", GOOD)
    changed = protocol(title="Changed")
    assert office.do(p.publish, changed, "dora", GOOD) == "not_in_review"


def test_what_is_sent_back_must_be_submitted_again() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", GOOD)
    assert office.do(p.submit, compact(), "ann", GOOD) == "in_review"
    assert office.do(p.send_back, compact(), "dora", "") == "no_reason"
    assert office.do(p.send_back, compact(), "dora", "Say who pages.") == "sent_back"
    assert office.do(p.publish, compact(), "dora", GOOD) == "not_in_review"
    assert office.do(p.send_back, compact(), "dora", "again") == "not_in_review"


@pytest.mark.parametrize(
    "trial",
    [
        BAD,
        replace(GOOD, proof="unfinished"),
        replace(GOOD, proof="not run"),
        replace(GOOD, scenarios=0),
        replace(GOOD, failed=("one",)),
    ],
)
def test_only_what_is_proved_and_tested_is_published(trial: Trial) -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", trial)
    assert office.do(p.publish, compact(), "dora", trial) == "not_good"


def test_an_exception_is_signed_by_a_named_clinician_and_stays_visible() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", BAD)
    for wrong, code in (
        (replace(SIGNED, by="ann"), "own_work"),
        (replace(SIGNED, role="peer"), "wrong_role"),
        (replace(SIGNED, reason=" "), "no_reason"),
    ):
        assert office.do(p.publish, compact(), "dora", BAD, sign_off=wrong) == code
    assert office.do(p.publish, compact(), "dora", BAD, sign_off=SIGNED) == "published"
    found = p.publication_of(office.record, compact().content_hash)
    assert found is not None
    assert found.sign_off == SIGNED


def test_a_sign_off_is_not_kept_where_none_is_needed() -> None:
    office = Office()
    office.published(compact(), sign_off=SIGNED)
    assert office.record[-1].sign_off is None


def test_a_version_counts_from_its_date() -> None:
    office = Office()
    office.published(compact())
    office.published(NEXT, effective_at=office.now + timedelta(hours=5))
    assert (office.counts(), office.state(NEXT)) == ("1.0.0", "scheduled")
    office.later(5)
    assert (office.counts(), office.state(NEXT), office.state(compact())) == ("1.1.0", "in effect", "superseded")
    assert office.do(p.publish, compact(), "dora", GOOD, effective_at=office.now - timedelta(hours=1)) == "past"


def test_a_rollback_is_publishing_again() -> None:
    office = Office()
    office.published(compact())
    office.later(1)
    office.published(NEXT)
    assert office.counts() == "1.1.0"
    office.later(1)
    assert office.do(p.publish, compact(), "dora", GOOD) == "published"
    assert office.counts() == "1.0.0"
    assert office.record[-1].version == "1.0.0"


def test_retiring_what_counts_leaves_none_and_not_the_one_before() -> None:
    office = Office()
    office.published(compact())
    office.later(1)
    office.published(NEXT)
    office.later(1)
    office.do(p.retire, NEXT, "dora", "A mistake.")
    assert office.counts() is None
    office.do(p.publish, compact(), "dora", GOOD)
    assert office.counts() == "1.0.0"


def test_retiring_what_is_scheduled_leaves_the_one_that_counts() -> None:
    office = Office()
    office.published(compact())
    office.published(NEXT, effective_at=office.now + timedelta(hours=5))
    office.do(p.retire, NEXT, "dora", "Not yet.")
    office.later(9)
    assert office.counts() == "1.0.0"


def test_a_published_number_never_gets_another_content() -> None:
    office = Office()
    office.published(compact())
    assert office.do(p.submit, protocol(title="Changed"), "ann", GOOD) == "version_taken"
    assert office.do(p.submit, compact(), "ann", GOOD) == "published"


def test_what_was_done_can_be_written_and_read() -> None:
    office = Office()
    office.do(p.submit, compact(), "ann", BAD)
    office.do(p.publish, compact(), "dora", BAD, sign_off=SIGNED)
    for one in office.record:
        assert p.PUBLICATION.validate_json(p.PUBLICATION.dump_json(one)) == one
