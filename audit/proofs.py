"""Proofs from signed checkpoints for single episodes, to be handed out with their rows."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, Engine, select

from audit.checkpoints import Reach, Signed, marks_of, read_all, statement_of
from audit.database import Database
from audit.ledger import LEDGER
from audit.signatures import VerifyKeys
from audit.tables import checkpoints
from protocol.checkpoint import Mark, proof_of


@dataclass(frozen=True, slots=True)
class Proved:
    """How far a checkpoint vouches for an episode, with what proves it."""

    signed: Signed
    mark: Mark
    place: int
    """Of the mark in the checkpoint, from 0."""
    proof: tuple[str, ...]


class Proofs:
    """Proofs from the latest checkpoint of each episode, read one checkpoint at a time."""

    def __init__(self, database: Database, keys: VerifyKeys) -> None:
        self._database = database
        self._keys = keys
        self._known = Reach()
        self._read = lru_cache(maxsize=8)(self._signed_marks)

    async def prepare(self) -> None:
        """Check every checkpoint. Raises CheckpointError, which names the first bad one."""
        await read_all(self._database, self._keys, self._known)

    @property
    def episodes(self) -> Set[str]:
        """Those that any checkpoint names."""
        return self._known.latest.keys() - {LEDGER}

    def prove(self, connection: Connection, episode_id: str) -> Proved | None:
        """The proof for an episode; None when no checkpoint has it yet."""
        covered = self._known.latest.get(episode_id)
        if covered is None:
            return None
        signed, marks = self._read(connection.engine, covered.number)
        place = next(place for place, mark in enumerate(marks) if mark.episode_id == episode_id)
        return Proved(signed, marks[place], place, tuple(proof_of(marks, place)))

    def _signed_marks(self, engine: Engine, number: int) -> tuple[Signed, list[Mark]]:
        with engine.begin() as connection:
            row = connection.execute(select(checkpoints).where(checkpoints.c.number == number)).one()
        marks = marks_of(row)
        return Signed(statement_of(row, marks), row.signature), marks
