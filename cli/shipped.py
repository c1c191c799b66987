"""The shipped protocols in the embedded stack: published at the first start, by nobody who is a clinician."""

from __future__ import annotations

from audit.database import connect
from audit.publications import Publications
from audit.signatures import SigningKeys
from cli.desk import utc_now
from cli.shelf import protocol_files
from protocol.publishing import NOT_TRIED, Publication, Record, SignOff
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol
from settings import Settings

BY, ROLE = "holdfast-demo", "demo"
REASON = (
    "DEMO, not a clinical sign-off: shipped with Holdfast for a first look. "
    "Before anybody relies on it, clinical operations publish their own version."
)


async def publish_shipped(settings: Settings) -> None:
    """Publish each shipped protocol that was never submitted, so that the first episodes have a version to take."""
    records = connect(settings.database_url.get_secret_value(), pool_size=1)
    try:
        publications = Publications(records, SigningKeys((key.id, key.secret) for key in settings.signing_keys))
        known = {one.protocol for one in (await publications.read()).record}
        for spec in map(load_protocol, protocol_files(settings.protocols)):
            if spec.protocol not in known:
                await _publish(publications, spec)
    finally:
        await records.dispose()


async def _publish(publications: Publications, spec: ProtocolSpec) -> None:
    now = utc_now()
    about = (now, spec.protocol, spec.version, spec.content_hash, BY, ROLE)

    def submitted(_: Record) -> Publication:
        return Publication("submitted", *about, trial=NOT_TRIED)

    def published(_: Record) -> Publication:
        signed = SignOff(BY, ROLE, REASON)
        return Publication("published", *about, effective_at=now, trial=NOT_TRIED, sign_off=signed)

    for rule in (submitted, published):
        await publications.add(spec, rule)
