"""How an open episode comes to a newer version of its protocol, as that version writes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from protocol.elements import Element, Name, Sentence

Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Policy = Literal["keep", "shorten", "rearm", "waive"]
Renamed = Annotated[dict[Name, Name], Field(max_length=200)]


class Carry(Element):
    """What becomes of an obligation that is open when its episode migrates."""

    to: Name | None = None
    """Its name in this version; the same when left out."""
    deadline: Policy = "keep"
    """`keep`: the accrued deadline and ladder stay. `shorten`: due when this version asks for it, counted from its
    opening, if that is sooner. `rearm`: opened anew at the migration, and the old one superseded.
    `waive`: ended without the thing done. What is overdue stays overdue under the first three.
    Nothing comes later and nothing is dropped without a named clinical sign-off."""
    because: Sentence | None = None
    """Why; needed for `waive`."""


KEEP = Carry.model_construct()  # not validated: that would compile a reader each time a command begins


class Migration(Element):
    """The way from one older version. A name that is not listed stays what it is."""

    stages: Renamed = {}
    """Old name → name in this version. Only stages may be merged."""
    steps: Renamed = {}
    """Old name → name in this version."""
    facts: Renamed = {}
    """Old name → name in this version. An answer that does not fit there is forgotten."""
    decisions: Renamed = {}
    """Old name → name in this version."""
    parties: Renamed = {}
    """Old name → name in this version."""
    crisis_types: Renamed = {}
    """Old name → name in this version."""
    obligations: Annotated[dict[Name, Carry], Field(max_length=200)] = {}
    """Old name → what becomes of it while it is open. Those that are not listed are kept."""

    def renamed(self, section: str) -> dict[str, str]:
        """Old name → new name, of what is called otherwise now."""
        if section == "obligations":
            return {name: one.to for name, one in self.obligations.items() if one.to not in (None, name)}
        listed: dict[str, str] = getattr(self, section)
        return {old: new for old, new in listed.items() if old != new}


SECTIONS = ("stages", "steps", "facts", "decisions", "parties", "crisis_types", "obligations")
"""Sections whose names an episode holds."""
