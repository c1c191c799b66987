"""Signing in: right and wrong passwords, the second factor, locks, and forms that outlive a session."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from pyotp.totp import TOTP

from practice.accounts import PATIENCE, new_secret, wait_after
from practice.sessions import IDLE, LONGEST
from tests.web.desk import PASSWORD, Desk, desk, hidden
from tests.workflows.stack import free_port, settings_for
from web.housekeeping import tidy
from web.masking import unmasked
from web.qr import picture
from web.signing_in import local


async def test_without_a_session_one_is_asked_to_sign_in_and_then_led_back(web: Desk):
    async with web.browser() as browser:
        sent = await browser.get("/?filter=late")
        assert sent.status_code == 303
        assert sent.headers["location"] == "/sign-in?to=/%3Ffilter%3Dlate"
        page = await browser.get(sent.headers["location"])
        answer = await browser.post("/sign-in", account="maya", password=PASSWORD, to=hidden(page.text, "to"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/?filter=late")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("name", ["maya", "nobody"])
async def test_a_wrong_password_says_the_same_for_known_and_unknown_names(web: Desk, name: str):
    async with web.browser() as browser:
        answer = await browser.post("/sign-in", account=name, password="wrong")
        assert answer.status_code == 422
        assert "The name or the password is wrong." in answer.text
        assert f'value="{name}"' in answer.text, "what was typed is kept"
        assert "wrong</input" not in answer.text
        assert "set-cookie" not in answer.headers


async def test_after_several_wrong_passwords_the_right_one_must_wait(web: Desk):
    async with web.browser() as browser:
        for _ in range(PATIENCE):
            await browser.post("/sign-in", account="maya", password="wrong")
        answer = await browser.post("/sign-in", account="maya", password=PASSWORD)
        assert "Too many wrong attempts" in answer.text
        web.clock.goes_on(wait_after(PATIENCE))
        assert (await browser.post("/sign-in", account="maya", password=PASSWORD)).status_code == 303


def test_waits_grow_and_end_growing():
    waits = [wait_after(failures) for failures in range(PATIENCE, PATIENCE + 40)]
    assert waits == sorted(waits)
    assert waits[0] < waits[1] < waits[-1] == timedelta(minutes=15)


async def test_the_second_factor_is_asked_for_and_a_code_counts_once(web: Desk):
    secret = new_secret()
    await web.parts.accounts.set_second_factor("maya", secret)
    code = TOTP(secret).at(web.clock())
    async with web.browser() as browser:
        page = await browser.post("/sign-in", account="maya", password=PASSWORD)
        assert "authenticator" in page.text
        assert (await browser.get("/")).status_code == 303, "the password alone opens nothing"
        browser.form_token = hidden(page.text, "form_token")
        assert (await browser.post("/sign-in/code", code="000000")).status_code == 422
        assert (await browser.post("/sign-in/code", code=code)).status_code == 303
        assert (await browser.get("/")).status_code == 200
    async with web.browser() as second:
        page = await second.post("/sign-in", account="maya", password=PASSWORD)
        second.form_token = hidden(page.text, "form_token")
        assert (await second.post("/sign-in/code", code=code)).status_code == 422


async def test_an_idle_session_asks_for_the_password_and_keeps_what_was_typed(web: Desk):
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/")).status_code == 200
        web.clock.goes_on(IDLE)
        page = await browser.post("/lock", to="/", note="what was <typed>")
        assert page.status_code == 401
        assert "What you typed is kept" in page.text
        kept = {"kept": unescaped(hidden(page.text, "kept")), "resume": hidden(page.text, "resume")}
        again = await browser.post("/sign-in", password=PASSWORD, **kept)
        assert again.status_code == 200
        assert 'name="note" value="what was &lt;typed&gt;"' in again.text
        assert unmasked(hidden(again.text, "form_token")) == browser.form_token, "the same session goes on"


async def test_a_page_that_only_follows_news_does_not_keep_a_session_awake(web: Desk):
    async with web.signed_in("maya") as browser:
        followed: list[int] = []
        for _ in range(3):
            web.clock.goes_on(IDLE / 2)
            followed.append((await browser.http.get("/", headers={"x-live": "1"})).status_code)
        assert followed == [200, 303, 303], "nobody touched it for too long"
    async with web.signed_in("maya") as browser:
        for _ in range(3):
            web.clock.goes_on(IDLE / 2)
            assert (await browser.get("/")).status_code == 200


def unescaped(text: str) -> str:
    from html import unescape

    return unescape(text)


async def test_a_session_ends_after_a_shift_and_when_it_is_ended(web: Desk):
    async with web.signed_in("maya") as browser:
        web.clock.goes_on(LONGEST)
        assert (await browser.get("/")).status_code == 303
    async with web.signed_in("maya") as browser, web.browser() as thief:
        thief.http.cookies = browser.http.cookies
        assert (await thief.get("/")).status_code == 200
        assert (await browser.post("/sign-out")).status_code == 303
        assert (await thief.get("/")).status_code == 303


async def test_a_form_without_the_sessions_token_is_refused(web: Desk):
    async with web.signed_in("maya") as browser:
        browser.form_token = "guessed"
        assert (await browser.post("/sign-out")).status_code == 403
        assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_nobody_is_sent_elsewhere(address: str):
    assert local(address) == "/"


async def test_a_known_password_buys_no_guesses_at_the_code(web: Desk):
    await web.parts.accounts.set_second_factor("maya", new_secret())
    for _ in range(PATIENCE):
        await web.parts.accounts.check_password("maya", PASSWORD, web.clock())
        await web.parts.accounts.check_code("maya", "none", web.clock())
    assert (await web.parts.accounts.check_code("maya", "none", web.clock())).wait_until is not None


async def test_signing_in_anew_ends_the_session_that_the_browser_had(web: Desk):
    async with web.signed_in("maya") as browser:
        before = browser.http.cookies["holdfast"]
        browser.http.cookies.clear()
        answer = await browser.http.post(
            "/sign-in", data={"account": "ruth", "password": PASSWORD}, headers={"cookie": f"holdfast={before}"}
        )
        assert answer.status_code == 303
    assert await web.parts.sessions.of(before, web.clock()) is None


def test_the_picture_for_an_authenticator_app_is_black_on_white_with_a_quiet_zone_in_the_dark_too():
    drawn = unquote(picture(new_secret(), "maya"))
    side = re.search(r"fill='#fff' d='M0 0h(\d+)v\1", drawn)
    assert side is not None, "a white ground over all of it"
    assert "stroke='#000' d='M4 4.5h7" in drawn, "four modules in"


@pytest.mark.parametrize("secret", ["", "!!" * 400, "A" * 5_000])
async def test_a_second_factor_takes_no_secret_of_another_form(web: Desk, secret: str):
    async with web.signed_in("maya") as browser:
        answer = await browser.post("/account/second-factor", present=PASSWORD, secret=secret, code="1")
    assert answer.status_code == 422
    assert "not the code" in answer.text


async def test_who_tries_passwords_from_outside_keeps_nobody_out_of_a_locked_screen(web: Desk):
    async with web.signed_in("maya") as browser, web.browser() as outside:
        await browser.post("/lock")
        for _ in range(PATIENCE + 2):
            await outside.post("/sign-in", account="maya", password="guess")
        assert "Too many" in (await outside.post("/sign-in", account="maya", password=PASSWORD)).text
        assert (await browser.post("/sign-in", password=PASSWORD)).status_code == 303
        assert (await browser.get("/")).status_code == 200


async def test_a_locked_screen_counts_its_own_wrong_passwords_and_nobody_elses(web: Desk):
    async with web.signed_in("maya") as browser:
        await browser.post("/lock")
        for _ in range(PATIENCE):
            assert (await browser.post("/sign-in", password="guess")).status_code == 422
        assert "Too many" in (await browser.post("/sign-in", password=PASSWORD)).text
        async with web.browser() as elsewhere:
            assert (await elsewhere.post("/sign-in", account="maya", password=PASSWORD)).status_code == 303
        web.clock.goes_on(wait_after(PATIENCE))
        assert (await browser.post("/sign-in", password=PASSWORD)).status_code == 303


async def test_each_step_of_signing_in_gives_the_session_another_token(web: Desk):
    secret = new_secret()
    await web.parts.accounts.set_second_factor("maya", secret)
    async with web.browser() as browser:
        page = await browser.post("/sign-in", account="maya", password=PASSWORD)
        halfway, token = browser.http.cookies["holdfast"], unmasked(hidden(page.text, "form_token"))
        browser.form_token = token
        assert (await browser.post("/sign-in/code", code=TOTP(secret).at(web.clock()))).status_code == 303
        whole = browser.http.cookies["holdfast"]
        browser.form_token = unmasked(hidden((await browser.get("/")).text, "form_token"))
        assert (await browser.post("/lock")).status_code == 303
        assert (await browser.post("/sign-in", password=PASSWORD)).status_code == 303
        assert len({halfway, whole, browser.http.cookies["holdfast"]}) == 3
        assert token != browser.form_token, "forms of halfway are good no more"
    for gone in (halfway, whole):
        assert await web.parts.sessions.of(gone, web.clock()) is None


async def test_a_page_is_gone_on_with_by_the_one_whose_it_is(web: Desk):
    async with web.signed_in("maya") as browser:
        web.clock.goes_on(LONGEST)
        page = await browser.post("/report", said="what maya typed")
        assert page.status_code == 401
        waiting = {name: unescaped(hidden(page.text, name)) for name in ("kept", "resume", "of")}
        assert waiting["of"] == "maya"
        refused = await browser.post("/sign-in", account="ruth", password=PASSWORD, **waiting)
        assert refused.status_code == 422
        assert "another account" in refused.text
        posed = await browser.post("/sign-in", account="ruth", password=PASSWORD, **{**waiting, "of": ""})
        assert posed.status_code == 200, "without a name it is whoever sits there"
    async with web.browser() as browser:
        mine = await browser.post("/sign-in", account="maya", password=PASSWORD, **waiting)
        assert 'value="what maya typed"' in mine.text


async def test_a_script_that_asks_within_a_page_learns_who_is_signed_in(web: Desk):
    async with web.signed_in("maya") as browser:
        told = (await browser.get("/sign-in", accept="application/json")).json()
        assert (told["missing"], told["account"]) == ("", "maya")
        await browser.post("/lock")
        told = (await browser.get("/sign-in", accept="application/json")).json()
        assert (told["missing"], told["account"], told["provider"]) == ("password", "maya", "")


async def test_a_locked_screen_is_left_to_the_next_person(web: Desk):
    async with web.signed_in("maya") as browser:
        await browser.post("/lock")
        page = await browser.get("/sign-in")
        browser.form_token = hidden(page.text, "form_token")
        assert (await browser.post("/sign-out")).status_code == 303
        assert (await browser.post("/sign-in", account="ruth", password=PASSWORD)).status_code == 303


async def test_a_role_may_need_a_second_factor_which_is_set_up_at_the_next_sign_in(tmp_path: Path):
    told = settings_for(tmp_path, free_port(), second_factor_roles=("therapist",))
    async with desk(tmp_path, told) as web, web.browser() as browser:
        assert (await browser.post("/sign-in", account="ruth", password=PASSWORD)).status_code == 303
        page = await browser.post("/sign-in", account="maya", password=PASSWORD)
        assert "needs a second factor" in page.text
        assert (await browser.get("/clients")).status_code == 303
        browser.form_token, secret = hidden(page.text, "form_token"), hidden(page.text, "secret")
        wrong = await browser.post("/sign-in/code", secret=secret, code="000000")
        assert (wrong.status_code, hidden(wrong.text, "secret")) == (422, secret)
        code = TOTP(secret).at(web.clock())
        assert (await browser.post("/sign-in/code", secret=secret, code=code)).status_code == 303
        assert (await browser.get("/clients")).status_code == 200
        account = await web.parts.accounts.get("maya")
        assert account is not None
        assert account.has_second_factor


async def test_sessions_that_ended_are_cleared_away(web: Desk):
    async with web.signed_in("maya") as browser:
        token = browser.http.cookies["holdfast"]
    await tidy(web.parts)
    assert await web.parts.sessions.whose(token) == "maya"
    web.clock.goes_on(LONGEST + timedelta(days=2))
    await tidy(web.parts)
    assert await web.parts.sessions.whose(token) == ""
