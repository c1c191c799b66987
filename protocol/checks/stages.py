"""The way through the stages: every stage can be reached and left, and always carries a deadline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from protocol.checks.ground import Ground
from protocol.findings import Finding, Path

if TYPE_CHECKING:
    from protocol.conditions import Guard
    from protocol.duties import Obligation, Trigger
    from protocol.spec import Stage


def check_stages(ground: Ground) -> Iterator[Finding]:
    """Kinds, ways, steps in their order, deadlines."""
    yield from _kinds(ground)
    for name, stage in ground.spec.stages.items():
        yield from _closed_is_empty(name, stage) if stage.kind == "closed" else _ways(ground, name, stage)
        yield from _steps(ground, name, stage)
    yield from _order_of_steps(ground)
    yield from _deadlines(ground)


def _kinds(ground: Ground) -> Iterator[Finding]:
    spec = ground.spec
    for kind in ("emergency", "closed"):
        names = [name for name, stage in spec.stages.items() if stage.kind == kind]
        if len(names) != 1:
            found = f"{len(names)} stages are of kind {kind}" if names else f"no stage is of kind {kind}"
            yield Finding(("stages",), found, f"give exactly one stage `kind: {kind}`")
    emergency = spec.stages.get(spec.emergency.stage)
    if emergency is not None and emergency.kind != "emergency":
        message = f"`{spec.emergency.stage}` is not of kind emergency"
        yield Finding(("emergency", "stage"), message, "name the stage with `kind: emergency`, or give it this kind")
    initial = spec.stages.get(spec.initial)
    if initial is not None and initial.kind != "open":
        message = f"an episode can't begin in `{spec.initial}`, which is of kind {initial.kind}"
        yield Finding(("initial",), message, "name an open stage")


def _closed_is_empty(name: str, stage: Stage) -> Iterator[Finding]:
    for key in ("steps", "next", "leave_when"):
        if getattr(stage, key):
            yield Finding(("stages", name, key), f"nothing happens in the closed stage {name}", f"delete `{key}`")


def _ways(ground: Ground, name: str, stage: Stage) -> Iterator[Finding]:
    stages = ground.spec.stages
    if name not in ground.reachable:
        message = f"no way leads to the stage {name}"
        yield Finding(("stages", name), message, "name it in the `next` of another stage, or delete it", about_key=True)
    for position, target in enumerate(stage.next):
        kind = stages[target].kind if target in stages else "open"
        path = ("stages", name, "next", position)
        if target == name:
            yield Finding(path, f"{name} leads to itself", "delete it here")
        elif kind == "closed":
            yield Finding(path, f"`{target}` is entered by closing the episode", "delete it here")
        elif kind == "emergency":
            yield Finding(path, f"`{target}` is entered by declaring an emergency", "delete it here")
    if stage.leave_when is not None and stage.leave_needs is None:
        message = f"{name} can be left only under a condition, and nobody is told which"
        yield Finding(("stages", name), message, "say in `leave_needs` what to do", "warning", about_key=True)
    if stage.next and not any(not stages[one].next for one in _ahead(ground, name) if stages[one].kind == "open"):
        message = f"going forward from {name} never ends"
        remedy = "let one of the later stages be the last, without `next`"
        yield Finding(("stages", name, "next"), message, remedy, "warning")


def _ahead(ground: Ground, start: str) -> set[str]:
    """Stages that can follow a stage."""
    stages = ground.spec.stages
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for target in stages[ahead.pop()].next:
            if target in stages and target not in found:
                found.add(target)
                ahead.append(target)
    return found


def _steps(ground: Ground, name: str, stage: Stage) -> Iterator[Finding]:
    placed: set[str] = set()
    for position, one in enumerate(stage.steps):
        if one.step in placed:
            path = ("stages", name, "steps", position)
            yield Finding(path, f"`{one.step}` stands in {name} twice", "delete one of them")
        placed.add(one.step)
    required = [(("stages", name, "steps", n), one.step) for n, one in enumerate(stage.steps) if one.required]
    for key, crisis_type in ground.spec.crisis_types.items():
        added = crisis_type.adds.get(name, ())
        required += [(("crisis_types", key, "adds", name, n), step) for n, step in enumerate(added)]
        if added and stage.kind == "closed":
            yield Finding(("crisis_types", key, "adds", name), f"{name} is the closed stage", "add the steps elsewhere")
    for path, step in required:
        yield from _waits_in_vain(ground, name, path, step)


def _waits_in_vain(ground: Ground, name: str, path: Path, step: str) -> Iterator[Finding]:
    """A required step must not wait for one that can't have been done by then."""
    spec = ground.spec
    before = {other for other in spec.stages if name in _ahead(ground, other)} | {name}
    if spec.stages[name].kind == "emergency":
        before = {name}
    placed = {one.step for stage in before for one in spec.stages[stage].steps}
    for other in spec.steps[step].after if step in spec.steps else ():
        if other in spec.steps and other not in placed and not spec.steps[other].any_stage:
            message = f"`{step}` waits for `{other}`, which can't be done before {name} ends"
            if spec.stages[name].kind == "emergency":
                message = f"`{step}` belongs to the emergency and waits for `{other}` of another stage"
            yield Finding(path, message, f"place `{other}` in {name}, or remove it from `after`")


def _order_of_steps(ground: Ground) -> Iterator[Finding]:
    steps = ground.spec.steps
    for name in steps:
        seen: set[str] = set()
        ahead = list(steps[name].after)
        while ahead:
            other = ahead.pop()
            if other in steps and other not in seen:
                seen.add(other)
                ahead.extend(steps[other].after)
        if name in seen:
            message = f"`{name}` waits for itself, directly or through another step"
            yield Finding(("steps", name, "after"), message, "remove one of the steps from `after`")


def _deadlines(ground: Ground) -> Iterator[Finding]:
    """Entering a stage arms a deadline that stays until the stage is left."""
    spec = ground.spec
    for name, stage in spec.stages.items():
        if stage.kind == "closed":
            continue
        armed = [
            (key, one) for key, obligation in spec.obligations.items() for one in _armed(ground, name, obligation, key)
        ]
        path = ("stages", name)
        if not armed:
            message = f"nothing is owed while an episode is in {name}: it could stay there unseen"
            remedy = f"add an obligation with `opens: [{{entered: {name}}}]` and `met_by: [{{left: {name}}}]`"
            yield Finding(path, message, remedy, about_key=True)
        elif not _always(ground, [trigger.when for _, trigger in armed]):
            message = f"whether anything is owed in {name} depends on a condition"
            remedy = f"let one obligation open with `entered: {name}` alone"
            yield Finding(path, message, remedy, about_key=True)
        elif not any(_lasts(name, key, spec.obligations[key]) for key, _ in armed):
            message = f"what is owed in {name} may be done long before the stage is left, and then nothing is owed"
            remedy = f"add an obligation that is met by `left: {name}`"
            yield Finding(path, message, remedy, "warning", about_key=True)
        if stage.kind == "emergency" and not any(_pages_at_once(ground, key) for key, _ in armed):
            message = "nobody is paged at the moment an emergency begins"
            remedy = f"give an obligation of {name} a ladder with `starts: at_opening`"
            yield Finding(path, message, remedy, about_key=True)


def _armed(ground: Ground, stage: str, obligation: Obligation, name: str) -> Iterator[Trigger]:
    """Triggers that fire on entering a stage."""
    for trigger in obligation.opens:
        opening = stage == ground.spec.initial and trigger.event == "episode_opened"
        if trigger.entered == stage or opening:
            yield trigger


def _always(ground: Ground, guards: Iterable[Guard | None]) -> bool:
    """Whether at least one of the guards holds in every case, as far as that can be told."""
    conditions = [guard for guard in guards if guard is not None]
    if len(conditions) < len(list(guards)):
        return True
    space = ground.space(*(guard.condition for guard in conditions))
    if space is None:
        return True
    covered = 0
    for guard in conditions:
        covered |= space.holds(guard)
    return covered == space.full


def _lasts(stage: str, name: str, obligation: Obligation) -> bool:
    """Whether it stays owed until the stage is left, or opens again each time it is met, without end."""
    opens_again = obligation.at_most is None and any(trigger.met == name for trigger in obligation.opens)
    return opens_again or any(evidence.left == stage for evidence in obligation.met_by)


def _pages_at_once(ground: Ground, obligation: str) -> bool:
    ladder = ground.spec.ladders.get(ground.spec.obligations[obligation].ladder)
    return ladder is not None and ladder.starts == "at_opening"
