"""Files of the fictional clients and facilities, so that a first look shows names. The numbers are of the 555 kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from audit.database import connect
from audit.sealing import Keyring
from practice.clients import Clients, read_file
from practice.facilities import Facilities, read_facility
from practice.reach import Reach
from practice.sealing import Seal
from settings import Settings

CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "client-1001": (
        "maya",
        {
            "name": "Dana Rourke",
            "born": "1997-04-11",
            "phone": "510-555-0137",
            "channel": "Text first; no voicemail",
            "address": "12 Kelp Lane, Unit 3, Oakland",
            "county": "alameda",
            "language": "English",
            "contacts": [
                {"name": "Ines Rourke", "relation": "sister", "phone": "510-555-0151", "consent": "given",
                 "scope": "safety only"},
            ],
            "consents": [
                {"kind": "Telehealth", "answer": "given", "on": "2026-02-01", "until": "2027-02-01"},
                {"kind": "Emergency contact", "answer": "given", "on": "2026-02-01"},
                {"kind": "Substance-use records (42 CFR Part 2)", "answer": "given", "on": "2025-02-01",
                 "until": "2026-02-01"},
            ],
        },
    ),
    "client-1002": (
        "sam",
        {
            "name": "Luis Arroyo",
            "born": "1985-09-02",
            "phone": "714-555-0190",
            "channel": "Phone, any time",
            "county": "orange",
            "contacts": [
                {"name": "Marco", "relation": "former roommate", "phone": "714-555-0122"},
                {"name": "R. Arroyo", "relation": "father", "consent": "refused", "never": True},
            ],
        },
    ),
    "client-1003": ("noor", {"name": "Amara Osei", "phone": "650-555-0100", "county": "san_mateo"}),
    "client-1004": ("maya", {"name": "Renee Kimball", "phone": "510-555-0142", "channel": "Portal, evenings"}),
    "client-drill": ("lee", {"name": "Exercise client"}),
}  # fmt: skip
"""Reference → whose caseload, and the file."""

FACILITIES: tuple[dict[str, str], ...] = (
    {"name": "Harbor House PHP", "kind": "php", "county": "Alameda", "phone": "510-555-0160",
     "hours": "weekdays 8 to 17", "takes": "Adults; most payers", "dual_diagnosis": "yes"},
    {"name": "Tideline Day Program", "kind": "php", "county": "Alameda", "phone": "510-555-0161",
     "takes": "Adults; often a waitlist"},
    {"name": "Cove Youth PHP", "kind": "php", "county": "San Mateo", "phone": "650-555-0171", "minors": "yes",
     "takes": "12 to 17 years"},
    {"name": "Lantern Crisis Residential", "kind": "crisis_residential", "county": "Contra Costa",
     "phone": "925-555-0170", "hours": "24 hours", "takes": "Voluntary; up to 14 days", "dual_diagnosis": "yes"},
)  # fmt: skip
CHECKED_BEFORE = (20, 35, 5, 140)
"""Days since each was checked; the last is to be checked again."""


async def add_demo_clients(settings: Settings) -> None:
    """Keep the files that are not there yet."""
    database, now = connect(settings.database_url.get_secret_value(), pool_size=1), datetime.now(UTC)
    seal = Seal(Keyring((key.id, key.secret) for key in settings.record_keys))
    clients, reach, facilities = Clients(database, seal), Reach(database, seal), Facilities(database)
    try:
        for client_ref, (therapist, written) in CLIENTS.items():
            if await clients.get(client_ref) is None:
                await clients.add(read_file(written), now, client_ref)
                await reach.assign(client_ref, therapist, now)
        if not await facilities.listed():
            for written, days in zip(FACILITIES, CHECKED_BEFORE, strict=True):
                checked = (now - timedelta(days=days)).date().isoformat()
                await facilities.save(read_facility({**written, "checked": checked}), "tess", now)
    finally:
        await database.dispose()
