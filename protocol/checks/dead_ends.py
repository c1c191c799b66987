"""What can't be left, done or closed although it looks as if it could, and an emergency that sends nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from protocol.checks.ground import Ground
from protocol.conditions import tests_in
from protocol.duties import Evidence, Obligation
from protocol.findings import Finding
from protocol.spec import LEVELS, RANK, ProtocolSpec, Requirement
from protocol.vocabulary import INSTRUMENT_STATES, OBLIGATION_STATES

Allowed = Mapping[str, Collection[str | None]]

CALM = "moderate"
"""An episode that may close only above this level would have to end in danger."""
OWED = ("open", "overdue")


def check_dead_ends(ground: Ground) -> Iterator[Finding]:
    """Conditions seen where they stand: in their stage, at closing, in an emergency."""
    for name, stage in ground.spec.stages.items():
        if stage.kind == "closed":
            continue
        here = while_in(ground, name)
        if stage.leave_when is not None and not ground.may_hold(stage.leave_when, here):
            message = f"{name} can never be left: this can't hold while an episode is in {name}"
            yield Finding(("stages", name, "leave_when"), message, "ask for something that can be done in this stage")
        for position, one in enumerate(stage.steps):
            if one.when is not None and not ground.may_hold(one.when, {"stage": (name,)}):
                message = f"`{one.step}` never belongs to {name}: this can't hold while an episode is there"
                remedy = "a step's `when` is seen in its own stage; mend it, or place the step in the stage it names"
                yield Finding(("stages", name, "steps", position, "when"), message, remedy)
    yield from _help(ground.spec)
    for name, requirement in ground.spec.closing.requires.items():
        yield from _closing(ground, name, requirement)
    yield from _taking_over(ground.spec)
    yield from _lowering(ground)


def _taking_over(spec: ProtocolSpec) -> Iterator[Finding]:
    if not spec.owning_roles:
        message = "nobody may take over an episode: no role is licensed, and `owners` is left out"
        yield Finding(("roles",), message, "write `owners` with the roles in which somebody may own an episode")


def _lowering(ground: Ground) -> Iterator[Finding]:
    """An unfinished screen counts as positive, so a level must not wait for one to be lowered."""
    guard = ground.spec.risk.lowering.requires
    if guard is None:
        return
    for test in tests_in(guard.condition):
        if test.name.endswith(".status") and not ground.may_hold(guard, {test.name: INSTRUMENT_STATES[2:]}):
            message = f"a level can be lowered only while {test.name.removesuffix('.status')} is not complete"
            yield Finding(("risk", "lowering", "requires"), message, f"ask for `{test.name}: complete`")


def while_in(ground: Ground, stage: str) -> Allowed:
    """What names can be while an episode is in a stage that it has not yet left forward."""
    spec = ground.spec
    doable = _doable_by_then(spec, stage)
    steps = {f"step.{name}": _step_states(spec, name, doable) for name in spec.steps}
    limits = {f"obligation.{name}": OWED for name, one in spec.obligations.items() if _lasts_exactly(one, stage)}
    return {"stage": (stage,), **steps, **limits}


def _doable_by_then(spec: ProtocolSpec, stage: str) -> set[str]:
    """Steps of this stage and of those that can be entered without leaving it forward."""
    found: set[str] = set()
    ahead = [spec.initial, spec.emergency.stage, stage]
    while ahead:
        name = ahead.pop()
        if name in spec.stages and name not in found:
            found.add(name)
            ahead.extend(spec.stages[name].next if name != stage else ())
    placed = {one.step for name in found for one in spec.stages[name].steps}
    added = {step for kind in spec.crisis_types.values() for name in found for step in kind.adds.get(name, ())}
    return placed | added | {name for name, step in spec.steps.items() if step.any_stage}


def _step_states(spec: ProtocolSpec, step: str, doable: set[str]) -> tuple[str, ...]:
    if step not in doable:
        return ("open",)
    return ("open", "done", "skipped") if spec.steps[step].skip_cosigned_by else ("open", "done")


def _lasts_exactly(obligation: Obligation, stage: str) -> bool:
    """Opened on entering the stage, and ended by leaving it and by nothing else."""
    opened = any(one.entered == stage and one.when is None for one in obligation.opens)
    return opened and not obligation.waived_by and all(one.left == stage for one in obligation.met_by)


def _help(spec: ProtocolSpec) -> Iterator[Finding]:
    """Entering the emergency stage owes an act of help: something done, somebody reached, a decision."""
    stage = spec.emergency.stage
    if stage not in spec.stages:
        return
    owed = [
        one
        for one in spec.obligations.values()
        if one.concern == "safety" and any(trigger.entered == stage for trigger in one.opens)
    ]
    if not any(all(map(_is_help, one.met_by)) for one in owed):
        message = f"entering {stage} obliges nobody to send help: what is owed there ends without an act"
        remedy = (
            f"add a safety obligation with `opens: [{{entered: {stage}}}]` that only a step, a contact or a decision "
            "ends, such as calling the responder"
        )
        yield Finding(("stages", stage), message, remedy, about_key=True)


def _is_help(evidence: Evidence) -> bool:
    return any((evidence.done, evidence.reached, evidence.decided))


def _closing(ground: Ground, name: str, requirement: Requirement) -> Iterator[Finding]:
    """A requirement is seen at the end, when nothing is owed and everything is signed; it must not ask for danger."""
    path = ("closing", "requires", name, "when")
    guard = requirement.when
    settled = tuple(state for state in OBLIGATION_STATES if state not in OWED)
    end: dict[str, Collection[str | None]] = {f"obligation.{one}": settled for one in ground.spec.obligations}
    end |= {"cosignature": ("none",)}
    if not ground.may_hold(guard, end):
        message = f"`{name}` can't hold when an episode closes: nothing may be owed or unsigned then"
        yield Finding(path, message, "ask that the obligation was met, not that it is open")
        return
    calm = [level for level in LEVELS if RANK[level] <= RANK[CALM]]
    if not ground.may_hold(guard, {**end, "risk": calm}):
        message = f"`{name}` lets an episode close only while the risk is above {CALM}"
        yield Finding(path, message, f"turn it round, such as `risk: {{at_most: {CALM}}}`")
    for test in tests_in(guard.condition):
        if test.name.startswith("step.") and not ground.may_hold(guard, {**end, test.name: ("done", "skipped")}):
            step = test.name.removeprefix("step.")
            message = f"`{name}` lets an episode close only while {step} is not done"
            yield Finding(path, message, f"ask for `{test.name}: done`")
        elif test.name.endswith(".status") and not ground.may_hold(guard, {**end, test.name: INSTRUMENT_STATES[2:]}):
            message = f"`{name}` lets an episode close only while {test.name.removesuffix('.status')} is not complete"
            yield Finding(path, message, f"ask for `{test.name}: complete`")
