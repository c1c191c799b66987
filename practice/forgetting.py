"""What the practice itself keeps of a client, dropped for good when the keys to their records are destroyed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Delete, delete, or_, select, update

from audit.access import Access, record_in
from audit.database import Database
from audit.keys import destroy_in
from audit.tables import episodes
from practice.calls import forget_answers_in
from practice.sealing import Seal
from practice.tables import caseloads, clients, drafts, emergency_access

REPORT = "page/report"
"""Where the draft of a report lies; of whom it is stands in it."""
GONE = "(destroyed with the client's records)"


async def destroy_client(database: Database, seal: Seal, client_ref: str, look: Access) -> tuple[int, bool]:
    """Destroy the client's keys, and drop their file, caseloads, and whatever anybody has typed about them and not
    sent: all in one transaction, with the row that says who did it. How many keys, and whether there was a file or a
    draft.

    That somebody broke the glass stays; their reason goes. Answers kept for calls that are repeated go where they are
    theirs or may be. Raises HeldError, and SealingError for a draft that can't be read: it may be about this client.
    """

    def work(connection: Connection) -> tuple[int, bool]:
        count = destroy_in(connection, client_ref, look.at)
        record_in(connection, look)
        connection.execute(delete(caseloads).where(caseloads.c.client_ref == client_ref))
        forget_answers_in(connection, client_ref)
        for access_id in connection.scalars(
            select(emergency_access.c.access_id).where(emergency_access.c.client_ref == client_ref)
        ).all():
            sealed = seal.close({"reason": GONE}, "emergency_access", access_id)
            one = emergency_access.c.access_id == access_id
            connection.execute(update(emergency_access).where(one).values(reason=sealed))
        dropped = [connection.execute(one).rowcount for one in _typed(connection, seal, client_ref)]
        dropped.append(connection.execute(delete(clients).where(clients.c.client_ref == client_ref)).rowcount)
        return count, any(dropped)

    return await database.write(work)


def _typed(connection: Connection, seal: Seal, client_ref: str) -> Iterator[Delete]:
    """Drafts on the client's episodes and file, and reports that name them."""
    theirs = connection.scalars(select(episodes.c.episode_id).where(episodes.c.client_ref == client_ref)).all()
    for episode_id in theirs:
        beside = drafts.c.place.startswith(f"{episode_id}/", autoescape=True)
        yield delete(drafts).where(or_(beside, drafts.c.place == f"page/opening/{episode_id}"))
    yield delete(drafts).where(drafts.c.place == f"page/client/{client_ref}")
    for row in connection.execute(select(drafts).where(drafts.c.place == REPORT)).all():
        fields = seal.open(row.sealed, "draft", f"{row.account_id}/{REPORT}")["fields"]
        if client_ref in fields.get("client", []):
            yield delete(drafts).where(drafts.c.account_id == row.account_id, drafts.c.place == REPORT)
