"""`holdfast protocol submit`, `send-back`, `publish`, `retire`, `versions`: from a draft to what new episodes take."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import typer

from audit.publications import PublicationError, Publications
from audit.shelf import Shelf, ShelfError
from audit.versions import versions
from cli.books import Books, keys_to_check, signing_keys, with_books
from cli.configuration import settings
from cli.desk import utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.shelf import find_person, protocol_file, read_directory, read_rota
from cli.tables import table
from cli.verbs import As, Role, moment_of
from protocol.facts import Refused
from protocol.findings import did_you_mean
from protocol.local_time import show_time
from protocol.publishing import (
    Actor,
    Publication,
    Record,
    SignOff,
    Trial,
    author_of,
    exception_of,
    publication_of,
    publish,
    retire,
    send_back,
    state_of,
    submit,
    trial_of,
)
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol
from protocol_specs.trial import proof_of, scenarios_of, try_out

T = TypeVar("T")

Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="A file, a protocol's name, or the beginning of a hash that `versions` shows."
    ),
]
Why = Annotated[str, typer.Option("--reason", help="Why.", show_default=False)]


def submit_version(
    spec: Version,
    actor: As,
    note: Annotated[str, typer.Option(help="What whoever reviews it should know.")] = "",
    role: Role = None,
    as_json: AsJson = False,
) -> None:
    """Submit a protocol for review: it is checked, proved and tested, and the results stay with it."""
    document, trial = _tried(spec)
    who = actor_of(document, actor, role, licensed=False)
    rule = partial(submit, spec=document, actor=who, trial=trial, note=note)
    _done(with_records(lambda books: _add(books, document, rule)), ZoneInfo(document.time_zone), as_json)


def send_version_back(spec: Version, reason: Why, actor: As, role: Role = None, as_json: AsJson = False) -> None:
    """Give a submitted protocol back to its author."""
    document = _read(spec)
    who = actor_of(document, actor, role, licensed=False)
    rule = partial(send_back, spec=document, actor=who, reason=reason)
    _done(with_records(lambda books: _add(books, document, rule)), ZoneInfo(document.time_zone), as_json)


def publish_version(
    spec: Version,
    actor: As,
    effective: Annotated[
        str | None, typer.Option(help="From when on new episodes take it; local to the protocol. Now when left out.")
    ] = None,
    exception: Annotated[
        str | None, typer.Option(help="Why it is published though it was not found good; needs --signed-by.")
    ] = None,
    signed_by: Annotated[str | None, typer.Option(help="The clinician who answers for the exception.")] = None,
    role: Role = None,
    as_json: AsJson = False,
) -> None:
    """Publish a submitted protocol, or one that was published before. It is checked, proved and tested again.

    Named by its hash, it is checked and proved again, and counts as tested as it was when it was last tried.
    New episodes take it from its effective date; open ones stay with the version they have.
    """
    if (exception is None) != (signed_by is None):
        raise Trouble("an exception needs a reason and a name", "give both --exception and --signed-by", USAGE)
    document, trial = _tried(spec)
    who = actor_of(document, actor, role, licensed=True)
    from_when = None if effective is None else moment_of(effective, ZoneInfo(document.time_zone), who.at)
    sign_off = None
    if exception is not None and signed_by is not None:
        signer = actor_of(document, signed_by, None, licensed=True)
        sign_off = SignOff(signer.by, signer.role, exception)
    rule = partial(publish, spec=document, actor=who, trial=trial, effective_at=from_when, sign_off=sign_off)
    _done(with_records(lambda books: _add(books, document, rule)), ZoneInfo(document.time_zone), as_json)


def retire_version(spec: Version, reason: Why, actor: As, role: Role = None, as_json: AsJson = False) -> None:
    """Let no new episode begin under a published version. Open ones go on under it."""
    document = _read(spec)
    rule = partial(retire, spec=document, actor=actor_of(document, actor, role, licensed=True), reason=reason)
    _done(with_records(lambda books: _add(books, document, rule)), ZoneInfo(document.time_zone), as_json)


def list_versions(
    protocol: Annotated[str | None, typer.Argument(help="Only this protocol.")] = None, as_json: AsJson = False
) -> None:
    """List every version that was ever submitted: where it stands, since when, who answers, how many open episodes."""
    found = with_records(_versions)
    rows = [one for one in found if protocol in (None, one["protocol"])]
    if protocol is not None and not rows:
        names = dict.fromkeys(str(one["protocol"]) for one in found)
        mend = did_you_mean(protocol, names) if names else "`holdfast protocol submit` begins"
        raise Trouble(f"no version of {protocol} was ever submitted or opened", mend, USAGE)
    if as_json:
        say_json(rows)
        return
    columns = ("Protocol", "Version", "Hash", "State", "In effect from", "Author", "Published by", "Open episodes")
    cells = [tuple(str(one[name]) for name in CELLS) for one in rows]
    table("", columns, cells, "Nothing was submitted yet: `holdfast protocol submit` begins.")
    if rows:
        say(f"\nTimes are local to the protocol: {', '.join(sorted({str(one['time_zone']) for one in rows}))}.")
    for one in rows:
        if one["exception"]:
            say(f"\nEXCEPTION {one['protocol']} {one['version']} ({one['hash'][:12]}): {one['exception']}")


CELLS = ("protocol", "version", "short", "state", "from_when", "author", "published_by", "open_episodes")


async def _versions(books: Books) -> list[dict[str, Any]]:
    publications = publications_of(books)
    record = (await publications.read()).record
    running = {one.hash: one.running for one in await versions(books.records) if one.running}
    shelf, now = Shelf(books.records), utc_now()
    hashes = [*dict.fromkeys(one.protocol_hash for one in reversed(record))]
    specs = [await shelf.protocol(one) for one in (*hashes, *(one for one in running if one not in hashes))]
    return [_version(record, spec, running.get(spec.content_hash, 0), now) for spec in specs]


def _version(record: Record, spec: ProtocolSpec, running: int, now: Any) -> dict[str, Any]:
    published = publication_of(record, spec.content_hash)
    effective = published.effective_at if published else None
    known = author_of(record, spec.content_hash)
    return {
        "protocol": spec.protocol,
        "version": spec.version,
        "hash": spec.content_hash,
        "short": spec.content_hash[:12],
        "state": state_of(record, spec.content_hash, now) if known or published else "never submitted",
        "effective_at": effective,
        "from_when": show_time(effective, ZoneInfo(spec.time_zone)) if effective else "",
        "time_zone": spec.time_zone,
        "author": known or "",
        "published_by": published.by if published else "",
        "trial": (published.trial.told if published and published.trial else ""),
        "exception": exception_of(published),
        "open_episodes": running,
    }


def publications_of(books: Books) -> Publications:
    """The list of publications, with the signing keys of this process where it has any."""
    return Publications(books.records, keys_to_check(books.settings))


def with_records(work: Callable[[Books], Coroutine[Any, Any, T]]) -> T:
    """Do something with the publications. Raises Trouble."""
    try:
        return with_books(work)
    except (PublicationError, ShelfError) as error:
        raise Trouble(str(error), "`holdfast audit verify` says what else was changed", FOUND) from None


async def _add(books: Books, spec: ProtocolSpec, rule: Callable[[Record], Publication | Refused]) -> Publication:
    done = await Publications(books.records, signing_keys()).add(spec, rule)
    if isinstance(done, Refused):
        raise Trouble(done.message, done.remedy, FOUND)
    return done


def _done(done: Publication, zone: ZoneInfo, as_json: bool) -> None:
    if as_json:
        say_json(done)
        return
    say(f"{done.act.replace('_', ' ')}: {done.protocol} {done.version} ({done.protocol_hash[:12]}) by {done.by}")
    if done.trial is not None:
        say(f"  {done.trial.told}")
    if done.effective_at is not None:
        say(f"  new episodes take it from {show_time(done.effective_at, zone)}, {zone.key}")
    if exception := exception_of(done):
        say(f"  EXCEPTION {exception}")


def _tried(named: str) -> tuple[ProtocolSpec, Trial]:
    document = _read(named)
    if _is_hash(named):
        return document, _tried_again(document)
    folder = Path(named).parent if Path(named).is_file() else settings().protocols
    files = scenarios_of(document.protocol, folder)
    return document, try_out(document, files, read_directory(settings()), proof_of)


def _tried_again(document: ProtocolSpec) -> Trial:
    """The scenarios beside the files of today may be made for another version: those of its own trial count."""
    tried = try_out(document, [], read_directory(settings()), proof_of)
    record = with_records(lambda books: publications_of(books).read()).record
    before = trial_of(record, document.content_hash)
    return tried if before is None else replace(tried, scenarios=before.scenarios, failed=before.failed)


def _is_hash(named: str) -> bool:
    return not Path(named).is_file() and len(named) >= 8 and set(named) <= set("0123456789abcdef")


def _read(named: str) -> ProtocolSpec:
    """A protocol from a file, by name, or from the records by the beginning of its hash. Raises Trouble."""
    if _is_hash(named):
        return with_records(lambda books: _stored(books, named))
    return load_protocol(protocol_file(named))


async def _stored(books: Books, beginning: str) -> ProtocolSpec:
    record = (await publications_of(books).read()).record
    fitting = {one.protocol_hash for one in record if one.protocol_hash.startswith(beginning)}
    if len(fitting) != 1:
        raise Trouble(f"{len(fitting)} versions begin with {beginning}", "`versions` shows them all", USAGE)
    return await Shelf(books.records).protocol(fitting.pop())


def actor_of(spec: ProtocolSpec, name: str, role: str | None, *, licensed: bool) -> Actor:
    """Who acts, in a role of the protocol. Raises Trouble."""
    rota = read_rota(settings())
    person, acting = find_person(rota, name, role, spec)
    if licensed and role is None:
        acting = next((one for one in person.roles if one in spec.roles and spec.roles[one].licensed), acting)
    if licensed and not person.licensed:
        raise Trouble(f"{name} is not licensed", "ask a licensed person of the staff", USAGE)
    return Actor(name, acting, utc_now())
