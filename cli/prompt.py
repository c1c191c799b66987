"""The prompt of `holdfast protocol simulate`: shows the episode, offers what can be done, takes one line after another.

It reads lines and prints lines; what happens is decided by the simulation alone.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

from cli.face import duties_of
from cli.output import say, say_json
from cli.tables import table
from protocol.chronicle import Happened
from protocol.findings import did_you_mean
from protocol.local_time import show_span, show_time
from protocol.words import NO_BREAK, Words, person
from protocol_specs.writing import yaml_text
from rehearsal.keeping import as_scenario
from rehearsal.menu import Ask, Choice, menu
from rehearsal.play import Played
from rehearsal.simulation import Simulation, SimulationError
from rehearsal.timing import EXAMPLES
from rehearsal.transcript import Teller

HELP = f"""  a number         do what the menu offers under it
  more             also show what is possible but not waited for
  a time           let time pass: {EXAMPLES}
  as NAME          act as this person from now on; `people` lists them
  undo             take back the last thing, or the last time that passed
  save NAME        keep the run as a scenario; `holdfast protocol test` replays it
  show             show the episode and the menu again
  quit             leave

Within a form: an empty line leaves a question out (or keeps what is known), `rest` leaves out all that may be,
`cancel` goes back to the menu. `unknown` takes an answer back, `refused` says that the client refused."""

Reader = Callable[[str], str | None]
"""Shows a prompt and gives one line without its end; None when there is no more."""


class _Left(Exception):
    """A form was left without doing anything."""


def read_silently(_shown: str) -> str | None:
    """A line of what is piped in, for machines."""
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def read_line(shown: str) -> str | None:
    """A line from the terminal, or from what is piped in; that is shown, so that a session reads as one."""
    if sys.stdin.isatty():
        try:
            return input(shown)
        except EOFError:
            return None
    line = read_silently(shown)
    if line is not None:
        say(f"{shown}{line}")
    return line


class Prompt:
    """One session. `folder` is where `save` puts scenarios."""

    def __init__(self, simulation: Simulation, folder: Path, read: Reader, *, as_json: bool = False) -> None:
        self.simulation = simulation
        self.folder = folder
        self.unsaved = False
        self._read, self._as_json = read, as_json
        self._words = Words(simulation.program.spec)
        self._teller = Teller(self._words)
        self._actor = next(iter(simulation.people))
        self._mine: set[Path] = set()
        self._commands: dict[str, Callable[[str], None]] = {
            "help": lambda _: self._say(HELP),
            "more": lambda _: self._show_menu(everything=True),
            "show": lambda _: self.show(),
            "people": lambda _: self._show_people(),
            "undo": lambda _: self._undo(),
            "as": self._act_as,
            "save": self.save,
        }

    def run(self) -> None:
        """Until `quit`, the end of the input, or Ctrl-C."""
        self._tell(self.simulation.played[0])
        self.show()
        while True:
            try:
                line = self._read("> ")
            except KeyboardInterrupt:
                return
            if line is None or line.strip() in ("quit", "exit", "q"):
                return
            self._obey(line.strip())

    def _obey(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        try:
            if not line:
                self.show()
            elif line.isdecimal():
                self._choose(int(line))
            elif word in self._commands:
                self._commands[word](rest.strip())
            elif near := get_close_matches(word.lower(), [*self._commands, "quit"], 1, 0.7):
                raise SimulationError(f"{word[:40]} is no command", f"did you mean `{near[0]}`?")
            else:
                self._after(self.simulation.wait(line))
        except SimulationError as error:
            self._complain(str(error), error.remedy)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            self._complain(message, f"{remedy}; `help` says what else can be written")
        except (_Left, KeyboardInterrupt):
            self._say("Nothing was done.")

    def _complain(self, message: str, remedy: str) -> None:
        if self._as_json:
            say_json({"error": message, "remedy": remedy})
        else:
            say(f"! {message}\n  → {remedy}")

    def _say(self, text: str) -> None:
        if self._as_json:
            say_json({"said": text})
        else:
            say(text)

    def _choose(self, number: int) -> None:
        choices = menu(self.simulation.program, self.simulation.episode)
        if not 1 <= number <= len(choices):
            raise SimulationError(f"there is no {number} in the menu", f"choose 1 to {len(choices)}; `more` shows all")
        choice = choices[number - 1]
        fields = dict(choice.fields)
        facts: dict[str, str] = {}
        for ask, answer in self._answers(choice.asks):
            if ask.is_fact:
                facts[ask.name] = answer
            elif ask.name == "facts":
                facts |= _pairs(answer)
            else:
                fields[ask.name] = int(answer) if ask.name == "refers_to" and answer.isdecimal() else answer
        if facts:
            fields["facts"] = facts
        self._after(self.simulation.do(self._who(choice), choice.act, fields))

    def _answers(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, str]]:
        resting = False
        for ask in asks:
            if resting and not ask.needed:
                continue
            answer = self._answer(ask)
            if answer == "rest":
                resting = True
                answer = self._answer(ask) if ask.needed else ""
            if answer:
                yield ask, answer

    def _answer(self, ask: Ask) -> str:
        known = f" (known: {ask.known})" if ask.known else ""
        while True:
            line = self._read(f"  {ask.question} [{ask.answer_with}]{known} ")
            if line is None or line.strip() == "cancel":
                raise _Left
            answer = line.strip()
            if answer == "rest" or (not answer and not ask.needed):
                return answer
            if answer and (not ask.values or answer in ask.values):
                return answer
            self._say(f"  ! {'an answer is needed' if not answer else f'{answer[:40]} is none'}: {ask.answer_with}")

    def _who(self, choice: Choice) -> str:
        """The person chosen with `as` where they may, else the first who may."""
        people = self.simulation.people
        if choice.person:
            return choice.person
        if not choice.roles or people[self._actor] in choice.roles:
            return self._actor
        return next((name for name, role in people.items() if role in choice.roles), self._actor)

    def _after(self, played: Played) -> None:
        self.unsaved = True
        self._tell(played)
        self.show()

    def _tell(self, played: Played) -> None:
        if not self._as_json:
            self._teller.hear([played])
            say("\n".join(self._teller.tell(played)).replace(NO_BREAK, " "))

    def _undo(self) -> None:
        played = self.simulation.undo()
        self.unsaved = True
        self._teller = Teller(self._words)
        self._teller.hear(self.simulation.played)
        deque(chain.from_iterable(map(self._teller.tell, self.simulation.played)), maxlen=0)
        what = "the time that passed" if played.command is None else self._words.deed(played.command)
        self._say(f"Taken back: {what}")
        self.show()

    def _act_as(self, name: str) -> None:
        if name not in self.simulation.people:
            people = ", ".join(self.simulation.people)
            meant = did_you_mean(name[:40], self.simulation.people)
            raise SimulationError(f"there is nobody called {name[:40] or '…'}", f"{meant}; here are {people}")
        self._actor = name
        self._say(f"You are {self._named(name)} now.")

    def _named(self, name: str) -> str:
        return f"{person(name)}, {self._words.role(self.simulation.people[name])}"

    def _show_people(self) -> None:
        for name in self.simulation.people:
            self._say(f"  {name:<6} {self._words.role(self.simulation.people[name])}")

    def save(self, given: str) -> None:
        """Keep the run: `NAME`, then perhaps a title. Never over a scenario of somebody else."""
        name, _, title = given.partition(" ")
        scenario = as_scenario(self.simulation, name, title.strip() or f"{name.replace('_', ' ').capitalize()}")
        file = self.folder / f"{name}.yaml"
        if file.exists() and file not in self._mine:
            raise SimulationError(f"there is already a scenario {file}", "choose another name")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml_text(scenario.model_dump(mode="json", exclude_unset=True, exclude_none=True)), "utf-8")
        self._mine.add(file)
        self.unsaved = False
        self._say(f"Saved as {file}")

    def show(self) -> None:
        """Where the episode stands, what is owed, what can be done."""
        if self._as_json:
            self._show_json()
            return
        episode, now, words = self.simulation.episode, self.simulation.now, self._words
        stage = f"closed, {episode.outcome}" if episode.closed_at else words.stage(episode.stage)
        peak = f" (highest {episode.peak_risk})" if episode.peak_risk != episode.risk else ""
        say(
            f"\n{show_time(now, words.zone)} · {stage} · risk {episode.risk.upper()}{peak} · "
            f"owned by {person(episode.owner)} · you are {self._named(self._actor)}"
        )
        rows = [
            (one.title, show_time(one.due_at, words.zone, now), one.left, one.owner, one.next_page)
            for one in duties_of(words, episode, now)
        ]
        table("", ("Owed", "Due", "", "By", "Next page"), rows, "Nothing is owed.")
        self._show_menu(everything=False)

    def _show_menu(self, *, everything: bool) -> None:
        if self._as_json:
            self._show_json()
            return
        choices = menu(self.simulation.program, self.simulation.episode)
        say()
        for number, choice in enumerate(choices, 1):
            if choice.now or everything:
                say(f"{number:>4}  {choice.text} ({person(self._who(choice))})")
        if hidden := sum(not choice.now for choice in choices) * (not everything):
            say(f"      … `more` shows {hidden} more; or say how long to wait, such as `2 h later`; `help`")

    def _show_json(self) -> None:
        episode, now = self.simulation.episode, self.simulation.now
        say_json(
            {
                "now": now,
                "stage": episode.stage,
                "risk": episode.risk,
                "owner": episode.owner,
                "closed": episode.closed_at is not None,
                "happened": [happened.event for happened in self._latest()],
                "owed": [
                    {"obligation": one.obligation, "due": one.due_at, "overdue": one.missed, "rung": one.rung,
                     "left": show_span(one.due_at - now)}
                    for one in episode.obligations.values()
                ],
                "menu": menu(self.simulation.program, episode),
            }
        )  # fmt: skip

    def _latest(self) -> Sequence[Happened]:
        return (*self.simulation.played[-1].before, *self.simulation.played[-1].happened)


def _pairs(written: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in written.split(";") if one.strip()]
    if wrong := next((name for name, equals, _ in pairs if not equals), None):
        raise SimulationError(f"{wrong.strip()[:40]!r} is no answer", "write fact=value, several with ; between")
    return {name.strip(): value.strip() for name, _, value in pairs}
