"""Whatever somebody did to the records: an auditor's page says what and where, in words, and never fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from activities.ends import Ends
from audit.checkpoints import Checkpointer
from audit.signatures import SigningKeys, VerifyKeys
from audit.verification import Wanted, verification
from tests.audit.records import tampering
from tests.web.desk import Desk
from tests.web.errands import SIGNING, signing_desk, with_a_breach
from workflows.client import EngineUnavailableError, EpisodeClient

pytestmark = pytest.mark.full

ROW = "WHERE episode_id = 'ep-1' AND sequence = 5"
TAMPERED: dict[str, tuple[str, str]] = {
    "an actor": (f"UPDATE trail SET actor = 'eve' {ROW}", "row 5"),
    "a time": (f"UPDATE trail SET occurred_at = 'yesterday' {ROW}", "row 5"),
    "a time that is none, of writing": (f"UPDATE trail SET written_at = '2026-13-45T99:99:99.000000Z' {ROW}", "row 5"),
    "the seal": (f"UPDATE trail SET sealed = x'00' {ROW}", "row 5"),
    "an empty seal": (f"UPDATE trail SET sealed = x'' {ROW}", "row 5"),
    "a hash": (f"UPDATE trail SET hash = 'x' {ROW}", "row 5"),
    "the key of a row": (f"UPDATE trail SET key_id = 'none' {ROW}", "row 5"),
    "bytes that are no text": (f"UPDATE trail SET actor = CAST(x'ff41' AS TEXT) {ROW}", "row 5"),
    "a kind": (f"UPDATE trail SET kind = 'Nothing' {ROW}", "row 5"),
    "a row less": (f"DELETE FROM trail {ROW}", "row 5"),
    "the first row": ("DELETE FROM trail WHERE episode_id = 'ep-1' AND sequence = 1", "row 1"),
    "the end": ("DELETE FROM trail WHERE episode_id = 'ep-1' AND sequence > 10", "row 11"),
    "every row": ("DELETE FROM trail WHERE episode_id = 'ep-1'", "ep-1"),
    "every key": ("DELETE FROM client_keys", "row 1"),
    "a wrapped key": ("UPDATE client_keys SET wrapped_key = x'00112233'", "row 1"),
    "whose key it is": ("UPDATE client_keys SET client_ref = 'client-2'", "row 1"),
    "a key of nobody's": ("UPDATE client_keys SET kek_id = 'lost'", "lost"),
    "the protocol": ("UPDATE protocols SET document = '{}'", "protocol"),
    "the protocol, no JSON": ("UPDATE protocols SET document = 'x'", "protocol"),
    "no protocol": ("DELETE FROM protocols", "protocol"),
    "a checkpoint": ("UPDATE checkpoints SET root = 'x' WHERE number = 1", "checkpoint 1"),
    "the marks": ("UPDATE checkpoints SET marks = '[]' WHERE number = 1", "checkpoint 1"),
    "marks that are no JSON": ("UPDATE checkpoints SET marks = 'x' WHERE number = 1", "checkpoint 1"),
    "a checkpoint's time": ("UPDATE checkpoints SET at = 'x' WHERE number = 1", "checkpoint 1"),
    "no checkpoint": ("DELETE FROM checkpoints", "none vouches"),
    "the list": ("UPDATE episodes SET revision = 99", "row 99"),
}
"""What was done, and what the page must name."""
PAGES = (
    *("/audit/episodes/ep-1", "/audit/episodes/ep-1?at=5", "/audit/episodes/ep-1/export", "/clients/client-1/access"),
    *("/audit", "/audit?breach=any", "/audit/verify", "/audit/retention?show=all", "/audit/access"),
)
CHAIN_HOLDS = {"the protocol", "the protocol, no JSON", "no protocol", "no checkpoint"}
"""What is wrong then is not the chain."""


@pytest.mark.parametrize("what", TAMPERED)
async def test_the_page_says_what_and_where(tmp_path: Path, what: str) -> None:
    done, named = TAMPERED[what]
    async with signing_desk(tmp_path) as web:
        await with_a_breach(web)
        signing = SigningKeys([(SIGNING.id, SIGNING.secret)])
        await Checkpointer(web.parts.database, signing, web.clock).make()
        async with web.signed_in("finn") as browser:
            tamper(web, done)
            answers = {page: await browser.get(page) for page in PAGES}
        if what != "a key of nobody's":  # a key that is missing stops a verification, which says so
            keys = VerifyKeys((name, bytes.fromhex(key)) for name, key in signing.public().items())
            found = await verification(web.parts.database, web.parts.ring, keys, Ends(nobody), Wanted())
            assert found.bad or what == "no checkpoint", "the verification finds it too"
    statuses = {page: answer.status_code for page, answer in answers.items() if answer.status_code >= 500}
    assert statuses == {}
    said = re.sub(r"<[^>]+>", " ", answers[PAGES[0]].text)
    assert "✓ chain whole" not in said or what in (
        "the protocol",
        "the protocol, no JSON",
        "no protocol",
        "no checkpoint",
    )
    assert named in said, said[said.find("Episode") :][:1500]


async def nobody() -> EpisodeClient:
    raise EngineUnavailableError("Temporal is gone")


def tamper(web: Desk, done: str) -> None:
    with tampering(web.settings.database_url.get_secret_value()) as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.execute(text(done))
