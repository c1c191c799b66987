"""Episodes in the records, exported, for the tests of what leaves the house."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit import offline_verifier
from audit.bundle import Keys, Made, Request, write_bundle
from audit.checkpoints import Checkpointer
from audit.database import Database
from audit.releases import in_use, present
from audit.signatures import SigningKeys
from audit.store import Store
from protocol import commands as c
from protocol.engine import Engine
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol.trail import TrailRow
from protocol_specs.loader import load, load_protocol
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Scenario
from tests.audit.records import RING, START
from tests.protocol.specs import compact
from tests.protocol.story import KEY as KEY_OF_STORIES
from tests.protocol.story import Story

SPECS = Path(__file__).parents[2] / "protocol_specs"
KEYS = SigningKeys([("s1", b"s" * 32)])
KEY = KEYS.public()["s1"]


async def keep(store: Store, spec: ProtocolSpec, story: Story) -> list[TrailRow]:
    """A story in the records."""
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(story.engine.rows, summarise(spec, story.episode))
    return story.engine.rows


def second() -> Story:
    """Another episode of another client."""
    story = Story()
    story.engine = Engine(compact(), "ep-2", KEY_OF_STORIES)
    story.do(c.OpenEpisode, episode_id="ep-2", client_ref="client-2", owner="mara")
    return story.in_follow_up()


async def some_episodes(store: Store, records: Database) -> None:
    """Two episodes; one grew after the only checkpoint."""
    first = Story.begun()
    await keep(store, compact(), first)
    await keep(store, compact(), second())
    await Checkpointer(records, KEYS, lambda: START).make()
    await keep(store, compact(), first.in_follow_up())


async def played(store: Store, path: Path) -> tuple[ProtocolSpec, str] | None:
    """A scenario in the records; None where no episode comes of it."""
    spec, scenario = load_protocol(SPECS / f"{path.parent.name}.yaml"), load(path, Scenario)
    stage = VirtualStage(spec, scenario)
    finished(play(program(spec), scenario, stage))
    end = finished(stage.episode())
    if end is None:
        return None
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(stage.trail, summarise(spec, end))
    return spec, end.episode_id


async def exported(
    records: Database, path: Path, *ids: str, redact: bool = False, everything: bool = False, keys: SigningKeys = KEYS
) -> Made:
    """A bundle of these episodes."""
    releases = await in_use(records, START, START.replace(year=2100))
    request = Request(sorted(ids), START, "ada", "the board", "yearly review", redact, present(), releases, everything)
    return await write_bundle(records, RING, Keys(keys, keys), path, request)


def checked(path: Path, *keys: str) -> int:
    """The exit code of the verifier; what it says goes to the standard output."""
    told = [part for key in keys or (KEY,) for part in ("--key", key)]
    return offline_verifier.main([str(path), *told])


def entry(path: Path, name: str) -> list[dict[str, Any]]:
    """The lines of an entry."""
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def forged(path: Path, change: Callable[[dict[str, bytes]], None], keys: SigningKeys = KEYS) -> Path:
    """The bundle with other entries, signed anew."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.comment = b"holdfast-bundle-1 s1 " + b"0" * 128
    forgery = path.with_name("forged.zip")
    forgery.write_bytes(resigned(buffer.getvalue(), keys))
    return forgery


def resigned(content: bytes, keys: SigningKeys = KEYS) -> bytes:
    """The bytes of a bundle with a fitting signature."""
    digest = hashlib.sha256(content[:-128]).digest()
    return content[:-128] + keys.sign_bytes(b"holdfast-bundle-1\n" + digest).encode()
