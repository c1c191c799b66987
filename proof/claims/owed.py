"""Claims about what is owed: always something, help in an emergency, nothing ended by an attempt or left behind."""

from __future__ import annotations

from collections.abc import Iterator

from proof.claims.common import Effort, Ground, always_watch, basis, limits, listed, settle
from proof.explore import Watch
from proof.owing import Owing
from proof.pilot import Lost, Pilot
from proof.slices import Interest
from proof.verdicts import Claim, Doubt, settled
from proof.walk import Walk
from protocol import commands as c
from protocol import events as e
from protocol.decide import MacroStep
from protocol.episode import Episode, OpenObligation
from protocol.findings import Finding, Path
from protocol.program import Program
from protocol.spec import RANK, ProtocolSpec

MOST_DONE = 40
"""Things that people do in one stage until nothing is owed any more."""


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    yield armed(ground)
    yield emergency(ground)
    yield attempts(ground)
    yield closing(ground)


# Something is owed


def armed(ground: Ground) -> Claim:
    """In every open stage at least one deadline runs."""
    effort, doubts = Effort(), list[Doubt]()
    spec = ground.program.spec
    for stage, written in spec.stages.items():
        if written.kind == "closed":
            continue
        proved, walk = _watched(ground, effort, stage)
        if not proved:
            doubts.append(_unarmed(stage, walk))
    how = f"Every stage with the obligations that last in it, at every deadline and just before.{limits(effort)}"
    title = "In every open episode a deadline runs that somebody owes."
    return Claim("armed", title, settled(doubts), how, effort.configurations, effort.steps, tuple(doubts))


def _watched(ground: Ground, effort: Effort, stage: str) -> tuple[bool, Walk | None]:
    """Whether something is always owed in a stage, else an episode without; what is small is looked at first."""
    single, several = _limits(ground.program.spec, stage)
    for chosen in (single, several):
        for duties in chosen:
            interest = Interest(frozenset({"stage"}), duties, places=frozenset({stage}))
            answer = settle(ground, effort, interest, always_watch(_idle(stage)), _nothing_owed)
            if answer.proved or answer.walk is not None:
                return answer.proved, answer.walk
        if chosen is single and (walk := _provoked(ground.pilot, stage)) is not None:
            return False, walk
    return False, None


def _limits(spec: ProtocolSpec, stage: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Obligations of which each should always be open in a stage; then sets of which one should be: more at a time."""
    entered = [name for name, one in spec.obligations.items() if _opens_in(spec, stage, one.opens)]
    lasting = [name for name in entered if any(part.left == stage for part in spec.obligations[name].met_by)]
    only = [name for name in lasting if all(part.left == stage for part in spec.obligations[name].met_by)]
    return [(name,) for name in only[:2]], [tuple(names) for names in (lasting, entered) if len(names) > 1]


def _opens_in(spec: ProtocolSpec, stage: str, triggers: tuple[object, ...]) -> bool:
    opening = stage == spec.initial
    return any(
        getattr(one, "entered", None) == stage or (opening and getattr(one, "event", None) == "episode_opened")
        for one in triggers
    )


def _idle(stage: str) -> Watch:
    def watch(_before: Episode | None, step: MacroStep) -> bool:
        after = step.episode
        return after is not None and after.closed_at is None and after.stage == stage and not after.obligations

    return watch


def _nothing_owed(walk: Walk) -> bool:
    return walk.episode.closed_at is None and not walk.episode.obligations


def _provoked(pilot: Pilot, stage: str) -> Walk | None:
    """An episode in the stage in which everybody does what is owed, and then nothing is; tried by every way back."""
    spec = pilot.spec
    for other in ("", *(name for name, one in spec.stages.items() if one.kind == "open" and name != stage)):
        try:
            walk = pilot.begin()
            walk = pilot.go_to(walk, other) if walk is not None and other else walk
            walk = pilot.go_to(walk, stage) if walk is not None else None
            for _ in range(MOST_DONE):
                if walk is None or walk.episode.stage != stage:
                    break
                if not walk.episode.obligations:
                    return walk
                walk = Owing(pilot).settle_one(walk)
        except Lost:
            continue
    return None


def _unarmed(stage: str, walk: Walk | None) -> Doubt:
    remedy = f"let an obligation open with `entered: {stage}` and end only with `left: {stage}`"
    message = f"an episode can stay in {stage} while nothing is owed: nobody would be paged, for ever"
    if walk is None:
        message = f"it could not be shown that something is always owed in {stage}"
    title = f"Something is owed in {stage}"
    scenario = walk and walk.scenario(f"nothing_owed_in_{stage}"[:48], title, basis("armed"), {"owed": "yes"})
    return Doubt(Finding(("stages", stage), message, remedy, about_key=True), scenario)


# Emergency


def emergency(ground: Ground) -> Claim:
    """Imminent danger opens help in the same moment, from every stage."""
    spec, effort = ground.program.spec, Effort()
    helping = _helping(spec)
    duties = tuple(name for name in helping if spec.ladders[spec.obligations[name].ladder].starts == "at_opening")
    proved, walk = _heard(ground, effort, duties)
    if not duties and helping:
        begun = ground.pilot.begin()
        walk = ground.pilot.act(begun, "declare_emergency") if begun is not None else None
    doubts = () if proved else (_no_help(spec, duties or helping, walk),)
    how = (
        f"Every stage × risk, every way to {spec.emergency.at} risk, first and repeated emergencies, "
        f"with {listed(duties)}.{limits(effort)}"
    )
    title = f"From every open stage {spec.emergency.at} risk opens the call for help and pages somebody, at once."
    return Claim("emergency", title, settled(doubts), how, effort.configurations, effort.steps, doubts)


def _helping(spec: ProtocolSpec) -> tuple[str, ...]:
    """Safety obligations of the emergency stage that only an act of help ends."""
    return tuple(
        name
        for name, one in spec.obligations.items()
        if one.concern == "safety"
        and any(trigger.entered == spec.emergency.stage for trigger in one.opens)
        and all(any((part.done, part.reached, part.decided)) for part in one.met_by)
    )


def _heard(ground: Ground, effort: Effort, duties: tuple[str, ...]) -> tuple[bool, Walk | None]:
    """Whether one of the obligations, or all of them together, answer every emergency; else an episode without."""
    stage, walk = ground.program.spec.emergency.stage, None

    def broken(one: Walk) -> bool:
        return _unheard(one, stage, duties)

    for chosen in [*((name,) for name in duties), duties] if duties else []:
        interest = Interest(frozenset({"stage", "risk"}), chosen)
        answer = settle(ground, effort, interest, lambda _, program: _unanswered(program), broken)
        if answer.proved:
            return True, None
        walk = walk or answer.walk
    return False, walk


def _alarmed(before: str, events: tuple[e.Event, ...], spec: ProtocolSpec) -> bool:
    """Whether an emergency began: it entered the stage, or should have."""
    return any(
        (isinstance(one, e.StageEntered) and one.stage == spec.emergency.stage)
        or (
            before != spec.emergency.stage
            and (
                isinstance(one, e.EmergencyDeclared)
                or (isinstance(one, e.RiskRaised) and RANK[one.level] >= RANK[spec.emergency.at])
            )
        )
        for one in events
    )


def _unanswered(program: Program) -> Watch:
    """An alarm after which the episode is not in the emergency stage, or no call for help is owed and paged."""
    stage = program.spec.emergency.stage

    def watch(before: Episode | None, step: MacroStep) -> bool:
        after = step.episode
        here = before.stage if before is not None else program.spec.initial
        if after is None or not _alarmed(here, step.events, program.spec):
            return False
        return after.stage != stage or not any(_paged(one) for one in after.obligations.values())

    return watch


def _paged(owed: OpenObligation) -> bool:
    return owed.rung >= 0


def _unheard(walk: Walk, stage: str, duties: tuple[str, ...]) -> bool:
    """Whether an emergency just began on the protocol itself, and nobody was paged to send help."""
    spec = walk.program.spec
    inside = walk.episode.stage == stage
    entered = any(isinstance(one, e.StageEntered) and one.stage == stage for one in walk.last)
    if not (entered if inside else _alarmed(walk.episode.stage, walk.last, spec)):
        return False
    owed = [one for one in walk.episode.obligations.values() if one.obligation in duties]
    return not inside or not any(map(_paged, owed))


def _no_help(spec: ProtocolSpec, duties: tuple[str, ...], walk: Walk | None) -> Doubt:
    stage = spec.emergency.stage
    path: Path = ("obligations", duties[0], "opens") if duties else ("stages", stage)
    message = f"an emergency can begin, and nobody is paged at once to send help: {listed(duties)} does not do it"
    if walk is None:
        message = f"it could not be shown that every emergency opens {listed(duties)}"
    remedy = f"let the call for help open with `entered: {stage}` alone, every time, with a ladder that starts at once"
    expect: dict[str, object] = {"stage": stage}
    if duties:
        expect |= {"open": {duties[0]: "any"}, "pages": [{"obligation": duties[0]}]}
    scenario = walk and walk.scenario("emergency_unheard", "An emergency is heard", basis("emergency"), expect)
    return Doubt(Finding(path, message, remedy), scenario)


# Attempts


def attempts(ground: Ground) -> Claim:
    """An attempt ends no contact and no safety duty that is not a duty to try."""
    spec, effort, doubts = ground.program.spec, Effort(), list[Doubt]()
    for name, one in spec.obligations.items():
        parties = {part.reached for part in one.met_by if part.reached} | {
            p.attempted for p in one.met_by if p.attempted
        }
        if not parties or one.duty_to_try or not (one.contact or one.concern == "safety"):
            continue
        names = frozenset(f"contact.{party}" for party in parties)
        answer = settle(
            ground,
            effort,
            Interest(names, (name,), blurred=True),
            always_watch(_ended_by_trying),
            lambda walk, key=name: _tried(walk, key),
        )
        if not answer.proved:
            doubts.append(_mere_attempt(name, answer.walk))
    how = f"Every follow-up with every kind of contact and attempt, in every order.{limits(effort)}"
    title = "No follow-up is ended by an attempt, a voicemail or a message."
    return Claim("attempts", title, settled(doubts), how, effort.configurations, effort.steps, tuple(doubts))


def _ended_by_trying(before: Episode | None, step: MacroStep) -> bool:
    command = step.command
    if before is None or not isinstance(command, c.RecordContact) or command.outcome == "reached":
        return False
    return any(isinstance(one, e.ObligationMet) for one in step.events)


def _tried(walk: Walk, name: str) -> bool:
    made = any(isinstance(one, e.ContactAttempted) for one in walk.last)
    return made and any(isinstance(one, e.ObligationMet) and one.obligation == name for one in walk.last)


def _mere_attempt(name: str, walk: Walk | None) -> Doubt:
    message = f"{name} can end although nobody was reached"
    if walk is None:
        message = f"it could not be shown that an attempt never ends {name}"
    remedy = "ask for `reached` in each `met_by`"
    scenario = walk and walk.scenario(
        f"attempt_ends_{name}"[:48], f"An attempt does not end {name}", basis("attempts"), {"open": {name: "any"}}
    )
    return Doubt(Finding(("obligations", name, "met_by"), message, remedy), scenario)


# Closing


def closing(ground: Ground) -> Claim:
    """Nothing is owed any more when an episode has closed."""
    effort, doubts = Effort(), list[Doubt]()
    for name in ground.program.spec.obligations:
        answer = settle(
            ground, effort, Interest(duties=(name,), blurred=True), always_watch(_left_behind), lambda _: False
        )
        if not answer.proved:
            message = f"it could not be shown that an episode never closes while {name} is open"
            doubts.append(
                Doubt(Finding(("obligations", name), message, "tell the maintainers of Holdfast", about_key=True))
            )
    how = f"Every obligation, closing tried in each of its configurations.{limits(effort)}"
    title = "No episode closes while something is owed."
    return Claim("closing", title, settled(doubts), how, effort.configurations, effort.steps, tuple(doubts))


def _left_behind(_before: Episode | None, step: MacroStep) -> bool:
    after = step.episode
    return after is not None and after.closed_at is not None and bool(after.obligations)
