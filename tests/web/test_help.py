from __future__ import annotations

from datetime import UTC, datetime

from protocol.rota import parse_rota
from tests.web.desk import Desk
from web.rota import gaps


async def test_the_paper_fallback_has_the_script_and_the_numbers(web: Desk):
    async with web.signed_in("maya") as browser:
        text = (await browser.get("/paper")).text
        assert "Read aloud" in text
        assert "988" in text
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


def test_hours_at_which_nobody_answers_are_named():
    person = {"id": "a", "name": "A", "roles": ["on_call"], "email": "a@staff.example"}
    hours = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "begins": "06:00", "ends": "04:00"}
    rota = parse_rota({"people": [person], "shifts": [{"role": "on_call", "person": "a", "weekly": hours}]})
    found = list(gaps(rota, datetime(2026, 11, 23, 18, 30, tzinfo=UTC)))
    assert len(found) == 14
    role, began, ended = found[0]
    assert role == "On call"
    assert (began, ended) == (datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 14, tzinfo=UTC))
