"""What is written down late: it stands in the trail, counts as evidence, and takes the place of nothing newer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.engine import MOST_RECEIPTS
from tests.protocol.specs import OBLIGATIONS, duty, protocol, with_duties
from tests.protocol.story import START, Story, code, kinds, span


@pytest.fixture
def story() -> Story:
    return Story.begun()


def decided(story: Story, decision: str, option: str, **fields: Any) -> Any:
    return story.do(c.RecordDecision, decision=decision, option=option, rationale="r", **fields)


def sign(story: Story, subject: str = "report", **fields: Any) -> Any:
    return story.do(c.CoSign, subject=subject, by="sue", role="supervisor", **fields)


# Decisions


def test_a_decision_of_this_morning_does_not_undo_the_one_of_noon(story: Story):
    decided(story.later("3h"), "plain", "right")
    receipt = decided(story, "plain", "left", ago="2h")
    assert kinds(receipt)[0] == "DecisionRecorded"
    record = story.episode.decisions["plain"]
    assert (record.option, record.at) == ("right", story.now)


def test_a_late_decision_opens_ends_and_refers_nothing(story: Story):
    story.later("3h").answer(means="ready")
    decided(story, "step_up", "hospital")
    story.engine.take_effects()
    owed = dict(story.episode.obligations)
    for option in ("hospital", "more"):
        assert kinds(decided(story, "step_up", option, ago="2h")) == ["DecisionRecorded"]
    assert story.episode.obligations == owed
    assert not story.engine.take_effects()


def test_of_two_decisions_of_one_moment_the_later_entry_counts(story: Story):
    decided(story, "plain", "right")
    decided(story, "plain", "left")
    assert story.episode.decisions["plain"].option == "left"


def test_a_late_decision_waits_for_no_signature(story: Story):
    decided(story.later("3h"), "report", "yes")
    sign(story)
    decided(story, "report", "no", ago="2h")
    assert not story.episode.unsigned
    assert code(sign(story)) == "nothing_to_cosign"


# What two people signed


def test_what_was_signed_stands_until_what_comes_after_it_is_signed_too(story: Story):
    decided(story, "report", "yes")
    sign(story)
    receipt = decided(story.later("1h"), "report", "no", by="ben")
    assert "ObligationOpened" in kinds(receipt)
    record = story.episode.decisions["report"]
    assert (record.option, record.cosigned) == ("yes", True)
    assert story.owed("sign")
    sign(story.later("5m"))
    record = story.episode.decisions["report"]
    assert (record.option, record.by, record.cosigned, record.at) == ("no", "ben", True, story.now)
    assert not story.episode.unsigned
    assert not story.owed("sign")


def test_a_decision_that_needs_no_signature_counts_at_once_and_ends_what_waits(story: Story):
    decided(story, "step_up", "more")
    story.answer(means="ready")
    decided(story, "step_up", "stay")
    assert story.episode.unsigned["step_up"].option == "stay"
    decided(story, "step_up", "hospital")
    assert story.episode.decisions["step_up"].option == "hospital"
    assert not story.episode.unsigned


def test_an_episode_does_not_close_while_a_newer_decision_waits(story: Story):
    story.in_follow_up()
    decided(story, "report", "yes")
    sign(story)
    decided(story, "report", "no")
    refusal = story.do(c.CloseEpisode, outcome="resolved", reason="r").refusal
    assert refusal is not None
    assert "unsigned: report" in refusal.missing


def test_whoever_signs_signs_what_they_saw(story: Story):
    """Between the look and the signature somebody decided otherwise."""
    decided(story, "report", "yes")
    seen = next(row.sequence for row in story.engine.rows if row.kind == "DecisionRecorded")
    decided(story, "report", "no")
    refused = sign(story, entry=seen)
    assert code(refused) == "not_what_was_seen"
    waits = story.episode.decisions["report"]
    assert f"entry {waits.sequence}" in refused.refusal.remedy
    assert not waits.cosigned
    assert code(sign(story, entry=waits.sequence)) is None
    assert story.episode.decisions["report"].option == "no"


def test_a_signature_dated_back_counts_from_the_decision_on(story: Story):
    decided(story.later("1h"), "report", "yes")
    sign(story.later("5m"), ago="30m")
    assert story.episode.decisions["report"].at == story.now - span("5m")


# Contacts and attempts


def test_a_contact_written_down_late_is_not_the_latest(story: Story):
    story.later("3h").contact()
    story.contact(ago="2h")
    assert story.episode.contacts["client"].at == story.now
    assert story.episode.tries["client"].at == story.now
    story.contact("no_answer", ago="1h")
    assert story.episode.tries["client"].at == story.now


def test_a_contact_that_really_happened_ends_what_it_is_evidence_for():
    """The duty is opened by a late entry, after a later contact was written down."""
    called = duty("9h", [{"done": "reassess"}], [{"reached": "client"}])
    story = Story.begun(with_duties(called=called)).later("3h")
    story.contact()
    story.do(c.CompleteStep, step="reassess", ago="2h")
    assert story.owed("called")
    receipt = story.contact(ago="1h")
    assert e.ObligationMet("called-1", "called", False, story.now - span("1h")) in receipt.events
    assert story.episode.contacts["client"].at == story.now


# Steps


def test_a_step_written_down_late_was_done_at_the_later_time(story: Story):
    story.later("3h").do(c.CompleteStep, step="reassess")
    story.do(c.CompleteStep, step="reassess", ago="2h")
    assert story.episode.steps["reassess"].at == story.now


def test_what_is_done_is_not_skipped():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.CompleteStep, step="calm")
    assert code(story.do(c.SkipStep, step="calm", reason="r")) == "already_done"
    assert story.episode.steps["calm"].status == "done"


def test_what_was_done_is_done_though_somebody_skipped_it_meanwhile():
    calmed = duty("9h", [{"event": "episode_opened"}], [{"done": "calm"}])
    obligations = {**OBLIGATIONS, "calmed": calmed}
    story = Story.begun(protocol(initial="coping", obligations=obligations)).later("3h")
    story.do(c.SkipStep, step="calm", reason="r")
    receipt = story.do(c.CompleteStep, step="calm", ago="1h")
    assert e.ObligationMet("calmed-1", "calmed", False, story.now - span("1h")) in receipt.events
    assert story.episode.steps["calm"].status == "done"


# Times typed to the minute


def to_the_minute(seconds: int) -> Story:
    """A duty to try that was opened so many seconds after a full minute."""
    story = Story.begun(now=START + timedelta(seconds=seconds))
    story.contact("no_answer")
    assert story.owed("try_client")
    return story


def test_a_time_typed_to_the_minute_is_not_before_the_minute():
    story = to_the_minute(40)
    receipt = story.later("5m").contact("no_answer", at=START)
    (met,) = [one for one in receipt.events if isinstance(one, e.ObligationMet)]
    assert (met.obligation, met.at) == ("try_client", START + timedelta(seconds=40))


@pytest.mark.parametrize("at", [START - timedelta(minutes=1), START + timedelta(seconds=20)])
def test_a_minute_before_is_before_and_so_is_an_exact_time(at: Any):
    story = to_the_minute(40)
    story.later("5m").contact("no_answer", at=at)
    assert story.owed("try_client")


# What is sent again


def test_reports_of_pages_do_not_crowd_out_what_people_sent(story: Story):
    told = {"command_id": "mine", "actor": "mara", "role": "therapist", "occurred_at": story.now}
    attempt = c.RecordContact(**told, party="client", channel="phone", outcome="no_answer")
    first = story.engine.submit(attempt, story.now)
    for _ in range(MOST_RECEIPTS + 1):
        story.do(c.ReportPage, by=c.SYSTEM_ACTOR, role=c.SYSTEM_ROLE, page_id="p", delivered=True)
    assert story.engine.submit(attempt, story.now) == first
    assert story.episode.attempts == {"client": 1}
