"""What an episode shows is what its own protocol names: banner, plan, step-up, answers in one press."""

from __future__ import annotations

from tests.web.desk import Desk
from tests.web.recorded import recorded


async def test_an_episode_of_another_protocol_shows_what_that_one_names(web: Desk):
    end = await recorded(web, "seizure_at_a_low_score", "withdrawal_monitoring")
    address, support = end.facts["present_address"].value, "Support at home"
    async with web.signed_in("ruth") as browser:
        text = (await browser.get(f"/episodes/{end.episode_id}")).text
        assert str(address) in text
        assert support in text
        assert f'"/episodes/{end.episode_id}/step-up">Level of care<' in text
        assert f"/episodes/{end.episode_id}/plan" not in text, "it has no plan"
        assert "Client dropped off" not in text, "nor an answer in one press"
        assert (await browser.get(f"/episodes/{end.episode_id}/plan")).status_code == 404
        way = (await browser.get(f"/episodes/{end.episode_id}/step-up")).text
        assert "Agreement to transfer" in way
        assert "Where should the withdrawal be managed" in way
        assert "Ask this one" not in way, "it searches no place"


async def test_a_protocol_without_a_step_up_has_no_such_page(web: Desk):
    end = await recorded(web, "a_year_of_contacts", "caring_contacts")
    async with web.signed_in("ruth") as browser:
        assert "step-up" not in (await browser.get(f"/episodes/{end.episode_id}")).text
        assert (await browser.get(f"/episodes/{end.episode_id}/step-up")).status_code == 404
