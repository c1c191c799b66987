"""Somebody careless or hostile sends what they like: each gets a clear answer, and the episode stays as it was."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from protocol import commands as c
from protocol.events import CommandRefused
from protocol.trail import verify
from tests.workflows.stack import Stack, brisk, command, opening
from tests.workflows.test_episode_workflow import until
from workflows import ports
from workflows.client import CommandIdReusedError, EpisodeError, EpisodeUnknownError, MalformedCommandError, workflow_id

pytestmark = pytest.mark.full

NOW = datetime.now(UTC)
DEEP: Any = "x"
for _ in range(100):
    DEEP = [DEEP]
GOOD = {
    "kind": "RecordFacts",
    "actor": "maya",
    "role": "therapist",
    "occurred_at": NOW.isoformat(),
    "facts": {"distress_1": 3},
}
MALFORMED: dict[str, Any] = {
    "nothing": None,
    "a word": "x",
    "a list": [],
    "no command": {},
    "no content": {"command": None},
    "no kind": {"command": {**GOOD, "kind": None}},
    "a kind that is a list": {"command": {**GOOD, "kind": ["RecordFacts"]}},
    "an act of the engine": {"command": {**GOOD, "kind": "DeadlineReached"}},
    "something more": {"command": GOOD, "carried": {}},
    "a protocol beside what needs none": {"command": GOOD, "protocol": "{"},
    "a version that nobody brought": {"command": {**GOOD, "kind": "Migrate", "protocol_hash": "0" * 64}},
    "a version that is none": {"command": {**GOOD, "kind": "Migrate", "protocol_hash": "0" * 64}, "protocol": "[]"},
    **{
        f"{name} = {str(value)[:30]}": {"command": {**GOOD, name: value}}
        for name, values in {
            "actor": ("", " ", "maya kline", "maya\n", "m" * 65, "m\u0430ya", "-maya", 7, None, "holdfast"),
            "role": ("", "Therapist", "therapist ", "r" * 49, "system", ["therapist"], None),
            "command_id": ("", "a b", "../../etc", "x" * 65, "report-1", "deadline-1", 1, None),
            "occurred_at": (
                *("2026-12-01T00:00:00", "2026-12-01", "yesterday", "", 1e400, None, True, [], "0000-01-01T00:00:00Z"),
                *("2026-13-01T00:00:00Z", "2026-12-01T25:00:00Z", "99999-12-01T00:00:00Z", "2026-12-01T00:00:00+99:00"),
            ),
            "expected_revision": (-1, "3", 1.5, True, [1]),
            "facts": (
                *(None, [], "x", {"Distress": 1}, {"distress_1": None}, {"distress_1": {}}, {"distress_1": 1.5}),
                *({"distress_1": 10**400}, {"plan": "x" * 4001}, {"plan": DEEP}, {f"f_{n}": "x" for n in range(121)}),
                *({"plan": ["yes"] * 61}, {"plan": [1]}, {"distress_1": float("nan")}),
            ),
            "surprise": (1,),
        }.items()
        for value in values
    },
}
"""What is no command at all, or carries more than one may."""

FAR = timedelta(days=4_000)
REFUSED: dict[str, tuple[Any, str]] = {
    "a role the protocol does not have": (command(c.RecordFacts, role="cook", facts={}), "unknown_role"),
    "a role that may not": (command(c.CompleteStep, role="coordinator", step="listen"), "wrong_role"),
    "a future time": (command(c.RecordFacts, occurred_at=NOW + FAR, facts={"plan": "sleep"}), "future_time"),
    "a time long ago": (command(c.RecordFacts, occurred_at=NOW - FAR, facts={"plan": "sleep"}), "before_opening"),
    "the first moment there is": (
        command(c.RecordFacts, occurred_at=datetime.min.replace(tzinfo=UTC), facts={"plan": "sleep"}),
        "before_opening",
    ),
    "the last moment there is": (
        command(c.RecordFacts, occurred_at=datetime.max.replace(tzinfo=UTC), facts={"plan": "sleep"}),
        "future_time",
    ),
    "an old view": (command(c.RecordFacts, expected_revision=0, facts={"plan": "sleep"}), "stale_revision"),
    "a view of the future": (command(c.Advance, expected_revision=10**9), "stale_revision"),
    "a fact that there is not": (command(c.RecordFacts, facts={"no_such_fact": "yes"}), "unknown_fact"),
    "an answer that there is not": (command(c.RecordFacts, facts={"wish_to_die": "perhaps"}), "invalid_fact"),
    "an answer out of range": (command(c.RecordFacts, facts={"distress_1": 10**9}), "invalid_fact"),
    "a step that there is not": (command(c.CompleteStep, step="no_such_step"), "unknown_step"),
    "a stage that there is not": (command(c.Advance, to="no_such_stage"), "no_such_stage"),
    "a way past what is missing": (command(c.Advance), "exit_not_met"),
    "a way back to where one never was": (command(c.GoBack, to="plan", reason="r"), "no_such_stage"),
    "a decision that there is not": (
        command(c.RecordDecision, decision="no_such", option="x", rationale="r"),
        "unknown_decision",
    ),
    "an obligation that there is not": (command(c.Acknowledge, obligation_id="no-such-1"), "unknown_obligation"),
    "ending what one may not end": (command(c.Waive, obligation_id="talk_limit-1", reason="r"), "not_waivable"),
    "signing what nobody waits for": (command(c.CoSign, subject="listen", entry=1), "nothing_to_cosign"),
    "taking what was not offered": (command(c.AcceptHandover), "no_handover"),
    "a level without a re-assessment": (command(c.LowerRisk, level="none", reason="r"), "reassessment_needed"),
    "an addendum to what is not there": (command(c.AddAddendum, refers_to=10**9, text="t"), "unknown_entry"),
    "the end while something is owed": (
        command(c.CloseEpisode, outcome="settled", reason="r"),
        "closing_not_met",
    ),
    "an outcome that there is not": (command(c.CloseEpisode, outcome="no_such", reason="r"), "unknown_outcome"),
    "opening it once more": (opening(), "already_open"),
}
"""What is well-formed and clinically wrong, and the code of the refusal that is recorded."""


async def calm(shell: Stack) -> tuple[str, Any]:
    """An open episode whose pages are all reported, and how it stands."""
    told = opening()
    assert (await shell.episodes.open(brisk(), told)).refusal is None
    view = await until(shell, told.episode_id, lambda view: not view.pages and not view.episode.pages_open)
    return told.episode_id, view


async def said_no(update: Awaitable[Any]) -> bool:
    """Whether it was refused, with words."""
    try:
        await update
    except WorkflowUpdateFailedError as error:
        return isinstance(error.cause, ApplicationError) and bool(str(error.cause))
    return False


async def test_what_is_no_command_is_told_so_and_leaves_no_trace(shell: Stack):
    async with shell.worker():
        episode_id, before = await calm(shell)
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        taken: list[str] = []
        for name, told in MALFORMED.items():
            sent = told
            if isinstance(told, dict) and isinstance(told.get("command"), dict):
                sent = {**told, "command": {"command_id": str(uuid.uuid4()), **told["command"]}}
            if not await said_no(handle.execute_update(ports.SUBMIT, sent)):
                taken.append(name)
        assert taken == []
        after = await shell.episodes.view(episode_id)
        assert (after.episode, after.head) == (before.episode, before.head)


async def test_what_is_clinically_wrong_is_refused_with_a_remedy_and_recorded(shell: Stack):
    async with shell.worker():
        episode_id, before = await calm(shell)
        codes: dict[str, str] = {}
        for name, (told, _) in REFUSED.items():
            receipt = await shell.episodes.submit(episode_id, replace(told, command_id=str(uuid.uuid4())))
            assert receipt.refusal is not None, name
            assert receipt.refusal.message
            assert receipt.refusal.remedy
            codes[name] = receipt.refusal.code
        assert codes == {name: code for name, (_, code) in REFUSED.items()}
        after = await shell.episodes.view(episode_id)
        rows = await shell.recorded(episode_id)
        same = replace(after.episode, revision=before.episode.revision, edited=before.episode.edited)
        assert same == before.episode
        refused = [row for row in rows if row.kind == CommandRefused.__name__]
        assert len(refused) == len(REFUSED)
        assert verify(rows, episode_id, after.head) is None


async def test_an_id_is_nobody_elses(shell: Stack):
    """Under a used id comes another content, another person, another role; and to another episode."""
    async with shell.worker():
        episode_id, _ = await calm(shell)
        first = command(c.RecordFacts, facts={"distress_1": 2})
        receipt = await shell.episodes.submit(episode_id, first)
        before = await shell.episodes.view(episode_id)
        for other in (
            replace(first, facts={"distress_1": 5}),
            replace(first, actor="mallory"),
            replace(first, role="supervisor"),
            command(c.CloseEpisode, command_id=first.command_id, outcome="settled", reason="r"),
        ):
            with pytest.raises(CommandIdReusedError):
                await shell.episodes.submit(episode_id, other)
        assert await shell.episodes.submit(episode_id, first) == receipt
        after = await shell.episodes.view(episode_id)
        assert (after.episode, after.head) == (before.episode, before.head)
        elsewhere, _ = await calm(shell)
        assert (await shell.episodes.submit(elsewhere, first)).refusal is None


@pytest.mark.parametrize("episode_id", ["", "no such", "x" * 2_000, "../episode", "e\n"])
async def test_an_episode_that_cannot_be_is_said_to_be_unknown_or_is_refused(shell: Stack, episode_id: str):
    with pytest.raises(EpisodeError) as told:
        await shell.episodes.submit(episode_id, command(c.Advance))
    assert isinstance(told.value, EpisodeUnknownError) or "refuses" in str(told.value)
    async with shell.worker():
        with pytest.raises(EpisodeError) as told:
            await shell.episodes.open(brisk(), opening(episode_id=episode_id))
        assert isinstance(told.value, MalformedCommandError) or "refuses" in str(told.value)


async def test_an_emergency_is_taken_with_everything_wrong_that_can_be(shell: Stack):
    """A clock of another century, an old view, a person nobody heard of: help comes first, and once."""
    async with shell.worker():
        episode_id, _ = await calm(shell)
        told = command(
            c.DeclareEmergency,
            actor="somebody-new",
            occurred_at=datetime.max.replace(tzinfo=UTC),
            expected_revision=0,
            reason="\u202e\x00 pills \ud83d\ude00"[:40].encode("utf-16", "surrogatepass").decode("utf-16"),
        )
        receipt = await shell.episodes.submit(episode_id, told)
        assert receipt.refusal is None
        assert receipt.risk == "imminent"
        assert await shell.episodes.submit(episode_id, replace(told, occurred_at=NOW)) == receipt
        await shell.recorded(episode_id)
