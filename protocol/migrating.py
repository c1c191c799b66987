"""Moving an open episode to a newer version of its protocol: what changes, and who must answer for it.

`plan` says what becomes of each open obligation, `migrate` carries the same plan out within a turn.
The rule above all: no accrued deadline comes later and none is dropped or weakened without a named clinical sign-off.
All times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from protocol import commands as c
from protocol import events as e
from protocol.episode import Episode, OpenObligation
from protocol.evolve import evolve
from protocol.facts import Refused, check_facts
from protocol.findings import did_you_mean
from protocol.migration import KEEP, SECTIONS, Carry, Migration, Policy
from protocol.program import Program, program
from protocol.spec import RANK, ProtocolSpec
from protocol.turn import Turn
from protocol.weakening import weaker

Effect = Literal["kept", "sooner", "later", "dropped", "restarted", "weakened"]
"""What happens to an accrued deadline. `restarted`: not later, but its ladder begins again or pages later.
`weakened`: the new version asks less for it, so that it could be ended by what did not end it before."""
HARMLESS: tuple[Effect, ...] = ("kept", "sooner")


@dataclass(frozen=True, slots=True)
class Moved:
    """What becomes of one open obligation."""

    obligation_id: str
    obligation: str
    """Its name in the new version; the old one where it is waived."""
    policy: Policy
    effect: Effect
    due_at: datetime
    new_due_at: datetime | None
    """None where it is dropped."""
    because: str
    weaker: tuple[str, ...] = ()
    """What the new version asks less for, in words."""

    @property
    def needs_sign_off(self) -> bool:
        """Whether somebody must answer for it."""
        return self.effect not in HARMLESS


@dataclass(frozen=True, slots=True)
class Plan:
    """What a migration does to the obligations that are open, and which names change."""

    renamed: Mapping[str, Mapping[str, str]]
    forgotten: Mapping[str, tuple[str, ...]]
    stage: str
    moved: tuple[Moved, ...]

    @property
    def needs_sign_off(self) -> bool:
        """Whether any deadline comes later, is dropped or weakened, or begins its ladder again."""
        return any(one.needs_sign_off for one in self.moved)


def plan(old: ProtocolSpec, new: ProtocolSpec, episode: Episode, now: datetime) -> Plan | Refused:
    """What moving this episode at `now` from the one version to the other would do; or why it can't be."""
    refused = _no_way(old, new, episode)
    if refused is not None:
        return refused
    way = new.migrates_from[old.version]
    stage = way.stages.get(episode.stage, episode.stage)
    refused = _unplaced(old, new, episode, stage, way)
    if refused is not None:
        return refused
    renamed = {section: names for section in SECTIONS if (names := way.renamed(section))}
    forgotten = _forgotten(new, episode, renamed)
    bare = Plan(renamed, forgotten, stage, ())
    after = evolve(episode, _migrated(old, new, bare, episode, now))
    turn = Turn(program(new), after, now, now)
    less = weaker(old, new)
    moved = tuple(
        _moved(turn, owed, _carry_of(way, owed), less.get(owed.obligation, ())) for owed in episode.obligations.values()
    )
    return Plan(renamed, forgotten, stage, moved)


def _no_way(old: ProtocolSpec, new: ProtocolSpec, episode: Episode) -> Refused | None:
    if new.protocol != old.protocol:
        message = f"{new.protocol} is another protocol than {old.protocol}."
        return Refused("other_protocol", message, "Close this episode and open another under that protocol.")
    if new.content_hash == episode.protocol_hash:
        return Refused("already_there", f"The episode runs under {new.version} already.", "There is nothing to do.")
    way = new.migrates_from.get(old.version)
    if way is None:
        message = f"{new.version} names no way from {old.version}."
        return Refused("no_way_written", message, f"Write `migrates_from: {old.version}` in the new version.")
    for section in SECTIONS:
        for was in getattr(way, section):
            if was not in (declared := getattr(old, section)):
                message = f"{old.version} has no {was} among its {section.replace('_', ' ')}."
                return Refused("no_way_written", message, _sentence(did_you_mean(was, declared)))
        for was, becomes in way.renamed(section).items():
            if becomes in getattr(old, section) and section != "stages":
                message = f"{old.version} has both {was} and {becomes}; one can't become the other."
                return Refused("no_way_written", message, "Give it a name that the older version did not have.")
    return None


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.?')}{'?' if words.endswith('?') else '.'}"


def _unplaced(old: ProtocolSpec, new: ProtocolSpec, episode: Episode, stage: str, way: Migration) -> Refused | None:
    """A stage or an open obligation without a place in the new version."""
    if stage not in new.stages:
        message = f"{new.version} has no stage {stage}."
        return Refused("no_way_written", message, f"Say under `migrates_from`, `stages`, what becomes of {stage}.")
    if new.stages[stage].kind != old.stages[episode.stage].kind:
        message = f"{episode.stage} and {stage} are not of the same kind."
        return Refused("no_way_written", message, "An emergency stays an emergency, an open stage an open one.")
    for owed in episode.obligations.values():
        carry = _carry_of(way, owed)
        if carry.deadline != "waive" and (carry.to or owed.obligation) not in new.obligations:
            message = f"{new.version} has no obligation {carry.to or owed.obligation}, and it is open here."
            return Refused("no_way_written", message, f"Say under `obligations` what becomes of {owed.obligation}.")
    return None


def _carry_of(way: Migration, owed: OpenObligation) -> Carry:
    return way.obligations.get(owed.obligation, KEEP)


def _forgotten(
    new: ProtocolSpec, episode: Episode, renamed: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[str, ...]]:
    """What the episode holds and the new version has no place for."""
    compiled = program(new)

    def fact_fits(name: str, old: str) -> bool:
        return not isinstance(check_facts(compiled, {name: episode.facts[old].value}), Refused)

    def option_fits(name: str, old: str) -> bool:
        records = (episode.decisions.get(old), episode.unsigned.get(old))
        return all(record is None or record.option in new.decisions[name].options for record in records)

    def known(_name: str, _old: str) -> bool:
        return True

    parties = dict.fromkeys((*episode.contacts, *episode.tries, *episode.attempts))
    held: dict[str, tuple[Iterable[str], Callable[[str, str], bool]]] = {
        "stages": (episode.left, known),
        "steps": (episode.steps, known),
        "facts": (episode.facts, fact_fits),
        "decisions": (episode.decisions, option_fits),
        "parties": (parties, known),
        "crisis_types": (episode.crisis_types, known),
    }
    found: dict[str, tuple[str, ...]] = {}
    for section, (names, fits) in held.items():
        becomes, declared = renamed.get(section, {}), getattr(new, section)
        gone = [old for old in names if (name := becomes.get(old, old)) not in declared or not fits(name, old)]
        if gone:
            found[section] = tuple(gone)
    return found


def _moved(turn: Turn, owed: OpenObligation, carry: Carry, less: tuple[str, ...]) -> Moved:
    kind, because = carry.to or owed.obligation, carry.because or ""

    def becomes(effect: Effect, due: datetime | None) -> Moved:
        worst = "weakened" if less and effect in HARMLESS else effect
        return Moved(owed.obligation_id, kind, carry.deadline, worst, owed.due_at, due, because, less)

    if carry.deadline == "waive":
        return becomes("dropped", None)
    if carry.deadline == "keep" or owed.missed:
        return becomes("kept", owed.due_at)
    if carry.deadline == "shorten":
        due = max(turn.now, turn.due(turn.program.spec.obligations[kind], owed.opened_at))
        return becomes("sooner", due) if due < owed.due_at else becomes("kept", owed.due_at)
    anew = turn.opened_event(kind, turn.program.spec.obligations[kind], "", turn.now)
    if anew.due_at > owed.due_at:
        return becomes("later", anew.due_at)
    if owed.rung >= 0 or anew.first_page_at > owed.next_page_at:
        return becomes("restarted", anew.due_at)
    return becomes("sooner" if anew.due_at < owed.due_at else "kept", anew.due_at)


def _migrated(
    old: ProtocolSpec,
    new: ProtocolSpec,
    planned: Plan,
    episode: Episode,
    now: datetime,
    command: c.Migrate | None = None,
) -> e.Migrated:
    signed = command is not None and planned.needs_sign_off
    return e.Migrated(
        protocol_version=new.version,
        protocol_hash=new.content_hash,
        previous_version=old.version,
        previous_hash=episode.protocol_hash,
        stage=planned.stage,
        renamed=planned.renamed,
        forgotten=planned.forgotten,
        policies={one.obligation_id: one.policy for one in planned.moved},
        by=command.actor if command else "",
        sign_off_by=(command.sign_off_by or "") if command and signed else "",
        sign_off_role=(command.sign_off_role or "") if command and signed else "",
        sign_off_reason=command.sign_off_reason if command and signed else "",
        at=now,
    )


def migrate(turn: Turn, command: c.Migrate, onto: ProtocolSpec | None) -> Refused | None:
    """Move the episode; `onto` is the version that the command names."""
    old = turn.program.spec
    if not old.roles[command.role].licensed:
        licensed = ", ".join(name for name, role in old.roles.items() if role.licensed)
        return Refused("wrong_role", "Only licensed staff moves an episode.", f"Act as one of: {licensed}.")
    if onto is None or onto.content_hash != command.protocol_hash:
        return Refused("protocol_missing", "The newer version is not at hand.", "Send its document with the command.")
    planned = plan(old, onto, turn.episode, turn.now)
    refused = planned if isinstance(planned, Refused) else _unsigned(onto, planned, command)
    if refused is not None or isinstance(planned, Refused):
        return refused
    before = turn.episode
    turn.adopt(program(onto), _migrated(old, onto, planned, before, turn.now, command))
    for one in planned.moved:
        _carry_out(turn, one, command)
    _raise_risk(turn, RANK[old.emergency.at])
    _open_new_kinds(turn, old, onto)
    return None


def _unsigned(new: ProtocolSpec, planned: Plan, command: c.Migrate) -> Refused | None:
    """Whether a deadline comes later, is dropped or weakened, and nobody who may answers for it."""
    if not planned.needs_sign_off:
        return None
    role = new.roles.get(command.sign_off_role or "")
    if command.sign_off_by and role is not None and role.licensed and command.sign_off_reason.strip():
        return None
    weaker = tuple(f"{one.obligation_id}: {one.effect}" for one in planned.moved if one.needs_sign_off)
    return Refused(
        "sign_off_needed",
        "This would make a deadline later, drop or weaken it, or begin its ladder again.",
        "Have a licensed clinician sign it by name, with a reason; or change what the new version does with it.",
        weaker,
    )


def _carry_out(turn: Turn, one: Moved, command: c.Migrate) -> None:
    owed = turn.episode.obligations[one.obligation_id]
    if one.policy == "waive":
        reason = f"{one.because} — {command.sign_off_reason}"
        turn.emit(e.ObligationWaived(owed.obligation_id, owed.obligation, reason, turn.now))
    elif one.policy == "rearm" and not owed.missed:
        _rearm(turn, owed)
    elif one.new_due_at is not None and one.new_due_at < one.due_at:
        turn.emit(_rescheduled(turn, owed, one.new_due_at))


def _rescheduled(turn: Turn, owed: OpenObligation, due_at: datetime) -> e.ObligationRescheduled:
    """A ladder that has not begun moves with its deadline; one that has goes on as it was."""
    next_page = owed.next_page_at
    if owed.rung < 0:
        next_page = min(next_page, max(turn.now, next_page - (owed.due_at - due_at)))
    return e.ObligationRescheduled(owed.obligation_id, owed.obligation, owed.due_at, due_at, next_page, turn.now)


def _rearm(turn: Turn, owed: OpenObligation) -> None:
    kind = owed.obligation
    number = turn.episode.tallies[kind].opened + 1
    again = turn.opened_event(kind, turn.program.spec.obligations[kind], f"{kind}-{number}", turn.now)
    turn.emit(again)
    turn.emit(e.ObligationSuperseded(owed.obligation_id, kind, again.obligation_id, turn.now))


def _raise_risk(turn: Turn, emergency_before: int) -> None:
    """A rule of the new version may hold already; the engine raises and never lowers.

    A level that was no emergency may be one now.
    """
    best = next((rule for rule in turn.program.ranked if rule.holds(turn.episode)), None)
    if best is not None and best.rank > RANK[turn.episode.risk]:
        turn.raise_risk_to(best.level, best.because, best.number)
    elif turn.program.emergency_rank <= RANK[turn.episode.risk] < emergency_before:
        turn.enter_emergency(f"a risk that is {turn.episode.risk} is an emergency in this version")


def _open_new_kinds(turn: Turn, old: ProtocolSpec, new: ProtocolSpec) -> None:
    """Obligations that the older version did not know and that the episode's place or facts ask for now."""
    way = new.migrates_from[old.version]
    known = {way.renamed("obligations").get(name, name) for name in old.obligations}
    for kind in _asked_for(turn.program, turn.episode):
        if kind not in known:
            turn.open(kind, turn.now)


def _asked_for(compiled: Program, episode: Episode) -> list[str]:
    here = compiled.openings.get(("entered", episode.stage), ())
    standing = [opening for openings in compiled.becoming.values() for opening in openings]
    return list(dict.fromkeys(one.obligation for one in (*here, *standing) if one.holds(episode)))
