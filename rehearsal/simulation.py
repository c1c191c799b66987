"""One episode tried by hand on a virtual clock: do something, let time pass, take it back, keep it as a scenario.

What is done is an entry of a scenario from the beginning, so that a saved run replays exactly as it went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from protocol.episode import Episode
from protocol.findings import Finding
from protocol.local_time import localized, to_utc
from protocol.program import Program, program
from protocol.spec import ProtocolSpec
from rehearsal.play import Played
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Entry, Opening, Scenario
from rehearsal.script import Cue, ScenarioError, command_of
from rehearsal.timing import until

MOST_ENTRIES = 400
"""As many as a scenario may have."""
NAMES = (
    *("mara", "ben", "sue", "tom", "ana", "leo", "ida", "max", "eva", "jon"),
    *("amy", "sam", "zoe", "kai", "uma", "raj", "liv", "ned", "ray", "kim"),
    *("ivy", "dan", "joy", "abe", "fay", "hal", "gus", "pia", "rex", "val"),
    *("bea", "cal", "dot", "eli", "flo", "guy", "hope", "ike", "jan", "ken"),
)
"""Everybody is fictional."""


class SimulationError(Exception):
    """Something can't be done in the simulation; nothing of it happened. `remedy` says what to do instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def cast_of(spec: ProtocolSpec) -> dict[str, str]:
    """Fictional people by name with their role: one for each, a second one where somebody must sign or take over."""
    second = {next(iter(spec.roles)), *_signing_for_themselves(spec)}
    roles = [*spec.roles, *(role for role in spec.roles if role in second)]
    return dict(zip(NAMES, roles[: len(NAMES)], strict=False))


def _signing_for_themselves(spec: ProtocolSpec) -> set[str]:
    """Roles that may sign what they did: nobody may sign their own act."""
    signed = [(one.roles, one.skip_cosigned_by) for one in spec.steps.values()]
    signed += [(one.roles, one.cosigned_by) for one in spec.decisions.values()]
    return {role for roles, signers in signed for role in roles if role in signers}


class Simulation:
    """An episode under way. Raises SimulationError where something can't be done; then nothing has changed."""

    def __init__(self, spec: ProtocolSpec, starts: datetime, crisis_types: Sequence[str] = ()) -> None:
        """Opens the episode at `starts` (aware; whole seconds)."""
        self.program: Program = program(spec)
        self.zone = ZoneInfo(spec.time_zone)
        self.starts = starts.astimezone(UTC).replace(microsecond=0)
        cast = cast_of(spec)
        by = next(iter(cast))
        opening = Opening(by=by, crisis_types=tuple(crisis_types)) if crisis_types else Opening(by=by)
        placeholder = Entry(at="+1m", wait="yes")
        self._cast = Scenario(
            scenario="simulation",
            title="A simulation",
            protocol=spec.protocol,
            starts=written_time(self.starts, self.zone),
            people=cast,
            open=opening,
            steps=(placeholder,),
        )
        self.played: list[Played] = []
        """The opening and every entry since, with what it brought about."""
        self._stages = [VirtualStage(spec, self._cast)]
        """The stage before the opening and after each entry."""
        self._play(Cue(("open",), opening, self.starts, 0))
        refusal = self.played[0].refusal
        if refusal is not None:
            raise SimulationError(refusal.message, refusal.remedy)

    @property
    def now(self) -> datetime:
        """The virtual moment, aware UTC."""
        return self.played[-1].cue.at

    @property
    def episode(self) -> Episode:
        """The episode as it is now."""
        episode = self.played[-1].episode
        assert episode is not None
        return episode

    @property
    def people(self) -> Mapping[str, str]:
        """Who may act, with the role of each."""
        return self._cast.people

    @property
    def cast(self) -> Scenario:
        """The scenario without its entries."""
        return self._cast

    def do(self, by: str, act: str, fields: Mapping[str, Any]) -> Played:
        """Somebody does something now: `act` and `fields` as an entry of a scenario has them."""
        return self.take({"at": written_time(self.now, self.zone), "by": by, "do": act, **fields})

    def wait(self, written: str) -> Played:
        """Let time pass until a moment as people write it. Raises ValueError for a time that is none."""
        at = until(written, self.now, self.zone, self.episode)
        return self.take({"at": written_time(at, self.zone), "wait": "yes"})

    def undo(self) -> Played:
        """Take back the last entry and say which one it was. The opening can't be taken back."""
        if len(self.played) < 2:
            raise SimulationError("there is nothing to take back", "leave, and begin anew with other options")
        self._stages.pop()
        return self.played.pop()

    def take(self, written: Mapping[str, Any]) -> Played:
        """Do what an entry of a scenario says, at the time that it says."""
        if len(self.played) > MOST_ENTRIES:
            raise SimulationError(f"a scenario has at most {MOST_ENTRIES} entries", "save this one and begin another")
        try:
            entry = Entry.model_validate(written)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
            raise SimulationError(f"{place}: {message}" if place else message, "write it differently") from None
        number = len(self.played)
        return self._play(Cue(("steps", number - 1), entry, to_utc(entry.at, self.zone), number))

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What was done so far, as `take` takes it again."""
        return [one.cue.entry.model_dump(mode="json", exclude_unset=True, exclude_none=True) for one in self.played[1:]]

    def _play(self, cue: Cue) -> Played:
        spec = self.program.spec
        stage = self._stages[-1].fork()
        try:
            command = command_of(spec, self._cast, cue, self.played[-1].episode if self.played else None)
            before = tuple(finished(stage.advance_to(cue.at)))
        except ScenarioError as error:
            raise _of(error.finding) from None
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise SimulationError(str(problem["msg"]), "write it differently") from None
        happened = () if command is None else tuple(finished(stage.submit(command)))
        episode = finished(stage.episode())
        self._stages.append(stage)
        self.played.append(Played(cue, command, before, happened, episode, ()))
        return self.played[-1]


def _of(finding: Finding) -> SimulationError:
    return SimulationError(finding.message, finding.remedy)


def written_time(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as a scenario has it: in local time, or in UTC where the clocks change and local time is not clear."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    try:
        clear = localized(wall, zone) == moment
    except ValueError:
        clear = False
    shown = wall if clear else moment.astimezone(UTC)
    seconds = ":%S" if shown.second else ""
    return shown.strftime(f"%Y-%m-%d %H:%M{seconds}") + ("" if clear else "Z")
