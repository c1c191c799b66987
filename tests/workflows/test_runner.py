"""A result that comes before its task is refused; everything else passes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from workflows.runner import GuardedRunner, GuardedSandbox, OutOfTimeError, guarded, workflow_runner

START = datetime(2026, 12, 1, tzinfo=UTC)


def activation(second: int, job: str, *, replaying: bool = False) -> WorkflowActivation:
    act = WorkflowActivation(is_replaying=replaying)
    act.timestamp.FromDatetime(START + timedelta(seconds=second))
    getattr(act.jobs.add(), job).SetInParent()
    return act


def passed(*acts: WorkflowActivation) -> int:
    seen: list[Any] = []
    checked = guarded(lambda act: seen.append(act))  # type: ignore[arg-type, return-value]
    for act in acts:
        checked(act)
    return len(seen)


@pytest.mark.parametrize("result", ["fire_timer", "resolve_activity"])
def test_a_new_result_with_the_time_of_an_earlier_task_is_refused(result: str):
    with pytest.raises(OutOfTimeError):
        passed(activation(1, "do_update"), activation(1, result))
    assert passed(activation(1, "do_update"), activation(2, result)) == 2


def test_queries_commands_and_replays_pass():
    assert passed(activation(1, "initialize_workflow"), activation(1, "query_workflow")) == 2
    assert passed(activation(1, "do_update"), activation(1, "remove_from_cache")) == 2
    old = activation(1, "fire_timer", replaying=True)
    assert passed(old, old) == 2


def test_both_runners_are_guarded():
    assert isinstance(workflow_runner(sandbox=False), GuardedRunner)
    assert isinstance(workflow_runner(sandbox=True), GuardedSandbox)


def test_an_activation_waits_for_the_one_before():
    under_way, go_on, seen = Event(), Event(), list[str]()

    def activate(act: WorkflowActivation) -> WorkflowActivationCompletion:
        job = act.jobs[0].WhichOneof("variant") or ""
        seen.append(f"{job} begins")
        if job == "do_update":
            under_way.set()
            assert go_on.wait(10)
        seen.append(f"{job} ends")
        return WorkflowActivationCompletion()

    checked = guarded(activate)
    with ThreadPoolExecutor(2) as threads:
        threads.submit(checked, activation(1, "do_update"))
        assert under_way.wait(10)
        eviction = threads.submit(checked, activation(1, "remove_from_cache"))
        with pytest.raises(TimeoutError):
            eviction.result(0.1)
        go_on.set()
        eviction.result(10)
    assert seen == ["do_update begins", "do_update ends", "remove_from_cache begins", "remove_from_cache ends"]
