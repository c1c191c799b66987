"""One episode through the real Temporal server, real records and our worker."""

import pytest

from protocol.commands import CompleteStep
from tests.workflows.stack import Stack, brisk, command, opening

pytestmark = pytest.mark.full

CALM = {"wish_to_die": "no", "distress_1": 1}
SETTLED = {"outcome": "settled", "reason": "The client is calm."}


async def test_an_episode_from_opening_to_closing(shell: Stack):
    async with shell.worker():
        opened = opening()
        receipt = await shell.episodes.open(brisk(), opened)
        assert receipt.refusal is None
        assert receipt.stage == "talk"
        done = await shell.episodes.submit(opened.episode_id, command(CompleteStep, step="listen", facts=CALM))
        assert done.refusal is None
        assert done.revision > receipt.revision
        rows = await shell.recorded(opened.episode_id)
        assert [row.sequence for row in rows] == list(range(1, done.revision + 1))
        assert rows[0].kind == "EpisodeOpened"
        summary = await shell.queries.get_episode(opened.episode_id)
        assert summary is not None
        assert (summary.revision, summary.stage) == (done.revision, "talk")
        assert await shell.queries.get_protocol(brisk().content_hash) is not None
