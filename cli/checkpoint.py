"""Checkpoints on the command line: printed to be kept outside, read back to hold the records against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from audit.checkpoints import Signed, as_object, vouched
from cli.books import Books, verify_keys, with_books
from cli.output import FOUND, USAGE, Trouble, say_json
from protocol.checkpoint import Statement

LONGEST_FILE = 4_096

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=1, le=2**62)]


class Pinned(BaseModel):
    """A printed checkpoint."""

    model_config = ConfigDict(strict=True, extra="forbid")

    number: _Count
    at: AwareDatetime
    previous: _Hash
    rows: _Count
    size: _Count
    root: _Hash
    key_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]

    def signed(self) -> Signed:
        """The checkpoint that was printed."""
        said = Statement(self.number, self.at, self.previous, self.rows, self.size, self.root, self.key_id)
        return Signed(said, self.signature)


def checkpoint() -> None:
    """Print the latest checkpoint of the trail. Keep it outside: on paper, in a mail, on another machine.

    `holdfast audit verify --checkpoint FILE` later holds the records against it.
    """
    last = with_books(_latest)
    if last is None:
        raise Trouble("there is no checkpoint yet", "start the watchdog: it signs the first one at once", FOUND)
    say_json(as_object(last))


async def _latest(books: Books) -> Signed | None:
    return (await vouched(books.records, verify_keys())).last


def read_pinned(path: Path) -> Signed:
    """A checkpoint that was kept outside. Raises Trouble."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_FILE + 1)
        if len(text) > LONGEST_FILE:
            raise ValueError
        return Pinned.model_validate_json(text).signed()
    except (OSError, ValueError, ValidationError):
        raise Trouble(
            f"{path} holds no checkpoint", "give a file printed by `holdfast audit checkpoint`", USAGE
        ) from None
