"""What can be done now in an episode, with what it asks for: made from the protocol, for a prompt or a page.

It offers and never decides: the core may still refuse what is chosen, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from protocol.commands import ContactChannel, ContactOutcome
from protocol.episode import Episode, StepRecord
from protocol.facts import describe
from protocol.program import Program
from protocol.readers import waits_for_signature
from protocol.spec import LEVELS, RANK, ProtocolSpec
from protocol.words import Words, person, plain


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a choice asks for."""

    name: str
    """The field of the entry, or the fact."""
    question: str
    answer_with: str
    needed: bool
    is_fact: bool = False
    values: tuple[str, ...] = ()
    """What may be answered, where that is a closed list."""
    known: str = ""
    """What is recorded already."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done."""

    text: str
    act: str
    """As `do` has it in a scenario."""
    roles: tuple[str, ...] = ()
    """Who may do it; empty: anybody."""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    asks: tuple[Ask, ...] = ()
    now: bool = True
    """The episode waits for it; the rest is possible too."""
    person: str = ""
    """The one person who may do it, where it is one."""


REASON = Ask("reason", "Why?", "a sentence", True)
ANSWERS = Ask("facts", "What was said or seen?", "fact=value, several with ; between", True)


def menu(program: Program, episode: Episode) -> tuple[Choice, ...]:
    """Everything that can be done now; what the episode waits for comes first. Nothing in a closed episode."""
    if episode.closed_at is not None:
        return (_addendum(episode),)
    found = [choice for part in _PARTS for choice in part(program, episode)]
    return tuple(sorted(found, key=lambda choice: not choice.now))


def _steps(program: Program, episode: Episode) -> Iterator[Choice]:
    spec = program.spec
    here = [one for one in program.placed[episode.stage] if one.applies(episode)]
    for placed in here:
        if placed.step not in episode.steps:
            yield _step(program, episode, placed.step, placed.required)
    placed_here = {one.step for one in here}
    wanted = _wanted(spec, episode, "done")
    for name, step in spec.steps.items():
        if (step.any_stage or name in placed_here) and (name in episode.steps or name not in placed_here):
            yield _step(program, episode, name, name in wanted)
    for placed in here:
        step = spec.steps[placed.step]
        if placed.step not in episode.steps and step.skip_cosigned_by:
            text, fields = f"Skip “{step.title}”", {"step": placed.step}
            yield Choice(text, "skip_step", step.roles, fields, (REASON,), now=False)


def _step(program: Program, episode: Episode, name: str, now: bool) -> Choice:
    step = program.spec.steps[name]
    items = [item for instrument in step.instruments for item, _ in program.asked[instrument]]
    asked = {**dict.fromkeys(step.optional, False), **dict.fromkeys(items, False), **dict.fromkeys(step.form, True)}
    order = dict.fromkeys((*step.form, *items, *step.optional))
    asks = [_fact(program.spec, episode, fact, asked[fact]) for fact in order if fact not in step.sets]
    again = " again" if name in episode.steps else ""
    return Choice(f"Complete “{step.title}”{again}", "complete_step", step.roles, {"step": name}, tuple(asks), now)


def _fact(spec: ProtocolSpec, episode: Episode, name: str, needed: bool) -> Ask:
    fact, known = spec.facts[name], episode.facts.get(name)
    values = (*fact.values(), "unknown") if fact.type in ("yes_no", "choice") else ()
    answered = Words(spec).answer(known.value) if known is not None else ""
    return Ask(name, fact.ask, describe(fact), needed and known is None, True, values, answered)


def _signatures(program: Program, episode: Episode) -> Iterator[Choice]:
    spec, words = program.spec, Words(program.spec)
    for name, waiting in waits_for_signature(episode).items():
        is_step = isinstance(waiting, StepRecord)
        roles = spec.steps[name].skip_cosigned_by if is_step else spec.decisions[name].cosigned_by
        title = f"the skip of “{words.step(name)}”" if is_step else f"“{words.decision(name)}”"
        yield Choice(f"Co-sign {title}", "co_sign", roles, {"subject": name})


def _decisions(program: Program, episode: Episode) -> Iterator[Choice]:
    wanted = _wanted(program.spec, episode, "decided")
    for name, decision in program.spec.decisions.items():
        advised = program.readers.reader(decision.advice)(episode) if decision.advice else None
        hint = f"; advised: {plain(advised)}" if advised else ""
        options = tuple(decision.options)
        asks = (
            Ask("option", f"{decision.question}{hint}", f"one of {', '.join(options)}", True, values=options),
            Ask("rationale", "Why this option?", "a sentence", True),
        )
        text = f"Decide “{decision.title}”"
        yield Choice(text, "record_decision", decision.roles, {"decision": name}, asks, name in wanted)


def _contacts(program: Program, episode: Episode) -> Iterator[Choice]:
    wanted = {*_wanted(program.spec, episode, "reached"), *_wanted(program.spec, episode, "attempted")}
    channels, outcomes = get_args(ContactChannel), get_args(ContactOutcome)
    for name in program.spec.parties:
        permitted = program.permitted[name](episode)
        asks = [
            Ask("outcome", "How did it go? Only `reached` is a contact.", f"one of {', '.join(outcomes)}", True,
                values=outcomes),
            Ask("channel", "By which channel?", f"one of {', '.join(channels)}", True, values=channels),
        ]  # fmt: skip
        if not permitted:
            asks.append(Ask("exception", "No consent: on which legal basis?", "a sentence; empty: none", False))
        text = f"Contact {Words(program.spec).party(name)}" + ("" if permitted else " (consent is missing)")
        yield Choice(text, "record_contact", (), {"party": name}, tuple(asks), name in wanted)


def _moves(program: Program, episode: Episode) -> Iterator[Choice]:
    spec = program.spec
    stage = spec.stages[episode.stage]
    for to in stage.next:
        if spec.stages[to].kind != "closed":
            yield Choice(f"Go on to {spec.stages[to].title}", "advance", (), {"to": to})
    if stage.kind != "emergency":
        yield Choice("DECLARE AN EMERGENCY", "declare_emergency")
    order = list(spec.stages)
    for name in order:
        earlier = name in episode.left or order.index(name) < order.index(episode.stage)
        if earlier and name != episode.stage and spec.stages[name].kind == "open":
            yield Choice(f"Go back to {spec.stages[name].title}", "go_back", (), {"to": name}, (REASON,), now=False)


def _duties(program: Program, episode: Episode) -> Iterator[Choice]:
    words = Words(program.spec)
    for kind in dict.fromkeys(owed.obligation for owed in episode.obligations.values()):
        duty = program.spec.obligations[kind]
        owed = [one for one in episode.obligations.values() if one.obligation == kind]
        first = min(owed, key=lambda one: one.due_at)
        if first.rung >= 0:
            silent = first.lease_until is not None
            text = f"Say “I am on it”: {words.obligation(kind)}"
            yield Choice(text, "acknowledge", _asked_role(duty.met_by), {"obligation": kind}, now=not silent)
        if duty.waived_by:
            text = f"Waive “{words.obligation(kind)}”"
            yield Choice(text, "waive", duty.waived_by, {"obligation": kind}, (REASON,), now=False)


def _asked_role(met_by: tuple[Any, ...]) -> tuple[str, ...]:
    """Whose acknowledgement counts as the thing itself."""
    return tuple(evidence.acknowledged for evidence in met_by if evidence.acknowledged is not None)


def _handover(program: Program, episode: Episode) -> Iterator[Choice]:
    offer = episode.handover
    if offer is None:
        to = Ask("to", "To whom?", "one of the people", True)
        yield Choice("Offer the episode to somebody", "offer_handover", (), {}, (to, REASON), now=False)
    else:
        yield Choice(f"Accept the episode (only {person(offer.to)} can)", "accept_handover", person=offer.to)
        yield Choice(f"Decline the episode ({person(offer.to)})", "decline_handover", (), {}, (REASON,), True, offer.to)


def _rest(program: Program, episode: Episode) -> Iterator[Choice]:
    spec = program.spec
    lower = tuple(level for level in LEVELS if RANK[level] < RANK[episode.risk])
    if lower:
        level = Ask("level", "To which level?", f"one of {', '.join(lower)}", True, values=lower)
        yield Choice("Lower the risk", "lower_risk", spec.risk.lowering.roles, {}, (level, REASON), now=False)
    for name, crisis in spec.crisis_types.items():
        if name not in episode.crisis_types:
            fields = {"crisis_type": name}
            yield Choice(f"Add the crisis type {crisis.title}", "record_crisis_type", (), fields, now=False)
    yield Choice("Write down what was said or seen", "record_facts", (), {}, (ANSWERS,), now=False)
    yield _addendum(episode)
    outcomes = tuple(spec.closing.outcomes)
    asks = (Ask("outcome", "How does it end?", f"one of {', '.join(outcomes)}", True, values=outcomes), REASON)
    last = not spec.stages[episode.stage].next
    yield Choice("Close the episode", "close_episode", spec.closing.roles, {}, asks, last)


def _addendum(episode: Episode) -> Choice:
    asks = (
        Ask("refers_to", "To which entry?", f"a number from 1 to {episode.revision}", True),
        Ask("text", "What is added?", "a sentence", True),
    )
    return Choice("Add to an earlier entry", "add_addendum", (), {}, asks, now=False)


def _wanted(spec: ProtocolSpec, episode: Episode, key: str) -> set[str]:
    """What open obligations ask for: steps to be done, decisions, parties to be reached."""
    kinds = {owed.obligation for owed in episode.obligations.values()}
    found = [getattr(evidence, key) for kind in kinds for evidence in spec.obligations[kind].met_by]
    return {name for name in found if name is not None}


_PARTS = (_steps, _signatures, _duties, _contacts, _decisions, _moves, _handover, _rest)
"""In the order in which they are offered."""
