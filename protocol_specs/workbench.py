"""A process of its own for long work on a protocol: `python -m protocol_specs.workbench`.

One job comes in as JSON; what is done so far goes out as lines of JSON, the last of them with the result. Whoever
started it may end it at any moment: it keeps nothing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from proof.generating import generate
from proof.prove import prove
from proof.verdicts import Claim, Proof
from protocol.directory import Directory
from protocol.findings import dotted
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load
from protocol_specs.suite import Result, covered, try_text
from protocol_specs.trial import in_short
from protocol_specs.writing import yaml_text
from rehearsal.coverage import Spot, spots_of
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript

MOST_MEMORY = 2 * 1024**3
"""Bytes of address space."""
MOST_SECONDS = 600
"""Of processor time."""

Kind = Literal["proof", "tests", "scenarios"]
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """What is to be found out. `scenarios` are texts by name, `protocol` is a canonical document."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    kinds: list[Kind]
    protocol: str
    scenarios: dict[str, str]
    directory: str
    """Path of the emergency resources that scenarios may ask for."""


JOB: TypeAdapter[Job] = TypeAdapter(Job)


def work(job: Job, say: Say) -> dict[Kind, dict[str, Any]]:
    """Do the job; `say` hears how far it is."""
    spec = ProtocolSpec.model_validate_json(job.protocol)
    return {kind: DO[kind](spec, job, say) for kind in job.kinds}


def proof(spec: ProtocolSpec, _job: Job, say: Say) -> dict[str, Any]:
    """What is claimed of the protocol, with the story and the scenario of whatever speaks against it."""
    began, done, visited = time.monotonic(), list[Claim](), 0

    def going(configurations: int) -> None:
        nonlocal visited
        visited = configurations
        last = done[-1].title if done else ""
        say({"doing": "Proving", "done": f"{len(done)} claims, {visited:,} configurations", "last": last})

    def told(claim: Claim) -> None:
        done.append(claim)
        going(visited)

    found = prove(spec, told, going=going)
    short = in_short(found)
    return {
        **found.as_object(),
        "claims": [_claim(claim) for claim in found.claims],
        "seconds": round(time.monotonic() - began, 1),
        "verdict": short.verdict,
        "told": short.told,
        "stories": _stories(spec, found),
    }


def _claim(claim: Claim) -> dict[str, Any]:
    doubts = [
        {
            "path": list(one.finding.path),
            "message": one.finding.message,
            "remedy": one.finding.remedy,
            "story": one.scenario.scenario if one.scenario is not None else "",
        }
        for one in claim.doubts
    ]
    about = {name: getattr(claim, name) for name in ("key", "title", "verdict", "how", "configurations")}
    return {**about, "doubts": doubts}


def _stories(spec: ProtocolSpec, found: Proof) -> dict[str, dict[str, str]]:
    return {
        one.scenario: {"title": one.title, "told": transcript(rehearse(spec, one)), "file": file_of(one)}
        for one in found.counterexamples
    }


def file_of(scenario: Scenario) -> str:
    """A scenario as a file has it."""
    return yaml_text(scenario.model_dump(mode="json", exclude_unset=True, exclude_none=True))


def tests(spec: ProtocolSpec, job: Job, say: Say) -> dict[str, Any]:
    """Every scenario played on the pure core, and what they go through."""
    directory = load(Path(job.directory), Directory)
    results: list[Result] = []
    for name, text in job.scenarios.items():
        results.append(try_text(spec, name, text, lambda scenario: rehearse(spec, scenario, directory)))
        say({"doing": "Testing", "done": f"{len(results)} of {len(job.scenarios)} scenarios", "last": name})
    return {
        "results": [one.as_json() for one in results],
        "coverage": covered(spec, results).as_object(),
        "scenarios": job.scenarios,
    }


def scenarios(spec: ProtocolSpec, _job: Job, say: Say) -> dict[str, Any]:
    """Scenarios made for everything that a scenario can go through, and what none reaches."""
    tried, places = 0, len(spots_of(spec))

    def told(spot: Spot, _reached: bool) -> None:
        nonlocal tried
        tried += 1
        say({"doing": "Making scenarios", "done": f"{tried} of {places} places", "last": spot.text})

    made = generate(spec, told)
    missed = [{"path": dotted(one.spot.path), "text": one.spot.text, "why": one.why} for one in made.missed]
    return {"scenarios": {one.scenario: file_of(one) for one in made.scenarios}, "missed": missed}


DO: Mapping[Kind, Callable[[ProtocolSpec, Job, Say], dict[str, Any]]] = {
    "proof": proof,
    "tests": tests,
    "scenarios": scenarios,
}


def main() -> None:
    """Read a job, do it within limits, behind whatever else the machine has to do."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))

    def say(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, ensure_ascii=True) + "\n")
        sys.stdout.flush()

    say({"result": work(JOB.validate_json(sys.stdin.buffer.read()), say)})


if __name__ == "__main__":
    main()
