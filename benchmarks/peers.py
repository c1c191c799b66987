"""The same chart in other engines. Each gives a function that plays so many rounds and returns the seconds it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.chart import Record

Play = Callable[[int], float]
OPEN = ("assessment", "coping", "follow_up")


def _did_the_same(record: Record, rounds: int) -> None:
    """The engine played what we play: the same stage, the same obligations opened as often."""
    episode = record.episode
    assert episode.stage == "assessment"
    assert episode.tallies["contact"].opened % rounds == 0
    assert list(episode.obligations) == [f"finish-{episode.tallies['contact'].opened + 1}"]


def bare_trigger() -> Play:
    """A `transitions` machine of two states that does nothing: four triggers stand for a round."""
    from transitions import Machine

    class Model:
        pass

    model: Any = Model()
    machine = Machine(model, states=["a", "b"], initial="a")
    machine.add_transition("go", "a", "b")
    machine.add_transition("go", "b", "a")

    def play(rounds: int) -> float:
        begun = time.process_time()
        for _ in range(4 * rounds):
            model.go()
        return time.process_time() - begun

    return play


def same_in_transitions() -> Play:
    """The chart in `transitions` itself, with guard and hooks."""
    from transitions import Machine

    model: Any = Record()
    states = [*OPEN, "emergency_response", "closed"]
    machine = Machine(model, states=states, initial="assessment", auto_transitions=False)
    machine.add_transition("screened", "assessment", None, after="screen")
    machine.add_transition("advance", "assessment", "follow_up", conditions="may_leave")
    machine.add_transition("reached", "follow_up", None, after="reach")
    for stage in OPEN:
        others = [other for other in (*OPEN, "emergency_response") if other != stage]
        machine.add_transition(f"back_to_{stage}", others, stage)
    machine.add_transition("declare_emergency", list(OPEN), "emergency_response")
    machine.add_transition("close", [*OPEN, "emergency_response"], "closed")
    machine.on_enter_follow_up(lambda: model.enter("follow_up"))
    machine.on_enter_assessment(lambda: model.enter("assessment", "more to do"))

    def play(rounds: int) -> float:
        begun = time.process_time()
        for _ in range(rounds):
            model.screened()
            model.advance()
            model.reached()
            model.back_to_assessment()
        seconds = time.process_time() - begun
        _did_the_same(model, rounds)
        return seconds

    return play


def python_statemachine() -> Play:
    """The chart in python-statemachine."""
    from statemachine import State, StateMachine

    class Chart(StateMachine):
        assessment = State(initial=True)
        coping = State()
        follow_up = State()
        emergency_response = State()
        closed = State(final=True)
        screened = assessment.to.itself(internal=True, on="screen")
        advance = assessment.to(follow_up, cond="may_leave") | coping.to(follow_up)
        reached = follow_up.to.itself(internal=True, on="reach")
        back_to_assessment = assessment.from_(coping, follow_up, emergency_response)
        back_to_coping = coping.from_(assessment, follow_up, emergency_response)
        back_to_follow_up = follow_up.from_(assessment, coping, emergency_response)
        declare_emergency = emergency_response.from_(assessment, coping, follow_up)
        close = closed.from_(assessment, coping, follow_up, emergency_response)

        def __init__(self) -> None:
            self.record = Record()
            self.begun = False
            super().__init__()
            self.begun = True

        def screen(self) -> None:
            self.record.screen()

        def may_leave(self) -> bool:
            return self.record.may_leave()

        def reach(self) -> None:
            self.record.reach()

        def on_enter_follow_up(self) -> None:
            self.record.enter("follow_up")

        def on_enter_assessment(self) -> None:
            if self.begun:
                self.record.back()

    chart: Any = Chart()

    def play(rounds: int) -> float:
        begun = time.process_time()
        for _ in range(rounds):
            for event in ("screened", "advance", "reached", "back_to_assessment"):
                chart.send(event)
        seconds = time.process_time() - begun
        _did_the_same(chart.record, rounds)
        return seconds

    return play


SISMIC_CHART = """
statechart:
  name: chart
  root state:
    name: root
    initial: assessment
    states:
      - name: assessment
        transitions:
          - {event: screened, action: record.screen()}
          - {event: advance, guard: record.may_leave(), target: follow_up}
          - {event: back_to_coping, target: coping}
          - {event: declare_emergency, target: emergency_response}
          - {event: close, target: closed}
      - name: coping
        transitions:
          - {event: advance, target: follow_up}
          - {event: back_to_assessment, target: assessment, action: record.back()}
          - {event: declare_emergency, target: emergency_response}
          - {event: close, target: closed}
      - name: follow_up
        on entry: record.enter('follow_up')
        transitions:
          - {event: reached, action: record.reach()}
          - {event: back_to_assessment, target: assessment, action: record.back()}
          - {event: back_to_coping, target: coping}
          - {event: declare_emergency, target: emergency_response}
          - {event: close, target: closed}
      - name: emergency_response
        transitions:
          - {event: advance, target: follow_up}
          - {event: close, target: closed}
      - name: closed
        type: final
"""


def sismic() -> Play:
    """The chart in sismic."""
    from sismic.interpreter import Interpreter
    from sismic.io import import_from_yaml

    record = Record()
    interpreter = Interpreter(import_from_yaml(SISMIC_CHART), initial_context={"record": record})
    interpreter.execute()

    def play(rounds: int) -> float:
        begun = time.process_time()
        for _ in range(rounds):
            for event in ("screened", "advance", "reached", "back_to_assessment"):
                interpreter.queue(event).execute()
        seconds = time.process_time() - begun
        _did_the_same(record, rounds)
        return seconds

    return play


ROUNDS_OF_A_WORKFLOW = 5


def spiff_workflow() -> Play:
    """The chart in SpiffWorkflow: a chain of a few rounds, since its token never walks back; building is not timed."""
    from SpiffWorkflow import TaskState, Workflow
    from SpiffWorkflow.operators import Operator
    from SpiffWorkflow.specs.ExclusiveChoice import ExclusiveChoice
    from SpiffWorkflow.specs.Simple import Simple
    from SpiffWorkflow.specs.WorkflowSpec import WorkflowSpec

    class Act(Simple):
        def __init__(self, spec: Any, name: str, act: Callable[[Record], None]) -> None:
            super().__init__(spec, name, manual=True)
            self.act = act

        def _run_hook(self, my_task: Any) -> bool:
            self.act(my_task.workflow.record)
            return True

    class MayLeave(Operator):
        def _matches(self, task: Any) -> bool:
            return task.workflow.record.may_leave()

    spec: Any = WorkflowSpec("chart", addstart=True)
    last: Any = spec.start
    stuck = Simple(spec, "stuck")
    for number in range(ROUNDS_OF_A_WORKFLOW):
        screen = Act(spec, f"screen{number}", Record.screen)
        choice = ExclusiveChoice(spec, f"choice{number}")
        advance = Act(spec, f"advance{number}", lambda record: record.enter("follow_up"))
        reach = Act(spec, f"reach{number}", Record.reach)
        back = Act(spec, f"back{number}", Record.back)
        last.connect(screen)
        screen.connect(choice)
        choice.connect(stuck)
        choice.connect_if(MayLeave(None), advance)
        advance.connect(reach)
        reach.connect(back)
        last = back

    def ready() -> Any:
        workflow: Any = Workflow(spec)
        workflow.record = Record()
        workflow.run_all()
        return workflow

    def play(rounds: int) -> float:
        workflows = [ready() for _ in range(-(-rounds // ROUNDS_OF_A_WORKFLOW))]
        begun = time.process_time()
        for workflow in workflows:
            for _ in range(4 * ROUNDS_OF_A_WORKFLOW):
                workflow.get_next_task(state=TaskState.READY, manual=True).run()
                workflow.run_all()
        seconds = time.process_time() - begun
        assert all(workflow.is_completed() for workflow in workflows)
        _did_the_same(workflows[0].record, ROUNDS_OF_A_WORKFLOW)
        return seconds * rounds / (len(workflows) * ROUNDS_OF_A_WORKFLOW)

    return play
