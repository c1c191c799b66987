"""Trying a protocol before it is published: its warnings, its proof, every scenario beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.prove import prove
from proof.verdicts import Proof
from protocol.check import check
from protocol.directory import Directory
from protocol.publishing import ProofVerdict, Trial
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load
from protocol_specs.located import SpecErrors
from rehearsal.casting import problems
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.script import ScenarioError


@dataclass(frozen=True, slots=True)
class Proved:
    """What the proof says of a protocol, and in a line why."""

    verdict: ProofVerdict
    told: str


Prove = Callable[[ProtocolSpec], Proved]


def try_out(spec: ProtocolSpec, scenarios: Sequence[Path], directory: Directory, prove_it: Prove) -> Trial:
    """Everything that is asked of a protocol before somebody relies on it. The scenarios run on the pure core."""
    proved = prove_it(spec)
    warnings = sum(one.severity == "warning" for one in check(spec))
    failed = tuple(file.stem for file in scenarios if not _passes(spec, file, directory))
    return Trial(warnings, proved.verdict, proved.told, len(scenarios), failed)


def proof_of(spec: ProtocolSpec) -> Proved:
    """What `proof` finds, in short."""
    return in_short(prove(spec))


def in_short(found: Proof) -> Proved:
    """The verdict of a proof, and in a line why."""
    against = [one.title for one in found.claims if one.verdict != "proved"]
    verdict: ProofVerdict = "proved" if found.proved else "failed" if found.complete else "unfinished"
    return Proved(verdict, f"{found.explored} configurations" + "".join(f"; {title}" for title in against))


def scenarios_of(protocol: str, folder: Path) -> list[Path]:
    """The scenarios of a protocol in a folder of protocols."""
    return sorted((folder / "scenarios" / protocol).glob("*.yaml"))


def _passes(spec: ProtocolSpec, file: Path, directory: Directory) -> bool:
    """A file that can't be read or played is a failure like any other."""
    try:
        scenario = load(file, Scenario)
        return not problems(spec, scenario) and not rehearse(spec, scenario, directory).failures
    except (SpecErrors, ScenarioError):
        return False
