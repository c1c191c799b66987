"""Single sign-on with a real provider: whom it lets in, and everything that it must not."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from practice.sessions import IDLE
from settings import Settings
from tests.web.desk import BASE, PASSWORD, Browser, Desk, desk, hidden
from tests.web.identity_provider import Gate, authorized, gate, provider, query_of
from tests.workflows.stack import free_port, settings_for
from web.provider import NEW_KEYS_AT_MOST

pytestmark = pytest.mark.full

MFA = {"amr": ["pwd", "otp"]}
LENA: dict[str, Any] = {"sub": "s-lena", "preferred_username": "lena@clinic", "name": "Lena Ortiz", **MFA}
PEOPLE: tuple[dict[str, Any], ...] = (
    {**LENA, "groups": ["Crisis Therapists", "Everybody"]},
    {"sub": "s-omar", "preferred_username": "omar", "name": "Omar", "groups": ["Crisis Therapists", "Leads"], **MFA},
    {"sub": "s-nobody", "preferred_username": "nobody", "groups": ["Everybody"], **MFA},
    {"sub": "s-abel", "preferred_username": "abel", "groups": ["Crisis Therapists"], **MFA},
    {"sub": "s-weak", "preferred_username": "weak", "groups": ["Crisis Therapists"], "amr": ["pwd"]},
    {"sub": "s-odd", "preferred_username": "../etc", "groups": ["Crisis Therapists"], **MFA},
)


def told(folder: Path, issuer: str, **more: Any) -> Settings:
    return settings_for(
        folder,
        free_port(),
        oidc_issuer=issuer,
        oidc_client_id="holdfast",
        oidc_client_secret=SecretStr("shared with the provider"),
        oidc_roles=(("therapist", "Crisis Therapists"), ("supervisor", "Leads")),
        oidc_mfa=("otp",),
        **more,
    )


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    port = free_port()
    with provider(port, *PEOPLE):
        yield port


@pytest.fixture
def door(behind: int) -> Iterator[Gate]:
    with gate(behind) as made:
        yield made


@pytest.fixture
async def house(tmp_path: Path, door: Gate) -> AsyncIterator[Desk]:
    async with desk(tmp_path, told(tmp_path, door.issuer, local_accounts="administrators")) as made:
        yield made


async def left(browser: Browser, **fields: str) -> str:
    """Where the browser is led."""
    answer = await browser.post("/sign-in/provider", **fields)
    assert answer.status_code == 200, answer.text
    return answer.headers["refresh"].removeprefix("0; url=")


async def back(browser: Browser, place: str) -> Any:
    return await browser.get(place.removeprefix(BASE))


async def signed_in(browser: Browser, subject: str = "s-lena", **fields: str) -> Any:
    return await back(browser, authorized(await left(browser, **fields), subject))


async def test_somebody_of_a_mapped_group_comes_in_with_their_roles(house: Desk, door: Gate):
    async with house.browser() as browser:
        page = await browser.get("/sign-in?to=/clients")
        place = await left(browser, to=hidden(page.text, "to"))
        asked = query_of(place)
        assert asked["scope"] == "openid profile"
        assert asked["response_type"] == "code"
        answer = await back(browser, authorized(place, "s-lena"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/clients")
        assert (await browser.get("/clients")).status_code == 200
    account = await house.parts.accounts.get("lena")
    assert account is not None
    assert (account.name, account.roles, account.has_password) == ("Lena Ortiz", ("therapist",), False)
    verifier = door.asked[-1]["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")


async def test_the_subject_says_who_it_is_whatever_the_name_has_become(house: Desk, behind: int):
    async with house.browser() as browser:
        await signed_in(browser, "s-omar")
    account = await house.parts.accounts.get("omar")
    assert account is not None
    assert set(account.roles) == {"therapist", "supervisor"}
    renamed = {"sub": "s-omar", "preferred_username": "omar.b", "groups": ["Leads"], "name": "Omar B", **MFA}
    claims = {name: value for name, value in renamed.items() if name != "sub"}
    httpx.put(f"http://127.0.0.1:{behind}/users/s-omar", json=claims, trust_env=False).raise_for_status()
    async with house.browser() as browser:
        assert (await signed_in(browser, "s-omar")).status_code == 303
    account = await house.parts.accounts.get("omar")
    assert account is not None
    assert (account.name, account.roles) == ("Omar B", ("supervisor",))
    assert await house.parts.accounts.get("omar.b") is None


@pytest.mark.parametrize("subject", ["s-nobody", "s-abel", "s-weak", "s-odd"])
async def test_who_has_no_group_no_second_factor_or_the_name_of_a_local_account_stays_outside(
    house: Desk, subject: str
):
    async with house.browser() as browser:
        answer = await signed_in(browser, subject)
        assert answer.status_code == 403
        assert "Signing in did not work" in answer.text
        assert "holdfast" not in {one.name for one in browser.http.cookies.jar}
        assert (await browser.get("/clients")).status_code == 303
    for word in (subject, "nobody", "weak"):
        assert word not in answer.text.partition("<main")[2]


async def test_an_account_that_was_ended_stays_outside(house: Desk):
    async with house.browser() as browser:
        await signed_in(browser)
        await house.parts.accounts.disable("lena", house.clock())
        assert (await browser.get("/clients")).status_code == 303
        assert (await signed_in(browser)).status_code == 403


async def test_who_lost_every_group_is_out_at_once(house: Desk, behind: int):
    def grouped(*groups: str) -> None:
        claims = {"preferred_username": "kim", "groups": list(groups), **MFA}
        httpx.put(f"http://127.0.0.1:{behind}/users/s-kim", json=claims, trust_env=False).raise_for_status()

    grouped("Crisis Therapists")
    async with house.browser() as first, house.browser() as second:
        await signed_in(first, "s-kim")
        token = await house.parts.tokens.add("kim", "t", ("queue.read",), 1, house.clock())
        assert (await first.get("/")).status_code == 200
        grouped("Everybody")
        assert (await signed_in(second, "s-kim")).status_code == 403
        assert (await first.get("/")).status_code == 303
        assert await house.parts.tokens.holder(token, house.clock()) is None


async def test_a_password_is_for_administrators_alone(house: Desk):
    async with house.browser() as browser:
        assert (await browser.post("/sign-in", account="maya", password=PASSWORD)).status_code == 422
        assert (await browser.post("/sign-in", account="abel", password=PASSWORD)).status_code == 303


async def test_an_answer_counts_once_and_in_the_browser_that_asked(house: Desk):
    async with house.browser() as browser, house.browser() as other:
        place = authorized(await left(browser), "s-lena")
        await left(other)
        assert (await back(other, place)).status_code == 403, "a state of another browser"
        assert (await back(browser, place)).status_code == 303
        assert (await back(browser, place)).status_code == 403, "replayed"
        code = query_of(place)["code"]
        state = query_of(await left(browser))["state"]
        replayed = await browser.get(f"/sign-in/return?{urlencode({'code': code, 'state': state})}")
        assert replayed.status_code == 403, "the provider knows the code no more"
        house.clock.goes_on(timedelta(hours=1))
        assert (await back(browser, authorized(await left(browser), "s-lena"))).status_code == 403, "expired by now"


async def test_who_takes_too_long_begins_anew(house: Desk):
    async with house.browser() as browser:
        place = authorized(await left(browser), "s-lena")
        house.clock.goes_on(timedelta(minutes=16))
        assert (await back(browser, place)).status_code == 403


async def test_a_token_for_another_question_is_not_ours(house: Desk):
    async with house.browser() as browser:
        place = await left(browser)
        bent = f"{place.partition('?')[0]}?{urlencode({**query_of(place), 'nonce': 'another'})}"
        assert (await back(browser, authorized(bent, "s-lena"))).status_code == 403


async def test_a_token_for_another_client_is_not_ours(house: Desk, door: Gate):
    async with house.browser() as browser:
        place = await left(browser)
        bent = f"{place.partition('?')[0]}?{urlencode({**query_of(place), 'client_id': 'another'})}"
        door.bend_question = lambda fields: {**fields, "client_id": "another", "client_secret": "x"}
        assert (await back(browser, authorized(bent, "s-lena"))).status_code == 403


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, claims


def _unsigned(token: str) -> str:
    _, claims = _parts(token)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
        for one in ({"alg": "none", "typ": "JWT"}, claims)
    )
    return f"{head}.{body}."


def _own_key(token: str) -> str:
    return jwt.encode({"alg": "RS256"}, _parts(token)[1], RSAKey.generate_key(2048))


def _shared_secret(token: str) -> str:
    return jwt.encode({"alg": "HS256"}, _parts(token)[1], OctKey.import_key("shared with the provider"))


def _other_claims(token: str) -> str:
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    claims = {**_parts(token)[1], "sub": "s-omar"}
    del body
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize(
    "bend", [_unsigned, _own_key, _shared_secret, _other_claims, lambda token: "", lambda token: "a.b.c"]
)
async def test_a_token_that_the_provider_did_not_sign_brings_nobody_in(
    house: Desk, door: Gate, bend: Callable[[str], str]
):
    door.bend_answer = lambda answer: {**answer, "id_token": bend(answer["id_token"])}
    async with house.browser() as browser:
        assert (await signed_in(browser)).status_code == 403
        door.bend_answer = lambda answer: answer
        assert (await signed_in(browser)).status_code == 303


async def test_an_access_token_that_was_swapped_is_noticed(house: Desk, door: Gate):
    door.bend_answer = lambda answer: {**answer, "access_token": "another"}
    async with house.browser() as browser:
        assert (await signed_in(browser)).status_code == 403


async def test_a_description_of_another_issuer_is_not_believed(house: Desk, door: Gate):
    door.bend_description = lambda told: {**told, "issuer": "https://evil.example"}
    async with house.browser() as browser:
        answer = await browser.post("/sign-in/provider")
        assert answer.status_code == 403
        door.bend_description = lambda told: {**told, "token_endpoint": "http://evil.example/token"}
        assert (await browser.post("/sign-in/provider")).status_code == 403


async def test_new_keys_of_the_provider_are_fetched_when_they_are_needed(tmp_path: Path):
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    async with desk(tmp_path, told(tmp_path, issuer)) as web, web.browser() as browser:
        with provider(port, *PEOPLE):
            assert (await signed_in(browser)).status_code == 303
        with provider(port, *PEOPLE):
            assert (await signed_in(browser)).status_code == 403, "it is not asked for keys again and again"
            web.clock.goes_on(NEW_KEYS_AT_MOST + timedelta(seconds=1))
            assert (await signed_in(browser)).status_code == 303


async def test_a_locked_screen_is_opened_by_the_same_person_at_the_provider(house: Desk):
    async with house.browser() as browser:
        await signed_in(browser)
        before = browser.http.cookies["holdfast"]
        browser.form_token = hidden((await browser.get("/")).text, "form_token")
        assert (await browser.post("/lock")).status_code == 303
        page = await browser.post("/report", client="client-1", said="what was <typed>")
        assert page.status_code == 401
        assert 'action="/sign-in/provider"' in page.text
        assert 'name="password"' not in page.text, "it has no password here"
        kept = {name: html.unescape(hidden(page.text, name)) for name in ("kept", "resume", "of")}
        place = await left(browser, **kept)
        assert query_of(place)["prompt"] == "login"
        assert query_of(place)["max_age"] == "0"
        refused = await back(browser, authorized(place, "s-omar"))
        assert refused.status_code == 403
        assert "another account" in refused.text
        again = await back(browser, authorized(await left(browser, **kept), "s-lena"))
        assert again.status_code == 200
        assert 'name="said" value="what was &lt;typed&gt;"' in again.text
        assert browser.http.cookies["holdfast"] != before, "the token is a new one"
        assert (await browser.get("/")).status_code == 200


async def test_a_locked_screen_is_not_opened_by_an_old_look_at_who_it_is(house: Desk):
    async with house.browser() as browser:
        await signed_in(browser)
        house.clock.goes_on(IDLE)  # ours goes on, that of the provider does not: it looks before it was asked to
        assert (await signed_in(browser)).status_code == 403


async def test_signing_out_ends_it_here_and_at_the_provider(house: Desk):
    async with house.browser() as browser:
        await signed_in(browser)
        page = await browser.get("/")
        browser.form_token = hidden(page.text, "form_token")
        answer = await browser.post("/sign-out")
        place = answer.headers["refresh"].removeprefix("0; url=")
        asked = query_of(place)
        assert "/oauth2/end_session" in place
        assert asked["post_logout_redirect_uri"] == f"{BASE}/sign-in"
        assert _parts(asked["id_token_hint"])[1]["sub"] == "s-lena"
        assert (await browser.get("/")).status_code == 303


async def test_with_the_provider_away_an_administrator_still_comes_in(tmp_path: Path):
    issuer = f"http://127.0.0.1:{free_port()}"
    async with desk(tmp_path, told(tmp_path, issuer, local_accounts="administrators")) as web, web.browser() as browser:
        answer = await browser.post("/sign-in/provider", kept='{"said": ["kept"]}', resume="/report")
        assert answer.status_code == 403
        assert "kept" in answer.text
        assert (await browser.post("/sign-in", account="abel", password=PASSWORD)).status_code == 303


async def test_without_single_sign_on_there_is_no_such_page(web: Desk):
    async with web.browser() as browser:
        assert (await browser.post("/sign-in/provider")).status_code == 404
        assert (await browser.get("/sign-in/return?state=x&code=y")).status_code == 404
