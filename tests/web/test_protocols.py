from __future__ import annotations

from audit.projections import project
from audit.store import Store
from protocol.spec import ProtocolSpec
from tests.audit.records import summary
from tests.protocol.specs import compact
from tests.web.desk import Desk


async def known(web: Desk, spec: ProtocolSpec, *open_ones: str) -> str:
    store = Store(web.parts.database, web.parts.ring)
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    summaries = [summary(1, name, protocol_hash=spec.content_hash) for name in open_ones]
    await web.parts.database.write(lambda connection: [project(connection, [], one) for one in summaries])
    return spec.content_hash


async def test_the_list_says_where_each_version_runs(web: Desk):
    found = await known(web, compact(), "a", "b")
    async with web.signed_in("iris") as browser:
        text = (await browser.get("/protocols")).text
    row = text[text.index(f"/protocols/{found}") :].partition("</tr>")[0]
    assert "never submitted" in row
    assert 'data-label="Open episodes">2<' in row
    assert "✓ take the file, on this machine only" in text


async def test_every_side_of_a_protocol_can_be_read(web: Desk):
    spec = web.parts.shelf.open_now()["virtual_iop_crisis"]
    async with web.signed_in("iris") as browser:
        address = f"/protocols/{spec.content_hash}"
        assert "Emergency response" in (await browser.get(address)).text
        assert "needs sign-off" in (await browser.get(f"{address}?view=deadlines")).text
        assert "To go on:" in (await browser.get(f"{address}?view=stages")).text
        assert "Reads " in (await browser.get(f"{address}?view=tables&table=step_up_advice")).text
        assert (await browser.get(f"{address}?view=sources")).status_code == 200
        assert (await browser.get(f"{address}?view=else")).status_code == 422


async def test_the_diagram_keeps_to_the_page_s_policy(web: Desk):
    spec = web.parts.shelf.open_now()["virtual_iop_crisis"]
    async with web.signed_in("iris") as browser:
        answer = await browser.get(f"/protocols/{spec.content_hash}")
    nonce = answer.text.partition('<style nonce="')[2].partition('"')[0]
    assert nonce
    assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
    assert "<style>" not in answer.text


async def test_two_versions_are_compared_in_clinical_words(web: Desk):
    old = compact()
    name, duty = next((name, one) for name, one in old.obligations.items() if one.due == "24h")
    later = duty.model_copy(update={"due": "48h"})
    new = old.model_copy(update={"version": "2.0.0", "obligations": {**old.obligations, name: later}})
    hashes = [await known(web, ProtocolSpec.model_validate_json(spec.canonical())) for spec in (old, new)]
    async with web.signed_in("iris") as browser:
        text = (await browser.get(f"/protocols/{hashes[0]}/compare/{hashes[1]}")).text
        assert "Laxer" in text
        assert "48 h" in text
        assert "Nothing changed" in (await browser.get(f"/protocols/{hashes[0]}/compare/{hashes[0]}")).text
        assert (await browser.get(f"/protocols/{hashes[0]}/compare/{'0' * 64}")).status_code == 404
        assert (await browser.get("/protocols/nothing")).status_code == 422
