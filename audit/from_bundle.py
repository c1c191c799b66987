"""The history of an episode from an export alone: checked offline, then decided anew; no records, no network."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from audit import offline_verifier
from audit.history import History, HistoryError, Witnessed, decided_anew
from audit.verify import Verdict
from protocol.account import account
from protocol.breaches import breaches
from protocol.spec import ProtocolSpec
from protocol.trail import Head, TrailRow

_VERIFIER = cast(Any, offline_verifier)  # written for people who don't know Holdfast, without annotations


def check_bundle(path: Path, keys: Sequence[str]) -> tuple[str, ...]:
    """What the offline verifier says of a bundle. `keys`: pinned public keys, or files with them.

    Raises HistoryError when anything does not hold, ValueError for keys that are none, OSError.
    """
    pinned = [_VERIFIER.read_key(key) for key in keys]
    try:
        return tuple(_VERIFIER.check(path, pinned))
    except _VERIFIER.Bad as bad:
        raise HistoryError(f"BAD: {bad}") from None
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise HistoryError(f"BAD: the file can't be read: {type(error).__name__}") from None


def episodes_in(path: Path) -> tuple[str, ...]:
    """The episodes of a bundle that was checked."""
    with zipfile.ZipFile(path) as archive:
        return tuple(told["episode_id"] for told in _VERIFIER.lines(archive, "episodes.ndjson"))


def history_in(path: Path, episode_id: str) -> History:
    """One episode of a bundle that was checked. Raises HistoryError.

    Where values are withheld, it is told and decided anew up to the act before the first of them.
    """
    with zipfile.ZipFile(path) as archive:
        (told,) = [one for one in _VERIFIER.lines(archive, "episodes.ndjson") if one["episode_id"] == episode_id]
        lines = [one for one in _VERIFIER.lines(archive, "rows.ndjson") if one["episode_id"] == episode_id]
        versions = {
            name[10:-5]: ProtocolSpec.model_validate_json(archive.read(name))
            for name in archive.namelist()
            if name.startswith("protocols/")
        }
    withheld = tuple(one["sequence"] for one in lines if any("hash" in value for value in one.get("values", ())))
    if all("payload" not in one and "values" not in one for one in lines):
        raise HistoryError(f"episode {episode_id} can't be read any more: the client's key was destroyed")
    pinned = _VERIFIER.shown(lines[0], "event/protocol_hash")
    if pinned not in versions:
        raise HistoryError(f"episode {episode_id}: its protocol is withheld")
    spec = versions[pinned]
    steps, stopped = decided_anew(spec, _whole(map(_row, lines), withheld), versions)
    entries = tuple(account(steps))
    reach = told["checkpoint"]["sequence"] if told["checkpoint"] else 0
    unreadable = sum("payload" not in one and "values" not in one for one in lines)
    verdict = Verdict(episode_id, told["rows"], unreadable, Head(told["rows"], told["head"]), None)
    return History(
        *(episode_id, verdict, Witnessed(reach), spec, (), steps, entries, tuple(breaches(entries)), stopped),
        withheld=withheld,
    )


def _whole(rows: Iterator[TrailRow], withheld: Sequence[int]) -> Iterator[TrailRow]:
    """The rows up to the first act of which something is withheld."""
    first, act = min(withheld, default=None), list[TrailRow]()
    for row in rows:
        if "command" in (row.payload or {}):
            yield from act
            act = []
        if row.sequence == first:
            return
        act.append(row)
    yield from act


def _row(line: dict[str, Any]) -> TrailRow:
    return TrailRow(
        *(line["episode_id"], line["sequence"], _moment(line["occurred_at"]), _moment(line["recorded_at"])),
        *(line["actor"], line["role"], line["command_id"], line["kind"], _payload(line), line.get("salt")),
        *(line["commitment"], line["previous_hash"], line["hash"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _payload(line: dict[str, Any]) -> dict[str, Any] | None:
    """The payload, put together again from what is shown of it; None when its key was destroyed."""
    if "payload" in line:
        return line["payload"]
    if "values" not in line:
        return None
    made: dict[str, Any] = {}
    for leaf in (one["leaf"] for one in line["values"] if "leaf" in one):
        path, end = json.JSONDecoder().raw_decode(leaf)
        *parents, name = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
        here = made
        for parent in parents:
            here = here.setdefault(parent, {})
        here[name] = json.loads(leaf[end + 1 :])
    return made
