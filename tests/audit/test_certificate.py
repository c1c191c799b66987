"""The certificate can be read, says what it is bound to, and comes out the same to the last byte."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import typst

from audit.bundle import Made, Request
from audit.certificate import TEMPLATE, certificate, signature_of
from audit.checkpoints import Signed, Witness
from audit.database import connect
from audit.exporting import recorded_with
from audit.history import History, history
from audit.migrate import upgrade
from audit.proofs import Proved
from audit.releases import Release, Seen, note_in
from audit.signatures import SigningKeys
from audit.store import Store
from protocol.checkpoint import Mark, Statement
from tests.audit.bundles import KEY, KEYS, SPECS, checked, played
from tests.audit.records import RING, START, rows, sqlite_url, summary

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


async def test_one_changed_bit_of_the_page_or_its_signature_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    found = await told(tmp_path, "caring_contacts/nobody_answers")
    page, path = certificate(found, REQUEST, MADE, KEY), tmp_path / "episode.pdf"
    beside, signature = tmp_path / "episode.pdf.sig", signature_of(page, KEYS).encode()
    path.write_bytes(page)
    assert checked(path) == 2, "without its signature it can't be checked"
    beside.write_bytes(signature)
    assert checked(path) == 0
    assert "not a bit of the certificate was changed" in capsys.readouterr().out
    assert checked(path, SigningKeys([("s1", b"t" * 32)]).public()["s1"]) == 1
    chance = random.Random(3)
    for place in (5, len(page) - 1, *chance.sample(range(5, len(page)), 100)):
        path.write_bytes(flipped(page, place))
        assert checked(path) == 1, place
    path.write_bytes(page)
    for place in range(len(signature)):
        beside.write_bytes(flipped(signature, place))
        assert checked(path) == (0 if place in NAME_OF_THE_KEY else 1), place


NAME_OF_THE_KEY = range(23, 25)
"""It only helps people to find the key: whichever is given must fit."""


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


async def test_only_releases_in_use_while_it_was_recorded_are_named(tmp_path: Path):
    upgrade(url := sqlite_url(tmp_path))
    records, clock = connect(url), [START]
    store = Store(records, RING, lambda: clock[0])
    for days, version in ((-400, "0.1"), (-3, "0.2"), (1, "0.3"), (30, "0.4")):
        at = START + timedelta(days=days)
        await records.write(lambda connection, at=at, name=version: note_in(connection, Release(name, "ab" * 32), at))
    store._release_noted = True  # pyright: ignore[reportPrivateUsage]
    made = rows(4)
    await store.append(made[:2], summary(2))
    clock[0] = START + timedelta(days=2)
    await store.append(made[2:], summary(4))
    assert [one.release.version for one in await recorded_with(records, ["ep-1"])] == ["0.2", "0.3"]
    assert await recorded_with(records, ["nobody"]) == ()
    await records.dispose()
