from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from tests.web.desk import Desk, hidden
from web.masking import masked, unmasked

UNDOTTED = st.text(max_size=60).filter(lambda text: "." not in text)


@given(st.text(min_size=1, max_size=60))
def test_a_mask_hides_and_comes_off(token: str):
    one, other = masked(token), masked(token)
    assert unmasked(one) == unmasked(other) == token
    if len(token) > 3:
        assert one != other
        assert token not in one


@given(UNDOTTED)
def test_what_has_no_mask_stays_as_it_is(sent: str):
    assert unmasked(sent) == sent


@given(UNDOTTED, st.text(max_size=60))
def test_a_made_up_mask_gives_nothing_longer_than_itself(mask: str, rest: str):
    assert len(unmasked(f"{mask}.{rest}")) <= min(len(mask), len(rest))


async def test_pages_are_compressed_and_their_token_differs_and_counts(web: Desk):
    async with web.signed_in("maya") as browser:
        answer = await browser.get("/report")
        assert answer.headers["content-encoding"] == "gzip"
        first, second = answer.text, (await browser.get("/report")).text
        assert hidden(first, "form_token") != hidden(second, "form_token")
        assert browser.form_token not in first
        browser.form_token = hidden(first, "form_token")
        assert (await browser.post("/report", client="")).status_code == 422
        browser.form_token = "made.up"
        assert (await browser.post("/report", client="")).status_code == 403
        plain = await browser.get("/report", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.compress(plain.content)[:2] == b"\x1f\x8b"
