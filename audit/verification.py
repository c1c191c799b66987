"""Every check of the records in one call, and in words what was checked and what not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from audit.checkpoints import NO_KEY, Signed, Vouched, check_pinned, vouched
from audit.crew import Crew
from audit.database import Database
from audit.heads import Asked, Workflows, ask, ask_all, hold
from audit.ledger import LedgerFound, check_ledger
from audit.lists import Comparison, Lists, bundles
from audit.meaning import (
    CHECKPOINT_CHANGED,
    LEDGER_CHANGED,
    LIST_CHANGED,
    PUBLICATION_CHANGED,
    WORKFLOW_STOPPED,
    Finding,
    finding_of,
)
from audit.publications import PublicationError, Publications
from audit.sealing import Keyring
from audit.signatures import CheckpointError, VerifyKeys
from audit.verify import Known, Piece, Verdict, Verifier, pieces

MOST_KEPT = 200
"""Findings that the access trail keeps of one verification."""
SHARE = 40_000
"""Rows that one process checks at a time; fewer are not worth starting another."""
Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much; 0 of 0 where that is not known."""


def quietly(_doing: str, _done: int, _of: int) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Compared:
    """What the checkpoints say of the records."""

    found: Vouched
    said: str
    problem: str | None


@dataclass(frozen=True)
class Wanted:
    """What is to be verified, and how."""

    episode_id: str | None = None
    """All episodes when None."""
    pinned: Sequence[Signed] = ()
    """Checkpoints that were kept outside."""
    quick: bool = False
    """Chains and seals only: neither contents nor lists."""
    ask: bool = False
    """Also ask every workflow that is still there; that of a single episode is always asked."""


@dataclass(frozen=True)
class Findings:
    """All that one verification found."""

    verdicts: list[Verdict]
    checkpoints: Compared
    lists: list[Comparison] | None
    """None when they were not compared."""
    asked: Asked
    publications: str
    """What is wrong with the list of what was published; empty when nothing is."""
    ledger: LedgerFound | None = None
    """None when a single episode was verified."""
    quick: bool = False
    asked_for: str | None = None
    """The one episode that was verified; None for all."""

    @property
    def bad(self) -> list[str]:
        """Every finding, in words; empty when all is well."""
        return [one.text for one in self.found]

    @property
    def found(self) -> list[Finding]:
        """Every finding with what it means and what to do next; empty when all is well."""
        found = [finding_of(one.fault) for one in self.verdicts if one.fault is not None]
        for stopped in self.asked.stopped:
            text = f"episode {stopped}: its workflow was ended in Temporal before the episode was over"
            found.append(WORKFLOW_STOPPED.of(text, stopped))
        for one in self.lists or ():
            if one.disagreement is not None:
                found.append(LIST_CHANGED.of(str(one.disagreement), one.episode_id))
            if self.cut(one) is not None and one.ahead is not None:
                found.append(finding_of(one.ahead))
        if self.checkpoints.problem:
            found.append(CHECKPOINT_CHANGED.of(self.checkpoints.problem))
        if self.ledger is not None and self.ledger.problem is not None:
            found.append(LEDGER_CHANGED.of(self.ledger.problem))
        return found + ([PUBLICATION_CHANGED.of(self.publications)] if self.publications else [])

    def account(self, begun: datetime) -> dict[str, Any]:
        """What came of a verification that was begun then, as the access trail keeps it."""
        return {
            "good": not self.bad,
            "said": [*self.said],
            "found": [asdict(one) for one in self.found[:MOST_KEPT]],
            "count": len(self.found),
            "begun": begun.isoformat(),
        }

    def cut(self, one: Comparison) -> str | None:
        """A trail that ends before the list, unless its workflow says that rows are still on the way."""
        end = self.asked.ends.get(one.episode_id)
        return None if one.ahead is None or (end is not None and end.unrecorded) else str(one.ahead)

    @property
    def said(self) -> Iterator[str]:
        """A line for each thing that was checked, and at the end what was not."""
        yield self._chains()
        yield self.checkpoints.said
        if self.ledger is not None:
            yield self.ledger.said
        yield f"Publications: {'BAD' if self.publications else 'all good'}."
        yield self._lists()
        yield self.asked.said
        yield from (one for one in (self._window(), self._unseen()) if one)

    def _chains(self) -> str:
        bad = sum(one.fault is not None for one in self.verdicts)
        rows = sum(one.rows for one in self.verdicts)
        depth = "contents not compared: --quick" if self.quick else "seals and contents fit"
        verdict = f"{bad} BAD" if bad else "all good"
        return f"Chains: {len(self.verdicts)} episodes, {rows} good rows, {depth}: {verdict}."

    def _lists(self) -> str:
        if self.lists is None:
            return "Lists: not compared: --quick."
        compared = sum(one.skipped is None for one in self.lists)
        bad = sum(one.disagreement is not None or self.cut(one) is not None for one in self.lists)
        why = Counter(one.skipped for one in self.lists if one.skipped is not None)
        rest = "".join(f" Not compared: {count}, because {reason}." for reason, count in sorted(why.items()))
        said = f"{bad} BAD" if bad else "all say what the trail says"
        return f"Lists: those of {compared} episodes compared with their rows: {said}.{rest}"

    def _window(self) -> str:
        """What no checkpoint vouches for yet."""
        last = self.checkpoints.found.last
        if self.checkpoints.problem or last is None or self.asked_for is not None:
            return ""
        newer = sum(one.rows for one in self.verdicts) - last.statement.rows
        when = f"checkpoint {last.statement.number} of {last.statement.at:%Y-%m-%d %H:%M:%S} UTC"
        if newer <= 0:
            return f"Window: no row is newer than {when}."
        rows = "1 row is" if newer == 1 else f"{newer} rows are"
        return f"Window: {rows} newer than {when}, and in no checkpoint yet."

    def _unseen(self) -> str:
        """What could have been done to the records and not be seen."""
        covered = self.checkpoints.found.marks
        open_end = [
            one
            for one in self.verdicts
            if one.episode_id not in self.asked.ends and one.rows > max(covered.get(one.episode_id, {}), default=0)
        ]
        if not open_end:
            return ""
        return (
            f"Not covered: the last rows of {len(open_end)} episodes. No checkpoint covers them and no workflow was "
            "asked, so whoever can change the lists too could have cut them off."
        )


async def verification(
    database: Database,
    ring: Keyring,
    keys: VerifyKeys | None,
    workflows: Workflows,
    wanted: Wanted,
    crew: Crew | None = None,
    progress: Progress = quietly,
) -> Findings:
    """Verify the records, by the processes of a crew where there are many rows. Without keys no signature is checked,
    which is said.

    Raises UnknownKeyError when a key-encryption key is missing, ValueError when `pinned` can't be checked without keys.
    """
    progress("Checkpoints", 0, 0)
    compared = await compare(database, keys, wanted.pinned)
    if wanted.ask or wanted.episode_id is not None:
        progress("Workflows", 0, 0)
    if wanted.episode_id is not None:
        asked = await ask(workflows, [wanted.episode_id])
    else:
        asked = await ask_all(workflows) if wanted.ask else Asked(why="`--all` asks them")
    known = Known(compared.found.marks, asked.heads)
    if wanted.episode_id is not None:
        verdicts = [await Verifier(database, ring, not wanted.quick, *known).episode(wanted.episode_id)]
    else:
        verdicts = await judge(database, ring, known, not wanted.quick, crew, progress)
    verdicts = await hold(workflows, asked, verdicts)
    lists = None if wanted.quick else await compare_lists(database, ring, verdicts, crew, progress)
    ledger = None if wanted.episode_id is not None else await check_ledger(database, compared.found.ledger)
    publications = await _publications(database, keys)
    return Findings(verdicts, compared, lists, asked, publications, ledger, wanted.quick, wanted.episode_id)


async def judge(
    database: Database,
    ring: Keyring,
    known: Known,
    contents: bool,
    crew: Crew | None = None,
    progress: Progress = quietly,
) -> list[Verdict]:
    """The verdict on each episode: first those that lost their whole trail, then by episode id."""
    verifier = Verifier(database, ring, contents, *known)
    sizes = await verifier.sizes()
    shares = pieces(sizes, SHARE)
    found: list[Verdict] = []
    if crew is None or len(shares) == 1:
        async for one in verifier.all(sizes):
            found.append(one)
            progress("Chains", len(found), max(len(sizes), len(found)))
        return found
    found = await verifier.lost(sizes)
    jobs = (_Share(piece, contents, known.of(ids)) for piece, ids in shares)
    async for some in crew.run(_judge, jobs):
        found += some
        progress("Chains", len(found), max(len(sizes), len(found)))
    return found


class _Share(NamedTuple):
    """What one process is to judge, with what is known from elsewhere of these episodes alone."""

    piece: Piece
    contents: bool
    known: Known


async def _judge(database: Database, ring: Keyring, share: _Share) -> list[Verdict]:
    return [one async for one in Verifier(database, ring, share.contents, *share.known).between(share.piece)]


async def compare_lists(
    database: Database,
    ring: Keyring,
    verdicts: Sequence[Verdict],
    crew: Crew | None = None,
    progress: Progress = quietly,
) -> list[Comparison]:
    """One comparison for each verdict, in their order."""
    found: list[Comparison] = []
    if crew is None or sum(one.rows for one in verdicts) <= SHARE:
        async for one in Lists(database, ring).compare(verdicts):
            found.append(one)
            progress("Lists", len(found), len(verdicts))
        return found
    async for some in crew.run(_compare_lists, bundles(verdicts, SHARE // 4)):
        found += some
        progress("Lists", len(found), len(verdicts))
    return found


async def _compare_lists(database: Database, ring: Keyring, verdicts: Sequence[Verdict]) -> list[Comparison]:
    return [one async for one in Lists(database, ring).compare(verdicts)]


async def compare(database: Database, keys: VerifyKeys | None, pinned: Sequence[Signed]) -> Compared:
    """The checkpoints of the records, and what is wrong with them. Raises ValueError for `pinned` without keys."""
    found = Vouched()
    if keys is None:
        if pinned:
            raise ValueError(NO_KEY)
        return Compared(found, f"Checkpoints: not checked; {NO_KEY}.", None)
    try:
        found = await vouched(database, keys)
        for one in pinned:
            check_pinned(one, keys, found)
    except CheckpointError as error:
        return Compared(found, "Checkpoints: BAD.", str(error))
    kept = ""
    if pinned:
        last = max(one.statement.number for one in pinned)
        some = f"number {last}, kept outside, is" if len(pinned) == 1 else f"all {len(pinned)} kept outside are"
        kept = f"; {some} among them"
    return Compared(found, f"Checkpoints: {len(found.statements)} good, over {found.rows} rows{kept}.", None)


async def _publications(database: Database, keys: VerifyKeys | None) -> str:
    try:
        await Publications(database, keys).read()
    except PublicationError as error:
        return str(error)
    return ""
