"""A hand-over changes the person when it is accepted, and no deadline ever."""

from __future__ import annotations

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.effects import Page
from tests.protocol.specs import protocol
from tests.protocol.story import Story, code


@pytest.fixture
def offered() -> Story:
    story = Story.begun()
    story.do(c.OfferHandover, to="ben", reason="end of shift")
    return story


def test_an_offer_changes_nothing_yet(offered: Story):
    assert offered.events()[-3:-1] != []
    assert offered.episode.owner == "mara"
    assert offered.episode.handover is not None
    assert (offered.episode.handover.to, offered.episode.handover.by) == ("ben", "mara")
    assert e.HandoverOffered("ben", "mara", "end of shift", offered.now) in offered.events()
    assert offered.owed("handover_seen")


def test_an_accepted_offer_changes_the_person_and_no_deadline(offered: Story):
    before = {owed.obligation_id: owed.due_at for owed in offered.owed("finish_assessment")}
    receipt = offered.later("1m").do(c.AcceptHandover, by="ben", role="supervisor")
    assert receipt.events[0] == e.HandoverAccepted("ben", "supervisor", "mara", offered.now)
    episode = offered.episode
    assert (episode.owner, episode.owner_role, episode.handover) == ("ben", "supervisor", None)
    assert {owed.obligation_id: owed.due_at for owed in offered.owed("finish_assessment")} == before
    assert not offered.owed("handover_seen")


def test_pages_for_the_owner_go_to_the_new_person(offered: Story):
    offered.do(c.AcceptHandover, by="ben")
    offered.engine.take_effects()
    offered.later("2h").sweep()
    assert [page.person for page in offered.engine.take_effects() if isinstance(page, Page)] == ["ben"]


def test_a_declined_offer_leaves_the_owner(offered: Story):
    receipt = offered.do(c.DeclineHandover, by="ben", reason="too much")
    assert receipt.events[0] == e.HandoverDeclined("ben", "too much", offered.now)
    assert (offered.episode.owner, offered.episode.handover) == ("mara", None)
    assert not offered.owed("handover_seen")


def test_an_unanswered_offer_climbs_its_ladder(offered: Story):
    events = offered.later("15m").sweep()
    assert [event.obligation for event in events if isinstance(event, e.DeadlineMissed)] == ["handover_seen"]


@pytest.mark.parametrize("kind", [c.AcceptHandover, c.DeclineHandover])
def test_only_the_person_it_is_offered_to_answers(offered: Story, kind: type):
    fields = {"reason": "r"} if kind is c.DeclineHandover else {}
    refusal = offered.do(kind, by="sue", **fields).refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("not_addressee", "Only ben can answer.")
    assert offered.episode.handover is not None


@pytest.mark.parametrize("kind", [c.AcceptHandover, c.DeclineHandover])
def test_without_an_offer_there_is_nothing_to_answer(kind: type):
    fields = {"reason": "r"} if kind is c.DeclineHandover else {}
    assert code(Story.begun().do(kind, by="ben", **fields)) == "no_handover"


def test_an_episode_is_not_offered_to_its_owner():
    assert code(Story.begun().do(c.OfferHandover, to="mara", reason="r")) == "not_addressee"


@pytest.mark.parametrize("role", ["therapist", "supervisor"])
def test_whoever_accepts_owns_it_in_a_role_that_may(offered: Story, role: str):
    assert code(offered.do(c.AcceptHandover, by="ben", role=role)) is None
    assert offered.episode.owner_role == role


def test_nobody_takes_over_in_a_role_that_may_not_own(offered: Story):
    refusal = offered.do(c.AcceptHandover, by="ben", role="peer").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("wrong_role", "Ask a therapist or supervisor to do it.")
    assert (offered.episode.owner, offered.episode.owner_role) == ("mara", "therapist")
    assert offered.owed("handover_seen")
    assert code(offered.do(c.DeclineHandover, by="ben", role="peer", reason="not mine")) is None


def test_a_protocol_names_the_roles_that_may_own():
    story = Story.begun(protocol(owners=["peer"]))
    story.do(c.OfferHandover, to="ben", reason="r")
    assert code(story.do(c.AcceptHandover, by="ben", role="supervisor")) == "wrong_role"
    assert code(story.do(c.AcceptHandover, by="ben", role="peer")) is None


def test_whoever_reports_a_crisis_opens_the_episode_whatever_the_role():
    assert Story.begun(role="peer").episode.owner_role == "peer"
