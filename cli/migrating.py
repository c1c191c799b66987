"""`holdfast protocol migrate`: what moving open episodes to a newer version would change, and then moving them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from audit.access import Access, record
from audit.moving import Foreseen, Order, command_for, deadlines, foresee_all, notes, why_not
from audit.publications import Publications
from audit.store import Store
from audit.trails import episode_ids
from cli.books import keys_to_check
from cli.desk import Desk, at_desk, utc_now
from cli.output import FOUND, USAGE, AsJson, Trouble, say, say_json
from cli.publishing import actor_of
from cli.shelf import protocol_file
from cli.tables import table
from cli.verbs import Role
from cli.who import ROLE, somebody
from protocol.facts import Refused
from protocol.foresight import Foresight
from protocol.local_time import show_time
from protocol.publishing import SignOff, state_of
from protocol.spec import ProtocolSpec
from protocol.words import Words
from protocol_specs.loader import load_protocol

PUBLISHED = ("in effect", "superseded")


def migrate_episodes(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="The newer version: a name, or the path of its file.")],
    actor: Annotated[str | None, typer.Option("--as", help="Who moves them; needed unless --dry-run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this episode. Repeat it.")] = None,
    signed_by: Annotated[
        str | None, typer.Option(help="The clinician who answers for what comes later, is dropped or weakened.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why that may be.")] = "",
    role: Role = None,
    as_json: AsJson = False,
) -> None:
    """Move the open episodes of older versions to this one, as it says under `migrates_from`.

    First with --dry-run: a table of each changed deadline. Where one would come later, be dropped or weakened, and
    nobody signs for it, nothing at all is moved. Ends with 1 then, and when an episode can't be moved.
    """
    new = load_protocol(protocol_file(spec))
    now = utc_now()
    found = at_desk(lambda desk: _foresee_all(desk, new, tuple(only or ()), now))
    if dry_run:
        _show(found, new, now, as_json=as_json)
        return
    order = _order(new, actor, role, signed_by, reason)
    if any(one.needs_sign_off for one in found) and order.sign_off is None:
        _show(found, new, now, as_json=as_json, last="Nothing was moved; add --signed-by and --reason.")
    movable = [one for one in found if isinstance(one.found, Foresight)]
    results = at_desk(lambda desk: _move_all(desk, new, movable, order))
    _tell(results, found, as_json=as_json)


def _order(new: ProtocolSpec, actor: str | None, role: str | None, signed_by: str | None, reason: str) -> Order:
    if actor is None:
        raise Trouble("who moves them?", "add --as, or --dry-run to see what would change", USAGE)
    who = actor_of(new, actor, role, licensed=True)
    if signed_by is None:
        return Order(who.by, who.role, None)
    if not reason.strip():
        raise Trouble("a sign-off needs a reason", "add --reason", USAGE)
    signer = actor_of(new, signed_by, None, licensed=True)
    return Order(who.by, who.role, SignOff(signer.by, signer.role, reason))


async def _foresee_all(desk: Desk, new: ProtocolSpec, only: Sequence[str], now: datetime) -> list[Foreseen]:
    ids = await episode_ids(desk.records, new.protocol, open_only=True)
    wanted = [await desk.find(one) for one in only]
    if unknown := sorted(set(wanted) - set(ids)):
        raise Trouble(f"{unknown[0]} is no open episode of {new.protocol}", "`holdfast episode list` shows them", USAGE)
    found = [one async for one in foresee_all(desk.records, desk.ring, new, wanted or ids, now)]
    looks = [Access(now, somebody(), ROLE, "replayed", "dry run of a migration", one.episode_id) for one in found]
    await record(desk.records, *looks)
    return found


# Moving


async def _move_all(desk: Desk, new: ProtocolSpec, movable: Sequence[Foreseen], order: Order) -> dict[str, str]:
    """Episode → what became of it."""
    await _make_sure_it_may_be_used(desk, new)
    engine = await desk.engine()
    results: dict[str, str] = {}
    for one in movable:
        receipt = await engine.migrate(one.episode_id, command_for(new, one, order, str(uuid4()), utc_now()), new)
        refused = receipt.refusal
        results[one.episode_id] = "moved" if refused is None else f"refused: {refused.message} {refused.remedy}"
    return results


async def _make_sure_it_may_be_used(desk: Desk, new: ProtocolSpec) -> None:
    """Only a published version takes over open episodes; on one's own machine a file may, and is kept first."""
    keys = keys_to_check(desk.settings)
    state = state_of((await Publications(desk.records, keys).read()).record, new.content_hash, utc_now())
    if state in PUBLISHED:
        return
    if desk.settings.mode != "embedded":
        raise Trouble(f"{new.protocol} {new.version} is not published ({state})", "publish it first", FOUND)
    store = Store(desk.records, desk.ring)
    await store.save_protocol(new.content_hash, new.protocol, new.version, new.canonical())


def _tell(results: dict[str, str], found: Sequence[Foreseen], *, as_json: bool) -> None:
    refused = {one.episode_id: why_not(one.found) for one in found if isinstance(one.found, Refused)}
    told = {**results, **refused}
    if as_json:
        say_json({"moved": sum(one == "moved" for one in told.values()), "episodes": told})
    else:
        table("", ("Episode", "Result"), list(told.items()), "No open episode runs under an older version.")
    if any(one != "moved" for one in told.values()):
        raise typer.Exit(FOUND)


# The dry run


def _show(found: Sequence[Foreseen], new: ProtocolSpec, now: datetime, *, as_json: bool, last: str = "") -> None:
    """The table of deadlines. Ends the command with 1 unless every episode can be moved without a sign-off."""
    rows = [row for one in found for row in deadlines(one, new)]
    unsigned = [one.episode_id for one in found if one.needs_sign_off]
    stuck = {one.episode_id: why_not(one.found) for one in found if isinstance(one.found, Refused)}
    if as_json:
        say_json({"version": new.version, "episodes": len(found), "deadlines": rows, "stuck": stuck, "sign": unsigned})
    else:
        _draw(rows, found, new, now)
        for episode_id, reason in stuck.items():
            say(f"\n{episode_id} {reason}")
        say(
            f"\n{len(found)} episodes: {len(found) - len(stuck)} can be moved, {len(unsigned)} of them need a sign-off."
        )
        if last:
            say(last)
    if stuck or unsigned:
        raise typer.Exit(FOUND)


def _draw(rows: Sequence[dict[str, Any]], found: Sequence[Foreseen], new: ProtocolSpec, now: datetime) -> None:
    zone = Words(new).zone

    def at(moment: datetime | None) -> str:
        return "–" if moment is None else show_time(moment, zone, now)

    cells = [
        (
            *(row["episode_id"][:12], row["from"], row["title"], at(row["due_at"]), at(row["new_due_at"])),
            f"{row['effect'].upper() if row['needs_sign_off'] else row['effect']}",
        )
        for row in rows
        if row["effect"] != "kept"
    ]
    columns = ("Episode", "From", "What is owed", "Due", "Due then", "Effect")
    table("", columns, cells, "No deadline changes.")
    kept = sum(row["effect"] == "kept" for row in rows)
    say(f"\n{kept} deadlines stay as they are.")
    for one in found:
        for line in notes(one, new):
            say(f"{one.episode_id[:12]}: {line}")
