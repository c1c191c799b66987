from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from practice.rotas import Rotas
from protocol.rota import parse_rota
from protocol_specs.loader import load_protocol
from protocol_specs.rota_file import RotaFile
from tests.web.desk import Desk
from tests.web.every_page import pages
from web.access import Actor
from web.acting import Malformed, role_of
from web.navigation import topic_of

SPECS = Path(__file__).parents[2] / "protocol_specs"


async def test_the_paper_fallback_has_the_script_and_the_numbers(web: Desk):
    async with web.signed_in("maya") as browser:
        text = (await browser.get("/paper")).text
        assert "Read aloud" in text
        assert 'href="tel:988"' in text, "on a phone a number is called by a press"
        assert 'href="tel:800-491-9099"' in text, "the lines of the counties too"
        assert (await browser.get("/help")).status_code == 200
        assert (await browser.get("/gallery")).status_code == 200


async def test_the_rota_names_who_answers_and_who_stands_in(web: Desk):
    async with web.signed_in("maya") as browser:
        text = (await browser.get("/rota")).text
    assert "Ruth Alvarez" in text
    assert "Sam Lindqvist stands in" in text


async def test_insight_withholds_small_numbers_and_is_not_for_everybody(web: Desk):
    async with web.signed_in("iris") as browser:
        assert (await browser.get("/insight")).status_code == 200
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/insight")).status_code == 403


async def test_hours_at_which_nobody_who_may_act_answers_are_named(web: Desk, tmp_path: Path):
    rota = (SPECS / "rota.yaml").read_text(encoding="utf-8")
    left_out = rota.replace("name: Dora Quispe, roles: [clinical_director]", "name: Dora Quispe, roles: [compliance]")
    draft = tmp_path / "rota.yaml"
    draft.write_text(left_out, encoding="utf-8")
    web.app.state.parts = replace(web.parts, rota=Rotas(RotaFile(draft), web.parts.database))
    async with web.signed_in("maya") as browser:
        text = (await browser.get("/rota")).text
    assert "Clinical director: from" in text
    assert "nobody of the staff has the role clinical director" in text


def test_a_role_that_needs_a_licence_is_not_taken_without_one():
    spec = load_protocol(SPECS.parent / "tests/specs/minimal.yaml")
    person = {"id": "ned", "name": "Ned", "roles": ["therapist", "coordinator"], "email": "ned@staff.example"}
    rota = parse_rota({"people": [person]})
    ned = Actor("ned", "Ned", ("therapist",))
    with pytest.raises(Malformed, match="a therapist needs a licence in CA"):
        role_of(ned, rota, spec, "CompleteStep", ("therapist",))
    assert role_of(ned, rota, spec, "CompleteStep", ("therapist", "coordinator")) == "coordinator"
    for kind in ("DeclareEmergency", "RecordContact", "RecordFacts"):
        assert role_of(ned, rota, spec, kind, ("therapist",)) == "therapist", "nothing of this waits for a licence"


async def test_every_page_leads_to_its_own_part_of_the_help(web: Desk):
    async with web.signed_in("maya") as browser:
        text = (await browser.get("/help")).text
        assert 'href="/help#rota"' in (await browser.get("/rota")).text
    topics = {path: topic_of(path) for path in pages()}
    assert {topic for topic in topics.values() if f'id="{topic}"' not in text} == set()
    only_queue = {path for path, topic in topics.items() if topic == "queue"}
    assert only_queue == {"/", "/gallery", "/help"}, "a new page has words of its own, or is named here"
