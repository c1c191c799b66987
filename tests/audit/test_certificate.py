"""The certificate can be read, says what it is bound to, and comes out the same to the last byte."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import typst

from audit.bundle import Made, Request
from audit.certificate import TEMPLATE, certificate
from audit.checkpoints import Proved, Signed, Witness
from audit.database import connect
from audit.history import History, history
from audit.migrate import upgrade
from audit.releases import Release, Seen
from audit.store import Store
from protocol.checkpoint import Mark, Statement
from tests.audit.bundles import KEY, SPECS, played
from tests.audit.records import RING, START, sqlite_url

RELEASE = Release("1.2.3", "cd" * 32)
REQUEST = Request(["ep"], START, "ada", "the board", "complaint 12", False, RELEASE, [Seen(START, RELEASE)])
SAID = Statement(12, START, "00" * 32, 900, 1, "ef" * 32, "s1")
PROVED = Proved(Signed(SAID, "00" * 64), Mark("ep", 7, "aa" * 32), 0, ())
MADE = Made(sha256="ab" * 32, episodes=1, rows=9, proved=PROVED)


async def told(tmp_path: Path, scenario: str) -> History:
    upgrade(url := sqlite_url(tmp_path))
    records = connect(url)
    done = await played(Store(records, RING), SPECS / "scenarios" / f"{scenario}.yaml")
    assert done is not None
    found = await history(records, RING, done[1], Witness(records, None))
    await records.dispose()
    return found


def texts(request: Request, found: History) -> str:
    """All text of the document, as the template is given it."""
    kept: dict[str, str] = {}

    def compile_nothing(_template: Path, *, sys_inputs: dict[str, str], **_rest: object) -> bytes:
        kept.update(sys_inputs)
        return b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typst, "compile", compile_nothing)
        certificate(found, request, MADE, KEY)
    return kept["certificate"]


async def test_the_certificate_is_a_tagged_pdf_and_always_the_same(tmp_path: Path):
    found = await told(tmp_path, "virtual_iop_crisis/withdrawal_at_home")
    first = certificate(found, REQUEST, MADE, KEY)
    assert first == certificate(found, REQUEST, MADE, KEY)
    assert first.startswith(b"%PDF-1.7")
    assert b"pdfuaid" in first, "PDF/UA says so in its metadata"
    assert len(re.findall(rb"/Type\s*/Page\b", first)) > 1
    assert first != certificate(found, replace(REQUEST, purpose="another"), MADE, KEY)
    assert TEMPLATE.is_file()


async def test_it_says_what_it_is_bound_to_and_what_happened(tmp_path: Path):
    found = await told(tmp_path, "virtual_iop_crisis/withdrawal_at_home")
    said = texts(REQUEST, found)
    for text in (MADE.sha256, KEY, found.spec.content_hash, found.verdict.head.hash, "rules cdcd", "complaint 12"):
        assert text in said
    assert "entries 1 to 7; checkpoint 12 of 2026-11-01T09:00:00.123456Z, root efef" in said
    assert "every decision comes out the same again" in said
    assert "CIWA" in said
    assert "prohibits unauthorized use or disclosure" in said


async def test_a_redacted_certificate_tells_only_kinds(tmp_path: Path):
    found = await told(tmp_path, "virtual_iop_crisis/withdrawal_at_home")
    said = texts(replace(REQUEST, redact=True), found)
    assert "CIWA" not in said
    assert "ciwa" not in said
    assert "FactsRecorded" in said
    titles = {found.spec.steps[name].title for name in found.spec.steps}
    assert not any(f'"what": "{title}' in said for title in titles)


async def test_what_people_wrote_is_text_and_never_markup(tmp_path: Path):
    found = await told(tmp_path, "caring_contacts/nobody_answers")
    first = found.entries[0]
    wild = '#eval("1") *bold* $x$ <label> @ref [#image("/etc/passwd")] \\ `raw` \u202e\x1b[31m'
    entries = (replace(first, line=replace(first.line, text=wild)), *found.entries[1:])
    page = certificate(replace(found, entries=entries), REQUEST, MADE, KEY)
    assert page.startswith(b"%PDF-1.7")
    assert "\\u202e" not in texts(REQUEST, replace(found, entries=entries))
