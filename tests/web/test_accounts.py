"""What an administrator does to accounts, and that each of it is in the access trail."""

from __future__ import annotations

import pytest

from audit.access import Sought, looked
from practice.accounts import new_secret
from tests.web.desk import PASSWORD, Desk

ANOTHER = "another-fictional-password"


async def acts(web: Desk) -> list[tuple[str, str]]:
    rows = await looked(web.parts.database, Sought(who="abel"))
    return [(str(one.detail["act"]), str(one.detail["account"])) for one in rows if one.what == "administered"]


async def test_roles_change_and_the_person_signs_in_anew(web: Desk):
    async with web.signed_in("maya") as maya, web.signed_in("abel") as abel:
        answer = await abel.post("/accounts/maya/roles", roles=["therapist", "supervisor"])
        assert answer.headers["location"] == "/accounts?said=roles"
        assert (await maya.get("/")).status_code == 303
        account = await web.parts.accounts.get("maya")
        assert account is not None
        assert account.roles == ("therapist", "supervisor")
        assert (await abel.post("/accounts/maya/roles")).status_code == 422, "no role at all"
    assert ("roles", "maya") in await acts(web)


async def test_an_account_ends_and_is_let_in_again(web: Desk):
    async with web.signed_in("abel") as abel, web.browser() as browser:
        await abel.post("/accounts/maya/disable")
        assert (await browser.post("/sign-in", account="maya", password=PASSWORD)).status_code == 422
        await abel.post("/accounts/maya/enable")
        assert (await browser.post("/sign-in", account="maya", password=PASSWORD)).status_code == 303
    assert set(await acts(web)) == {("ended", "maya"), ("enabled", "maya")}


async def test_a_lost_second_factor_and_a_lost_password_are_replaced(web: Desk):
    await web.parts.accounts.set_second_factor("maya", new_secret())
    async with web.signed_in("abel") as abel, web.browser() as browser:
        await abel.post("/accounts/maya/second-factor")
        assert (await browser.post("/sign-in", account="maya", password=PASSWORD)).status_code == 303
        await abel.post("/accounts/maya/password", password=ANOTHER)
        assert (await browser.get("/")).status_code == 303, "its sessions ended"
        assert (await browser.post("/sign-in", account="maya", password=ANOTHER)).status_code == 303
    assert set(await acts(web)) == {("second_factor", "maya"), ("password", "maya")}


async def test_somebody_is_signed_out_everywhere(web: Desk):
    async with web.signed_in("maya") as one, web.signed_in("maya") as other, web.signed_in("abel") as abel:
        await abel.post("/accounts/maya/sessions")
        assert [(await each.get("/")).status_code for each in (one, other, abel)] == [303, 303, 303]
        assert (await abel.get("/accounts")).status_code == 200
    assert await acts(web) == [("sessions", "maya")]


@pytest.mark.parametrize("act", ["roles", "disable", "enable", "second-factor", "single-sign-on"])
async def test_nobody_changes_their_own_account_here(web: Desk, act: str):
    async with web.signed_in("abel") as abel:
        assert (await abel.post(f"/accounts/abel/{act}", roles=["administrator"])).status_code == 422
        assert (await abel.post(f"/accounts/nobody/{act}", roles=["auditor"])).status_code == 422
    assert await acts(web) == []


async def test_a_lone_administrator_is_warned(web: Desk):
    async with web.signed_in("abel") as abel:
        assert "Only one administrator" in (await abel.get("/accounts")).text
        made = await abel.post("/accounts", account="dora", name="Dora", roles="administrator", password=PASSWORD)
        assert made.status_code == 303
        assert "Only one administrator" not in (await abel.get("/accounts")).text
    assert await acts(web) == [("made", "dora")]


async def test_without_single_sign_on_an_account_needs_a_password(web: Desk):
    async with web.signed_in("abel") as abel:
        answer = await abel.post("/accounts", account="dora", name="Dora", roles="auditor", single_sign_on="yes")
        assert answer.status_code == 422
        assert "needs a password" in answer.text
