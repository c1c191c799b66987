"""What a reader may see of how an episode kept its protocol; the rules are those of `audit.redaction`.

Without redactors everything shows. With them the reasons that people wrote, and every name that may tell of substance
use, are withheld; what stays can be counted as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from audit.redaction import Redactor
from protocol.conformance import Conformance

WITHHELD = "withheld"


class Veil:
    """Of one episode, with a redactor for each version that it ran under."""

    def __init__(self, one: Conformance, redactors: Sequence[Redactor] = ()) -> None:
        self._redactors = redactors
        hidden = [name for name, owed in one.deadlines.items() if self.name("obligation", owed.obligation) == WITHHELD]
        self._duties = {name: f"{WITHHELD}-{number}" for number, name in enumerate(hidden, start=1)}

    def name(self, field: str, value: str) -> str:
        """A name from the protocol that stands in this field of an event, or that it is withheld."""
        return value if all(one.shows(field, value) for one in self._redactors) else WITHHELD

    def duty(self, obligation_id: str) -> str:
        """What an obligation goes by."""
        return self._duties.get(obligation_id, obligation_id)

    def over(self, one: Conformance) -> Conformance:
        """The account as this reader may see it."""
        if not self._redactors:
            return one
        return replace(
            one,
            crisis_types=(WITHHELD,),
            deviations=[
                replace(found, what=self.name("step", found.what), reason=WITHHELD if found.reason else "")
                for found in one.deviations
            ],
            deadlines={
                self.duty(name): replace(
                    owed, obligation_id=self.duty(name), obligation=self.name("obligation", owed.obligation)
                )
                for name, owed in one.deadlines.items()
            },
        )
