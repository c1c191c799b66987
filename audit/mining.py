"""Event logs for process mining: OCEL 2.0 (JSON) and XES. They say what happened when, by whom; never what was said.

Neither answers nor free text nor the client leave: an event has the kind, the name of the step, stage, obligation or
decision, both its times, the person and the role, and who owned the episode then. Written one episode at a time.
"""

from __future__ import annotations

import html
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

from audit.veil import Veil
from protocol import events as e
from protocol.canonical import rfc3339
from protocol.chronicle import Happened
from protocol.conformance import Conformance
from protocol.episode import Episode
from protocol.evolve import evolve

NAMED = ("step", "stage", "obligation", "decision", "level", "party", "subject", "crisis_type", "notice", "outcome")
"""Fields of events that name something of the protocol."""
KINDS = sorted(e.EVENT.json_schema()["discriminator"]["mapping"])
ATTRIBUTES = {"recorded_at": "time", "actor": "string", "role": "string", "owner": "string", "about": "string"}
OBJECTS = {
    "episode": {"protocol": "string", "owner": "string"},
    "obligation": {"name": "string", "due_at": "time", "end": "string"},
    "page": {},
    "person": {},
}


def about(event: e.Event, veil: Veil) -> str:
    """What of the protocol an event is about, as far as it shows; empty when it is about nothing named."""
    named = ((name, getattr(event, name, None)) for name in NAMED)
    return next((veil.name(name, str(value)) for name, value in named if value), "")


def owned(happened: Iterable[Happened]) -> Iterator[tuple[Happened, str]]:
    """Each entry with who owned the episode when it happened; the first with whoever it was opened for."""
    episode: Episode | None = None
    for entry in happened:
        after = evolve(episode, entry.event)
        yield entry, (episode or after).owner
        episode = after


class Ocel:
    """An OCEL 2.0 document; objects wait in a file of their own until the events are written."""

    def __init__(self, out: IO[bytes], objects: IO[bytes]) -> None:
        self._out = out
        self._objects = objects
        self._people: set[str] = set()
        self._first = self._first_object = True

    def begin(self) -> None:
        """The types."""
        events = [{"name": kind, "attributes": _types(ATTRIBUTES)} for kind in KINDS]
        objects = [{"name": name, "attributes": _types(types)} for name, types in OBJECTS.items()]
        self._out.write(b'{"objectTypes":' + _json(objects) + b',"eventTypes":' + _json(events) + b',"events":[')

    def take(self, one: Conformance, happened: Iterable[Happened], veil: Veil) -> None:
        """One episode."""
        pages: set[str] = set()
        owners: list[tuple[str, str]] = []
        for number, (entry, owner) in enumerate(owned(happened), start=1):
            related = list(_related(one, entry, owner, veil))
            pages |= {object_id for object_id, kind in related if kind == "page"}
            self._event(f"{one.episode_id}#{number}", entry, owner, about(entry.event, veil), related)
            if not owners or owners[-1][0] != owner:
                owners.append((owner, rfc3339(entry.event.at if owners else one.opened_at)))
            for person in (entry.actor, owner):
                if person not in self._people:
                    self._people.add(person)
                    self._object(f"person:{person}", "person", [])
        opened = rfc3339(one.opened_at)
        about_it = [("protocol", f"{one.protocol} {one.version}", opened)]
        self._object(one.episode_id, "episode", about_it + [("owner", owner, since) for owner, since in owners])
        for owed in one.deadlines.values():
            known = rfc3339(owed.opened_at)
            values = {"name": owed.obligation, "due_at": rfc3339(owed.due_at), "end": owed.end}
            about_it = [(key, value, known) for key, value in values.items()]
            self._object(f"{one.episode_id}/{owed.obligation_id}", "obligation", about_it)
        for page in sorted(pages):
            self._object(page, "page", [])

    def end(self) -> None:
        """The objects."""
        self._out.write(b'],"objects":[')
        self._objects.seek(0)
        while part := self._objects.read(1 << 20):
            self._out.write(part)
        self._out.write(b"]}\n")

    def _event(self, name: str, entry: Happened, owner: str, named: str, related: list[tuple[str, str]]) -> None:
        values = {
            "recorded_at": rfc3339(entry.at),
            "actor": entry.actor,
            "role": entry.role,
            "owner": owner,
            "about": named,
        }
        told = {
            "id": name,
            "type": entry.event.kind,
            "time": rfc3339(entry.event.at),
            "attributes": [{"name": key, "value": value} for key, value in values.items()],
            "relationships": [{"objectId": object_id, "qualifier": kind} for object_id, kind in related],
        }
        self._out.write((b"" if self._first else b",\n") + _json(told))
        self._first = False

    def _object(self, name: str, kind: str, values: list[tuple[str, str, str]]) -> None:
        """`values`: name, value, and from when on it was that."""
        attributes = [{"name": key, "time": since, "value": value} for key, value, since in values]
        told = {"id": name, "type": kind, "attributes": attributes, "relationships": []}
        self._objects.write((b"" if self._first_object else b",\n") + _json(told))
        self._first_object = False


@contextmanager
def ocel(out: IO[bytes]) -> Generator[Ocel]:
    """An OCEL 2.0 document, begun and ended."""
    with TemporaryFile() as objects:
        log = Ocel(out, objects)
        log.begin()
        yield log
        log.end()


def _related(one: Conformance, entry: Happened, owner: str, veil: Veil) -> Iterator[tuple[str, str]]:
    yield one.episode_id, "episode"
    yield f"person:{entry.actor}", "person"
    yield f"person:{owner}", "owner"
    obligation_id = veil.duty(getattr(entry.event, "obligation_id", ""))
    if obligation_id in one.deadlines:
        yield f"{one.episode_id}/{obligation_id}", "obligation"
    if page_id := getattr(entry.event, "page_id", ""):
        yield f"page:{page_id}", "page"


class Xes:
    """An XES document: a trace for each episode, events in the order in which they were recorded."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def take(self, one: Conformance, happened: Iterable[Happened], veil: Veil) -> None:
        """One episode."""
        self._write("<trace>")
        for key, value in (("concept:name", one.episode_id), ("protocol", f"{one.protocol} {one.version}")):
            self._write(_tag("string", key, value))
        for entry, owner in owned(happened):
            self._write(f"<event>{''.join(_event(entry, owner, about(entry.event, veil)))}</event>")
        self._write("</trace>\n")

    def _write(self, text: str) -> None:
        self._out.write(text.encode())


@contextmanager
def xes(out: IO[bytes]) -> Generator[Xes]:
    """An XES document (IEEE 1849), begun and ended."""
    extensions = "".join(
        f'<extension name="{name}" prefix="{prefix}" uri="http://www.xes-standard.org/{prefix}.xesext"/>'
        for name, prefix in (("Concept", "concept"), ("Time", "time"), ("Organizational", "org"))
    )
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1849-2016" xes.features="">{extensions}'
    classes = '<classifier name="activity" keys="concept:name"/>\n'
    out.write((head + classes).encode())
    yield Xes(out)
    out.write(b"</log>\n")


def _event(entry: Happened, owner: str, named: str) -> Iterator[str]:
    yield _tag("string", "concept:name", f"{entry.event.kind} {named}".rstrip())
    yield _tag("date", "time:timestamp", rfc3339(entry.event.at))
    yield _tag("date", "recorded_at", rfc3339(entry.at))
    yield _tag("string", "org:resource", entry.actor)
    yield _tag("string", "org:role", entry.role)
    yield _tag("string", "owner", owner)


def _tag(kind: str, key: str, value: str) -> str:
    return f'<{kind} key="{key}" value="{html.escape(value)}"/>'


def _types(attributes: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in attributes.items()]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
