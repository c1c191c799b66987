"""What a finding of the verification means, and what to do next: the same words on the command line and the page."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.trail import Fault, Wrong

KEEP = "Change nothing in the database, and keep a copy of it as it is now."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was recorded."""

    text: str
    """It by name: the episode and its first bad row, or the list and its first wrong column."""
    means: str
    next: str
    """What to do about it."""
    episode_id: str = ""
    row: int = 0
    """0 where it is no row of a trail."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding."""

    means: str
    next: str

    def of(self, text: str, episode_id: str = "", row: int = 0) -> Finding:
        """A finding of this kind."""
        return Finding(text, self.means, self.next, episode_id, row)


_COMPARE = f"{KEEP} Then hold it against a backup or an export of the time before: the row there is the true one."
_RESTORED = (
    f"{KEEP} Ask whoever runs the database whether a backup was restored. If Temporal still has the episode, "
    "`holdfast audit verify --all` says what its workflow remembers."
)
MEANING: dict[Wrong, Kind] = {
    Wrong.EDITED: Kind("Somebody changed this row after it was written.", _COMPARE),
    Wrong.CONTENT: Kind(
        "What the row says was exchanged by somebody who had the keys that seal the records.",
        f"{_COMPARE} Find out who had those keys, and change them.",
    ),
    Wrong.SEAL: Kind(
        "The sealed content, its key or the time of writing was changed, so that what it said can't be read.", _COMPARE
    ),
    Wrong.UNLINKED: Kind(
        "From this row on the chain was written anew: what stands before it is as it was, the rest is not.", _COMPARE
    ),
    Wrong.MISSING: Kind("Rows were deleted before this place.", _COMPARE),
    Wrong.REORDERED: Kind("The row was moved to another place.", _COMPARE),
    Wrong.INSERTED: Kind(
        "There is a row that no workflow wrote, or Temporal was restored from an older copy than the records.",
        f"{KEEP} After a restore `holdfast audit reconcile` lets the episode go on from its trail; without one, "
        "somebody added the row.",
    ),
    Wrong.FOREIGN: Kind("The row was taken from another episode.", _COMPARE),
    Wrong.TRUNCATED: Kind("The last rows are gone, or an older backup was restored.", _RESTORED),
    Wrong.REWRITTEN: Kind(
        "Every row fits the one before, but they are not those that were signed: all was written anew by somebody "
        "with the keys, or an older backup was restored.",
        _RESTORED,
    ),
}
"""Of each thing that can be wrong with a chain."""

WORKFLOW_STOPPED = Kind(
    "The episode is open and nothing of it is enforced: no deadline fires and nobody is paged. Its trail is good.",
    "Call whoever is owed a call now. `holdfast audit reconcile` lets the episode go on; what is due is paged at once.",
)
LIST_CHANGED = Kind(
    "A list that boards and the watchdog read says something else than the trail. The trail itself is good.",
    "A deadline may be overlooked until it is mended: tell the supervisor now, and whoever runs the database.",
)
CHECKPOINT_CHANGED = Kind(
    "The signed checkpoints are not as they were signed, so they vouch for nothing after this one.",
    f"{KEEP} Hold it against the checkpoints that were kept outside: `holdfast audit verify --checkpoint FILE`.",
)
LEDGER_CHANGED = Kind(
    "Who looked, a legal hold, a publication or a release was changed, taken away, or put in past the guards.",
    _COMPARE,
)
PUBLICATION_CHANGED = Kind(
    "The list of what was published was changed: which version of a protocol counted when is in doubt.",
    f"{KEEP} Clinical operations compare the versions in effect with what they published.",
)


def finding_of(fault: Fault) -> Finding:
    """The first bad row of a chain."""
    return MEANING[fault.wrong].of(str(fault), fault.episode_id, fault.sequence)
