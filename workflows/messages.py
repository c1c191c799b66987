"""What goes into an episode's workflow and comes out of it: one model in, one model out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from protocol.commands import SentCommand
from protocol.engine import Receipt
from protocol.episode import Episode
from protocol.trail import Head, TrailRow
from workflows.ports import Batch, PageOrder, PageReport, ReferralOrder

CLOSED = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Carried:
    """What one run of an episode hands to the next."""

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED
    episode: Episode | None
    head: Head | None
    receipts: dict[str, str] = field(default_factory=dict[str, str])
    """Of the latest commands by their ids, oldest first; each as JSON."""
    rows: tuple[TrailRow, ...] = ()
    pages: tuple[PageOrder, ...] = ()
    """Pages whose delivery was not yet reported; delivered again under the same id."""
    referrals: tuple[ReferralOrder, ...] = ()
    protocol_wanted: bool = False
    """The records asked for the protocol's document and have not got it yet."""
    earlier_protocols: tuple[str, ...] = ()
    """Documents of versions before the last migration that the records may not have yet."""


@dataclass(frozen=True)
class EpisodeInput:
    """What an episode is made of. The protocol comes by value: a later publication changes nothing."""

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED
    episode_id: str
    protocol: Annotated[str, AfterValidator(sys.intern)]
    """The protocol in its canonical form; one copy in memory for all episodes under it."""
    salt_key: str
    """32 random bytes in hex, from which the trail's salts are made."""
    carried: Carried | None = None


@dataclass(frozen=True)
class Submission:
    """What a person asks of an episode. Time and the fate of pages are told by the engine's own; nobody sends them."""

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED
    command: Annotated[SentCommand, Field(discriminator="kind")]
    protocol: Annotated[str, AfterValidator(sys.intern)] | None = None
    """With a `Migrate`: the version it names, in its canonical form. It comes by value, as with the opening."""


@dataclass(frozen=True)
class EpisodeView:
    """An episode as its workflow sees it now."""

    episode: Episode | None
    """None while its opening was refused."""
    head: Head
    """The end of its trail, to hold against the records."""
    unrecorded: int
    """Rows that the records do not have yet."""
    pages: tuple[str, ...]
    """Pages under way."""


READ = (EpisodeInput, Submission, EpisodeView, Receipt, Batch, PageOrder, PageReport, ReferralOrder)
"""Every type that is read back from Temporal."""
