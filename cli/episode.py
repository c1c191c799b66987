"""`holdfast episode …`: what a therapist and a supervisor do with episodes."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer
from rich.live import Live

from audit.queries import Filter
from cli import board
from cli.configuration import settings
from cli.desk import Desk, at_desk, utc_now
from cli.face import Face, drawn, face_of
from cli.looks import Looks
from cli.opening import spec_to_open
from cli.output import FOUND, AsJson, say, say_json
from cli.shelf import find_owner, find_person, numbers_in_use, read_rota
from cli.tables import console
from cli.verbs import As, At, CommandId, Facts, Order, Role, add_verbs, command_of, moment_of, split_facts
from protocol.answers import read_answers
from protocol.commands import OfferHandover, OpenEpisode
from protocol.engine import Receipt
from protocol.local_time import show_time
from protocol.program import Program, program
from protocol.rota import LICENSED_ACTS
from protocol.words import Words
from workflows.client import EpisodeOverError

app = typer.Typer()
do_app = typer.Typer(no_args_is_help=True, help="Send a command to an episode.")
app.add_typer(do_app, name="do")

Reference = Annotated[str, typer.Argument(help="The episode's id, or its beginning.", show_default=False)]


@app.command("open")
def open_episode(
    protocol: Annotated[
        str, typer.Argument(help="Name of the protocol; a path only in the embedded mode.", show_default=False)
    ],
    client: Annotated[str, typer.Option(help="Reference of the client; never a name.", show_default=False)],
    actor: As,
    owner: Annotated[str | None, typer.Option(help="Who owns the episode; you when left out.")] = None,
    crisis: Annotated[list[str] | None, typer.Option(help="A crisis type. Repeat it.")] = None,
    facts: Facts = None,
    drill: Annotated[bool, typer.Option("--drill", help="An exercise, marked everywhere.")] = False,
    role: Role = None,
    at: At = None,
    episode_id: Annotated[str | None, typer.Option(help="Id of the new episode; random when left out.")] = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Open an episode under the version of a protocol that is in effect."""
    spec, warning = spec_to_open(settings(), protocol, utc_now())
    rota = read_rota(settings())
    _, acting = find_person(rota, actor, role, spec, unlicensed=True)
    if owner is not None:
        find_person(rota, owner, None, spec)
    now, zone = utc_now(), ZoneInfo(spec.time_zone)
    command = checked_opening(
        command_id=command_id or str(uuid4()),
        actor=actor,
        role=acting,
        occurred_at=now if at is None else moment_of(at, zone, now),
        episode_id=episode_id or str(uuid4()),
        client_ref=client,
        owner=owner or actor,
        crisis_types=tuple(crisis or ()),
        facts=read_answers(spec, split_facts(facts or []), zone, now),
        drill=drill,
    )

    async def work(desk: Desk) -> Receipt:
        return await (await desk.engine()).open(spec, command)

    if warning and not as_json:
        say(f"Check: {warning}")
    _show_receipt(program(spec), at_desk(work), now, as_json=as_json)


def checked_opening(**fields: Any) -> OpenEpisode:
    """The opening command, well formed. Raises Trouble."""
    from cli.verbs import checked

    command = checked({"kind": "OpenEpisode", **fields})
    assert isinstance(command, OpenEpisode)
    return command


@app.command("list")
def list_episodes(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones as well.")] = False,
    owner: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    risk: Annotated[str | None, typer.Option(help="Only those at this level or above.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Only those under this protocol.")] = None,
    version: Annotated[
        str | None, typer.Option(help="Only those under this version: its number, or the beginning of its hash.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those with something overdue.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List episodes, the next deadline first; say when the data are stale or the engine is down."""
    which = Filter(
        open=None if everything else True, owner=owner, protocol=protocol, version=version, risk_at_least=risk
    )
    _list(which, Looks("episode list"), limit, overdue=overdue, as_json=as_json)


def _list(which: Filter, looks: Looks, limit: int = 100, *, overdue: bool = False, as_json: bool = False) -> None:
    now = utc_now()
    wanted = replace(which, overdue_at=now if overdue else None)

    async def work(desk: Desk) -> board.Board:
        found = await board.board_of(desk, wanted, limit, now)
        await looks.shows(desk, ((one.episode_id, one.client_ref) for one in found.episodes))
        return found

    found = at_desk(work)
    if as_json:
        say_json(asdict(found))
    else:
        board.show(found, _zone())


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show where an episode stands, what is owed, what to do next and whom to call."""
    words, face, now = _look(reference, Looks("episode show"))
    if as_json:
        say_json(face)
    else:
        console().print(drawn(face, words, now))


@app.command()
def watch(
    reference: Annotated[str | None, typer.Argument(help="An episode; all open ones when left out.")] = None,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5, max=3600)] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Keep showing an episode, or the list, until Ctrl-C. Where nobody watches it shows once."""
    if as_json or not sys.stdout.isatty():
        show(reference, as_json) if reference else list_episodes(as_json=as_json)
        return
    if reference is None:
        _watch_board(every)
        return
    looks = Looks("episode watch")
    with Live(console=console(), screen=True, auto_refresh=False) as live:
        while True:
            words, face, now = _look(reference, looks)
            live.update(drawn(face, words, now), refresh=True)
            time.sleep(every)


def _watch_board(every: float) -> None:
    looks = Looks("episode watch")
    while True:
        console().clear()
        _list(Filter(open=True), looks)
        time.sleep(every)


@do_app.callback()
def do(ctx: typer.Context, reference: Reference) -> None:
    """Send a command to an episode; `holdfast episode do EPISODE --help` lists them."""
    ctx.obj = reference


def _carry_out(ctx: typer.Context, order: Order, as_json: bool) -> None:
    now = utc_now()

    async def work(desk: Desk) -> tuple[Program, Receipt]:
        episode_id = await desk.find(str(ctx.obj))
        engine = await desk.engine()
        episode = (await engine.view(episode_id)).episode
        if episode is None:
            raise EpisodeOverError(f"the opening of episode {episode_id} was refused")
        await Looks("episode do").shows(desk, [(episode_id, episode.client_ref)], urgent=True)
        its = await desk.program_of(episode)
        rota, free = read_rota(settings()), order.command.__name__ not in LICENSED_ACTS
        _, role = find_person(rota, order.actor, order.role, its.spec, unlicensed=free)
        if order.command is OfferHandover:
            find_owner(rota, str(order.own["to"]), its.spec)
        return its, await engine.submit(episode_id, command_of(order, role, its.spec, episode, now))

    its, receipt = at_desk(work)
    _show_receipt(its, receipt, now, as_json=as_json)


add_verbs(do_app, _carry_out)


def _look(reference: str, looks: Looks) -> tuple[Words, Face, datetime]:
    now = utc_now()

    async def work(desk: Desk) -> tuple[Words, Face]:
        episode_id = await desk.find(reference)
        episode = (await (await desk.engine()).view(episode_id)).episode
        if episode is None:
            raise EpisodeOverError(f"the opening of episode {episode_id} was refused")
        await looks.shows(desk, [(episode_id, episode.client_ref)], urgent=True)
        its = await desk.program_of(episode)
        return Words(its.spec), face_of(its, episode, numbers_in_use(settings()), now)

    return *at_desk(work), now


def _zone() -> ZoneInfo:
    return ZoneInfo(read_rota(settings()).time_zone)


def _show_receipt(its: Program, receipt: Receipt, now: datetime, *, as_json: bool) -> None:
    if as_json:
        say_json(receipt)
    else:
        for line in receipt_lines(Words(its.spec), receipt, now):
            say(line)
    if receipt.refusal is not None:
        raise typer.Exit(FOUND)


def receipt_lines(words: Words, receipt: Receipt, now: datetime) -> list[str]:
    """What a command brought about, and what is due next; or the refusal with its remedy."""
    if receipt.refusal is not None:
        refused = receipt.refusal
        missing = [f"missing: {', '.join(refused.missing)}"] if refused.missing else []
        return [f"refused ({refused.code}): {refused.message}", *missing, f"mend:  {refused.remedy}"]
    told = [line for event in receipt.events if (line := words.line(event, now))]
    due = "nothing is due" if receipt.next_deadline is None else show_time(receipt.next_deadline, words.zone, now)
    return [
        f"done: episode {receipt.episode_id}, revision {receipt.revision}",
        *(f"  {line.label:<10}{line.text}" for line in told),
        f"stage {words.stage(receipt.stage)} · risk {receipt.risk} · next: {due}",
    ]
