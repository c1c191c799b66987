"""Every name that a condition may read, with its values in order.

Besides the declared facts, conditions read:

- `risk`, `peak_risk`: the unified level and the highest one so far;
- `stage`: the current stage;
- `handover`: none or offered;
- `cosignature`: waiting while a skipped step or a decision still needs a second signature, else none;
- `crisis.<type>`: yes or no;
- `attempts.<party>`: 0 to 5 failed attempts in a row, 5 meaning five or more;
- `contact.<party>`: yes once this party was really reached, else no;
- `step.<step>`: open, done or skipped;
- `<instrument>.status`: not_started, unfinished or complete;
- a table's name: its outcome;
- a decision's name: the option that counts, unknown until it was recorded;
- `obligation.<obligation>`: none, open, overdue, met, met_late, waived or superseded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.conditions import Test
from protocol.spec import LEVELS

if TYPE_CHECKING:
    from protocol.spec import ProtocolSpec

MOST_ATTEMPTS = 5
OBLIGATION_STATES = ("none", "open", "overdue", "met", "met_late", "waived", "superseded")
STEP_STATES = ("open", "done", "skipped")
INSTRUMENT_STATES = ("not_started", "unfinished", "complete")


@dataclass(frozen=True)
class Domain:
    """The finite values of one name."""

    values: tuple[str, ...]
    ordered: bool = False
    """`values` go from least to most, so at_least and at_most make sense."""
    may_be_unknown: bool = False


def vocabulary(spec: ProtocolSpec) -> dict[str, Domain]:
    """Every readable name of a protocol with its domain."""
    names = {
        "risk": Domain(LEVELS, ordered=True),
        "peak_risk": Domain(LEVELS, ordered=True),
        "stage": Domain(tuple(spec.stages), ordered=True),
        "handover": Domain(("none", "offered")),
        "cosignature": Domain(("none", "waiting")),
    }
    for name, fact in spec.facts.items():
        if values := fact.values():
            ordered = fact.ordered or fact.type == "number"
            names[name] = Domain(values, ordered, may_be_unknown=True)
    for name, table in spec.tables.items():
        names[name] = Domain(tuple(table.outcomes), ordered=True)
    for name, decision in spec.decisions.items():
        names[name] = Domain(tuple(decision.options), ordered=True, may_be_unknown=True)
    names.update(_prefixed(spec))
    return names


def _prefixed(spec: ProtocolSpec) -> dict[str, Domain]:
    attempts = Domain(tuple(str(count) for count in range(MOST_ATTEMPTS + 1)), ordered=True)
    yes_no = Domain(("no", "yes"))
    return {
        **{f"crisis.{name}": yes_no for name in spec.crisis_types},
        **{f"attempts.{name}": attempts for name in spec.parties},
        **{f"contact.{name}": yes_no for name in spec.parties},
        **{f"step.{name}": Domain(STEP_STATES) for name in spec.steps},
        **{f"{name}.status": Domain(INSTRUMENT_STATES, ordered=True) for name in spec.instruments},
        **{f"obligation.{name}": Domain(OBLIGATION_STATES) for name in spec.obligations},
    }


def accepted(test: Test, domain: Domain) -> frozenset[str]:
    """The values that make a comparison true. Raises ValueError for a value or order the name does not have."""
    for value in test.values if test.operator != "known" else ():
        if value not in domain.values:
            raise ValueError(f"`{test.name}` is never `{value}`; it is one of {', '.join(domain.values)}")
    if test.operator in ("at_least", "at_most") and not domain.ordered:
        raise ValueError(f"`{test.name}` has no order, so {test.operator} makes no sense; list the values instead")
    order = tuple(value for value in domain.values if value != "refused")
    match test.operator:
        case "is":
            return frozenset(test.values)
        case "at_least":
            return frozenset(order[order.index(test.values[0]) :])
        case "at_most":
            return frozenset(order[: order.index(test.values[0]) + 1])
        case "known":
            return frozenset(domain.values)
