"""What a request works with: one of each for the process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.requests import HTTPConnection

from audit.checkpoints import Witness
from audit.database import Database
from audit.database import connect as connect_records
from audit.owing import Owing
from audit.publications import Publications
from audit.published import KEPT, Current
from audit.queries import Queries
from audit.releases import present
from audit.sealing import Keyring
from audit.signatures import VerifyKeys, checking
from audit.spool import FOLDER as SPOOLED
from audit.spool import Spool
from practice.accounts import Accounts
from practice.calls import Calls
from practice.clients import Clients
from practice.drafts import Drafts
from practice.facilities import Facilities
from practice.identities import Identities, SignIns
from practice.numbers import Numbers
from practice.protocol_drafts import ProtocolDrafts
from practice.protocol_results import ProtocolResults, Simulations
from practice.reach import Reach
from practice.reports import Reports
from practice.rotas import Rotas
from practice.sealing import Seal
from practice.sessions import Sessions
from practice.subscriptions import Subscriptions
from practice.tokens import Tokens
from protocol.directory import Directory
from protocol_specs.loader import load
from protocol_specs.rota_file import RotaFile
from settings import Settings
from web.engine import Engine
from web.errands import Errands
from web.fresh import Fresh
from web.jobs import Jobs
from web.lately import Lately
from web.limits import Limits
from web.provider import Provider
from web.pulse import Pulse
from web.shelf import Shelf

Clock = Callable[[], datetime]

CONNECTIONS = 8


@dataclass(frozen=True)
class Parts:
    """Everything that the routes use."""

    settings: Settings
    clock: Clock
    database: Database
    ring: Keyring
    queries: Queries
    owing: Owing
    shelf: Shelf
    engine: Engine
    rota: Rotas
    directory: Directory
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    identities: Identities
    sign_ins: SignIns
    calls: Calls
    subscriptions: Subscriptions
    provider: Provider | None
    """Who signs people in besides us; None without single sign-on."""
    drafts: Drafts
    reach: Reach
    reports: Reports
    fresh: Fresh
    lately: Lately
    spool: Spool
    limits: Limits
    pulse: Pulse
    clients: Clients
    numbers: Numbers
    facilities: Facilities
    publications: Publications
    current: Current
    witness: Witness
    """What signed checkpoints say of an episode."""
    protocol_drafts: ProtocolDrafts
    results: ProtocolResults
    simulations: Simulations
    jobs: Jobs
    errands: Errands

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which lists tell their times: that of the rota. An episode's page tells those of its protocol."""
        return self.rota.zone


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@asynccontextmanager
async def opened(settings: Settings, clock: Clock = utc_now) -> AsyncGenerator[Parts]:
    """The parts, cleared up afterwards. Raises SpecErrors when the rota or the directory can't be read."""
    database = connect_records(settings.database_url.get_secret_value(), CONNECTIONS)
    ring = Keyring((key.id, key.secret) for key in settings.record_keys)
    queries, owing, seal = Queries(database, ring), Owing(database), Seal(ring)
    keys = _checking(settings)
    publications = Publications(database, keys, clock)
    results = ProtocolResults(database, present().rules)
    jobs = Jobs(results, clock)
    try:
        yield Parts(
            settings=settings,
            clock=clock,
            database=database,
            ring=ring,
            queries=queries,
            owing=owing,
            shelf=Shelf(settings.protocols, queries),
            engine=Engine(settings),
            rota=Rotas(RotaFile(settings.rota), database),
            directory=load(settings.directory, Directory),
            accounts=Accounts(database, seal),
            sessions=Sessions(database, seal),
            tokens=Tokens(database),
            identities=Identities(database),
            sign_ins=SignIns(database, seal),
            calls=Calls(database, seal),
            subscriptions=Subscriptions(database, seal),
            provider=_provider(settings),
            drafts=Drafts(database, seal),
            reach=Reach(database, seal),
            reports=Reports(database),
            fresh=Fresh(),
            lately=Lately(),
            spool=Spool(settings.var / SPOOLED, ring),
            limits=Limits(),
            pulse=Pulse(owing),
            clients=Clients(database, seal),
            numbers=Numbers(database),
            facilities=Facilities(database),
            witness=Witness(database, keys),
            publications=publications,
            current=Current(database, publications, settings.var / KEPT),
            protocol_drafts=ProtocolDrafts(database),
            results=results,
            simulations=Simulations(database),
            jobs=jobs,
            errands=Errands(settings),
        )
    finally:
        await jobs.end()
        await database.dispose()


def _checking(settings: Settings) -> VerifyKeys | None:
    return checking(
        ((key.id, key.public) for key in settings.verify_keys), ((key.id, key.secret) for key in settings.signing_keys)
    )


def _provider(settings: Settings) -> Provider | None:
    return None if settings.oidc_issuer is None else Provider(settings, f"{settings.base_url}/sign-in/return")


def parts_of(connection: HTTPConnection) -> Parts:
    """The parts of the process that serves this request."""
    parts = connection.app.state.parts
    assert isinstance(parts, Parts)
    return parts
