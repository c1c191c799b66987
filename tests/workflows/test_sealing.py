import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from workflows.conversion import PayloadConverter, SealError
from workflows.messages import Submission
from workflows.sealing import Keyring, SealingCodec, sealing_data_converter

OLD, NEW = ("old", os.urandom(32)), ("new", os.urandom(32))


def codec(*keys: tuple[str, bytes], episode: str = "episode-1") -> SealingCodec:
    context = WorkflowSerializationContext(namespace="default", workflow_id=episode)
    return SealingCodec(Keyring(keys)).with_context(context)


def payload(data: bytes = b'{"note":"Dana"}') -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


async def sealed(*keys: tuple[str, bytes], data: bytes = b'{"note":"Dana"}') -> Payload:
    return (await codec(*keys).encode([payload(data)]))[0]


@given(data=st.binary(max_size=4000))
async def test_what_was_sealed_opens_again(data: bytes):
    (there,) = await codec(OLD).encode([payload(data)])
    (back,) = await codec(OLD).decode([there])
    assert back == payload(data)


async def read(by: SealingCodec, there: Payload) -> None:
    """What whoever needs the value does."""
    PayloadConverter().from_payloads(await by.decode([there]))


async def test_nothing_of_the_payload_shows():
    there = await sealed(OLD)
    assert b"Dana" not in there.SerializeToString()
    assert b"json/plain" not in there.SerializeToString()
    assert there.metadata["encryption-key-id"] == b"old"


async def test_the_same_payload_never_looks_the_same_twice():
    assert (await sealed(OLD)).data != (await sealed(OLD)).data


async def test_a_protocol_sized_payload_is_squeezed():
    there = await sealed(OLD, data=b'{"ask":"Have you wished you were dead?"}' * 1000)
    assert len(there.data) < 1000


async def test_rotation_add_everywhere_then_promote():
    before = await sealed(OLD)
    added, promoted = codec(OLD, NEW), codec(NEW, OLD)
    after = (await promoted.encode([payload()]))[0]
    assert after.metadata["encryption-key-id"] == b"new"
    for at_any_moment in (added, promoted):
        assert await at_any_moment.decode([before, after]) == [payload(), payload()]


async def test_an_unknown_key_is_named_with_the_remedy():
    with pytest.raises(SealError, match="'new', which this process does not have; add it to HOLDFAST_PAYLOAD_KEYS"):
        await read(codec(OLD), await sealed(NEW))


async def test_nothing_of_a_plain_payload_is_read_and_no_converter_takes_it():
    (shut,) = await codec(OLD).decode([payload()])
    assert b"Dana" not in shut.SerializeToString()
    for hint in (None, Any, str, Submission):
        with pytest.raises(SealError, match="not sealed"):
            PayloadConverter().from_payloads([shut], [hint] if hint else None)


async def test_a_payload_of_another_episode_does_not_open():
    with pytest.raises(SealError, match="is of another episode"):
        await read(codec(OLD, episode="episode-2"), await sealed(OLD))


async def test_a_converter_speaks_for_one_episode_at_a_time():
    anyone = sealing_data_converter(Keyring([OLD]))
    mine, theirs = (
        anyone.with_context(WorkflowSerializationContext(namespace="default", workflow_id=one))
        for one in ("episode-1", "episode-2")
    )
    there = await mine.encode(["Dana"])
    assert await mine.decode(there) == ["Dana"]
    for other in (theirs, anyone):
        with pytest.raises(SealError):
            await other.decode(there)


async def test_a_key_of_the_same_name_and_other_bytes_does_not_open():
    with pytest.raises(SealError, match="does not fit"):
        await read(codec(("old", os.urandom(32))), await sealed(OLD))


async def test_renaming_the_key_of_a_payload_breaks_the_seal():
    there = await sealed(OLD)
    there.metadata["encryption-key-id"] = b"twin"
    with pytest.raises(SealError, match="does not fit"):
        await read(codec(OLD, ("twin", OLD[1])), there)


@given(st.data())
async def test_any_changed_byte_breaks_the_seal(data: st.DataObject):
    there = await sealed(OLD)
    place = data.draw(st.integers(0, len(there.data) - 1))
    changed = bytearray(there.data)
    changed[place] ^= data.draw(st.integers(1, 255))
    there.data = bytes(changed)
    with pytest.raises(SealError):
        await read(codec(OLD), there)


@given(data=st.binary(max_size=40))
async def test_rubbish_is_refused_not_crashed_on(data: bytes):
    rubbish = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"old"}, data=data)
    with pytest.raises(SealError):
        await read(codec(OLD), rubbish)


async def test_activities_of_an_episode_read_what_the_episode_wrote():
    context = ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="append_rows",
        activity_task_queue="q",
        workflow_id="episode-1",
        workflow_type="EpisodeWorkflow",
        is_local=False,
    )
    assert await SealingCodec(Keyring([OLD])).with_context(context).decode([await sealed(OLD)]) == [payload()]


def test_an_empty_key_ring_is_refused():
    with pytest.raises(ValueError, match="HOLDFAST_PAYLOAD_KEYS"):
        Keyring([])


async def test_failures_are_sealed_too():
    from temporalio.api.failure.v1 import Failure

    converter = sealing_data_converter(Keyring([OLD]))
    failure = Failure()
    await converter.encode_failure(ValueError("Dana was here"), failure)
    assert b"Dana" not in failure.SerializeToString()
    assert "Dana was here" in str(await converter.decode_failure(failure))
