"""Claims about ways: stages can be reached and left for a closed one, duties can be ended, facts come first."""

from __future__ import annotations

from collections.abc import Iterator

from proof.claims.common import Ground
from proof.ending import close
from proof.pilot import Lost, Pilot
from proof.verdicts import Claim, Doubt, settled
from proof.walk import Walk
from protocol.conditions import Guard, tests_in
from protocol.findings import Finding, Path
from protocol.spec import ProtocolSpec
from rehearsal.scenario import Scenario

BASIS = "A counterexample found by the proof ({}): it fails until the protocol is mended."


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    yield reachable(ground)
    yield closable(ground)
    yield endable(ground)
    yield asked_before(ground.program.spec)


def reachable(ground: Ground) -> Claim:
    """A way to each stage was walked on the core."""
    spec, doubts = ground.program.spec, list[Doubt]()
    stages = [name for name, stage in spec.stages.items() if stage.kind != "closed"]
    for stage in stages:
        if _way_to(ground.pilot, stage) is None:
            doubts.append(_unreached(ground.pilot, stage))
    how = (
        f"A way to each of the {len(stages)} stages was walked on the core; finding one is proof, finding none is not."
    )
    return Claim("reachable", "Every stage can be reached.", settled(doubts), how, len(stages), 0, tuple(doubts))


def _way_to(pilot: Pilot, stage: str) -> Walk | None:
    try:
        walk = pilot.begin()
        return pilot.go_to(walk, stage) if walk is not None else None
    except Lost:
        return None


def _unreached(pilot: Pilot, stage: str) -> Doubt:
    """The stage before is where it fails: there a scenario tries to go on."""
    spec = pilot.spec
    message = f"no way to the stage {stage} was found"
    remedy = f"mend what the stages before {stage} ask for, or name it in their `next`"
    for before, written in spec.stages.items():
        if stage in written.next and (there := _way_to(pilot, before)) is not None:
            stuck = _stuck(pilot, there, stage)
            if stuck is not None:
                message = f"{before} can't be left for {stage} by anything that was tried: {_asks(spec, before)}"
                return Doubt(Finding(("stages", before, "leave_when"), message, remedy, about_key=True), stuck)
    return Doubt(Finding(("stages", stage), message, remedy, about_key=True))


def _asks(spec: ProtocolSpec, stage: str) -> str:
    return spec.stages[stage].leave_needs or "its required steps can't be completed"


def _stuck(pilot: Pilot, walk: Walk, stage: str) -> Scenario | None:
    """A scenario that does all it can and then expects to go on."""
    for step in pilot.program.missing_steps(walk.episode):
        try:
            done = pilot.complete(walk, step)
        except Lost:
            return None
        walk = done if done is not None and done.episode.stage == walk.episode.stage else walk
    try:
        walk = pilot.achieve(walk, pilot.spec.stages[walk.episode.stage].leave_when) or walk
    except Lost:
        return None
    by = pilot.cast.owner
    if walk.tried("advance", by, to=stage).refusal is None:
        return None
    return walk.refused(
        "advance",
        by,
        {"stage": stage},
        f"stuck_before_{stage}",
        f"One can go on to {stage}",
        BASIS.format("reachable"),
        to=stage,
    )


def closable(ground: Ground) -> Claim:
    """From each stage an episode was led to its end."""
    spec, doubts = ground.program.spec, list[Doubt]()
    stages = [name for name, stage in spec.stages.items() if stage.kind != "closed"]
    used: set[str] = set()
    for stage in stages:
        if _way_to(ground.pilot, stage) is None:
            continue
        found = _end(ground.pilot, stage)
        used |= {found} if found is not None else set()
        if found is None:
            message = f"no way was found to close an episode that is in {stage}"
            remedy = "look at `closing.requires` and at the obligations that open there: one of them can't be ended"
            doubts.append(Doubt(Finding(("stages", stage), message, remedy, about_key=True)))
    for outcome in spec.closing.outcomes:
        if outcome not in used and not _closes(ground.pilot, spec.initial, outcome):
            message = f"no way was found to end an episode as {outcome}"
            finding = Finding(
                ("closing", "outcomes", outcome), message, "mend what it requires, or delete it", about_key=True
            )
            doubts.append(Doubt(finding))
    how = f"From each of {len(stages)} stages an episode was led to its end on the core, and to each way of ending."
    title = "From every stage an episode can be closed."
    return Claim("closable", title, settled(doubts), how, len(stages), 0, tuple(doubts))


def _end(pilot: Pilot, stage: str) -> str | None:
    """The first outcome with which an episode in a stage could be closed."""
    return next((outcome for outcome in pilot.spec.closing.outcomes if _closes(pilot, stage, outcome)), None)


def _closes(pilot: Pilot, stage: str, outcome: str) -> bool:
    try:
        walk = _way_to(pilot, stage)
        return walk is not None and close(pilot, walk, outcome) is not None
    except Lost:
        return False


def endable(ground: Ground) -> Claim:
    """Every obligation was opened and ended on the core."""
    spec, doubts = ground.program.spec, list[Doubt]()
    for name in spec.obligations:
        opened, ended = _life(ground.pilot, name)
        if opened is None:
            message = f"no way was found to open {name}"
            doubts.append(Doubt(Finding(("obligations", name, "opens"), message, "mend its triggers, or delete it")))
        elif ended is None:
            message = f"{name} was opened, and no way was found to end it"
            doubts.append(Doubt(Finding(("obligations", name, "met_by"), message, "name evidence that can come about")))
    how = f"Each of {len(spec.obligations)} obligations was opened and ended on the core."
    title = "No dead end: whatever is owed can be done."
    return Claim("endable", title, settled(doubts), how, len(spec.obligations), 0, tuple(doubts))


def _life(pilot: Pilot, name: str) -> tuple[Walk | None, Walk | None]:
    owing = pilot.owing
    try:
        walk = pilot.begin()
        opened = owing.open(walk, name) if walk is not None else None
        return opened, opened and (owing.meet(opened, name) or owing.waive(opened, name))
    except Lost:
        return None, None


# Facts are asked before they are read


def asked_before(spec: ProtocolSpec) -> Claim:
    """What a stage reads was asked in it, before it, or may be asked anywhere."""
    doubts = [
        Doubt(Finding((*path, fact), f"`{fact}` is read in {stage} and asked nowhere before", remedy), certain=True)
        for stage in spec.stages
        for path, fact in _read_in(spec, stage)
        if fact not in _asked_until(spec, stage)
        for remedy in (f"ask for it in a step of {stage} or of a stage before it",)
    ]
    title = "Every fact is asked before something in its stage reads it."
    how = "Every condition for leaving a stage, for a step in it, and every refusal, against the steps until then."
    return Claim("asked_before", title, settled(doubts), how, 0, 0, tuple(doubts))


def _read_in(spec: ProtocolSpec, stage: str) -> Iterator[tuple[Path, str]]:
    written = spec.stages[stage]
    places: list[tuple[Path, Guard | None]] = [(("stages", stage, "leave_when"), written.leave_when)]
    places += [(("stages", stage, "steps", n, "when"), one.when) for n, one in enumerate(written.steps)]
    own = {one.step for one in written.steps}
    places += [
        (("refusals", name, "act", "when"), one.act.when) for name, one in spec.refusals.items() if one.act.done in own
    ]
    for path, guard in places:
        yield from ((path, fact) for fact in sorted(_facts_in(spec, guard)))


def _facts_in(spec: ProtocolSpec, guard: Guard | None) -> set[str]:
    return {test.name for test in tests_in(guard.condition) if test.name in spec.facts} if guard is not None else set()


def _asked_until(spec: ProtocolSpec, stage: str) -> set[str]:
    """Facts of steps that may be done before this stage is left, of contacts, and of steps allowed everywhere."""
    if spec.stages[stage].kind == "emergency":
        return set(spec.facts)
    before = {name for name in spec.stages if stage in _ahead(spec, name)} | {stage}
    before |= {spec.emergency.stage} if stage in _ahead(spec, spec.emergency.stage) else set()
    steps = {one.step for name in before for one in spec.stages[name].steps}
    steps |= {step for kind in spec.crisis_types.values() for name in before for step in kind.adds.get(name, ())}
    steps |= {name for name, step in spec.steps.items() if step.any_stage}
    facts = {fact for party in spec.parties.values() for fact in party.on_reached}
    for name in steps & spec.steps.keys():
        step = spec.steps[name]
        facts |= {*step.form, *step.optional, *step.sets}
        for instrument in step.instruments:
            facts |= {item.fact for item in spec.instruments[instrument].items}
            facts |= {score for score in (spec.instruments[instrument].score,) if score}
    return facts


def _ahead(spec: ProtocolSpec, start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for name in spec.stages[ahead.pop()].next:
            if name not in found:
                found.add(name)
                ahead.append(name)
    return found
