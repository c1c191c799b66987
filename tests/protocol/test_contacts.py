"""A contact is a live exchange with the party itself; everything else is an attempt."""

from __future__ import annotations

from typing import get_args

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.story import Story, code, kinds

ATTEMPTS = [outcome for outcome in get_args(c.ContactOutcome) if outcome not in ("reached", "automatic_message")]


@pytest.fixture
def story() -> Story:
    return Story.begun()


def test_a_live_contact_is_recorded_with_channel_and_note(story: Story):
    receipt = story.contact(note="calm")
    assert receipt.events[0] == e.ContactMade("client", "phone", "calm", "", story.now)
    moment = story.episode.contacts["client"]
    assert (moment.at, moment.sequence) == (story.now, 3)
    assert story.episode.tries["client"] == moment


@pytest.mark.parametrize("outcome", ATTEMPTS)
def test_an_attempt_is_no_contact(outcome: str):
    story = Story.begun().in_follow_up()
    receipt = story.contact(outcome, note="n")
    assert receipt.events[0] == e.ContactAttempted("client", "phone", outcome, 1, "n", "", story.now)
    assert "client" not in story.episode.contacts
    assert story.episode.tries["client"].at == story.now
    assert story.owed("first_contact")


def test_an_automatic_message_is_recorded_and_is_no_attempt():
    story = Story.begun().in_follow_up()
    story.contact("no_answer")
    receipt = story.contact("automatic_message", note="n")
    assert receipt.events == (e.ContactAttempted("client", "phone", "automatic_message", 1, "n", "", story.now),)
    assert story.episode.attempts == {"client": 1}
    assert story.episode.tries["client"].sequence < story.episode.revision
    assert story.owed("first_contact")


def test_failed_attempts_are_counted_until_a_live_contact(story: Story):
    numbers = [story.contact("no_answer").events[0].number for _ in range(3)]  # type: ignore[union-attr]
    assert numbers == [1, 2, 3]
    assert story.episode.attempts == {"client": 3}
    story.contact()
    assert story.episode.attempts.get("client", 0) == 0
    assert story.contact("no_answer").events[0].number == 1  # type: ignore[union-attr]


def test_each_party_is_counted_for_itself(story: Story):
    story.contact("no_answer")
    story.contact("no_answer", party="family", exception="x")
    story.contact(party="family", exception="x")
    assert story.episode.attempts["client"] == 1
    assert list(story.episode.contacts) == ["family"]


def test_a_live_contact_records_what_it_implies_and_what_was_said(story: Story):
    receipt = story.contact(facts={"safe": "yes"})
    assert kinds(receipt) == ["ContactMade", "FactsRecorded"]
    assert receipt.events[1] == e.FactsRecorded({"told": "yes", "safe": "yes"}, story.now)


def test_what_was_said_outweighs_what_a_contact_implies(story: Story):
    story.contact(facts={"told": "no"})
    assert story.episode.facts["told"].value == "no"


def test_an_attempt_implies_nothing(story: Story):
    assert kinds(story.contact("voicemail"))[:1] == ["ContactAttempted"]
    assert "told" not in story.episode.facts
    story.contact("declined_to_talk", facts={"safe": "no"})
    assert story.episode.facts["safe"].value == "no"


def test_a_contact_with_a_wrong_answer_is_refused_as_a_whole(story: Story):
    assert code(story.contact(facts={"pain": 99})) == "invalid_fact"
    assert "client" not in story.episode.contacts


def test_an_undeclared_party_is_refused(story: Story):
    refusal = story.contact(party="employer").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_party", "Use one of: client, family.")


def test_contact_outside_consent_needs_a_stated_exception(story: Story):
    refusal = story.contact(party="family").refusal
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("not_permitted", "No consent for family.")
    receipt = story.contact(party="family", exception="danger to life")
    assert receipt.events[0] == e.ContactMade("family", "phone", "", "danger to life", story.now)
    attempt = story.contact("voicemail", party="family", exception="danger to life")
    assert attempt.events[0] == e.ContactAttempted("family", "phone", "voicemail", 1, "", "danger to life", story.now)


def test_with_consent_no_exception_is_needed(story: Story):
    story.answer(consent="yes")
    assert code(story.contact(party="family")) is None
    story.answer(consent="no")
    assert code(story.contact(party="family")) == "not_permitted"


def test_a_contact_that_is_written_down_late_leaves_the_attempts_that_failed_since():
    story = Story.begun().later("3h")
    story.contact("no_answer", ago="2h")
    story.contact("no_answer")
    story.contact(ago="1h")
    assert story.episode.attempts["client"] == 2
    story.later("1m").contact()
    assert story.episode.attempts["client"] == 0


def test_an_attempt_from_before_the_latest_contact_is_not_counted():
    story = Story.begun().later("3h")
    story.contact()
    receipt = story.contact("no_answer", ago="1h")
    attempted = receipt.events[0]
    assert isinstance(attempted, e.ContactAttempted)
    assert attempted.number == 0
    assert story.episode.attempts["client"] == 0
    story.contact("no_answer")
    assert story.episode.attempts["client"] == 1
