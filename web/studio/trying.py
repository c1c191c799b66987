"""Proving and testing a version: what is known of it already, and a process that finds out the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice.protocol_results import Found, Kind
from protocol.publishing import NOT_TRIED, Trial
from protocol.spec import ProtocolSpec
from protocol_specs.lint import Looked
from rehearsal.coverage import GROUPS
from web.guard import Visit
from web.jobs import Job


@dataclass(frozen=True)
class Tried:
    """What is known of a version; None for what nobody found out yet."""

    proof: Found | None
    tests: Found | None
    job: Job | None
    """What is under way about it, or how the last of it ended."""
    ahead: int
    """Jobs before it in the queue."""

    @property
    def running(self) -> Job | None:
        """The job while it goes on."""
        return self.job if self.job is not None and not self.job.over else None

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Scenarios that were not as expected."""
        return [one for one in self.tests.result["results"] if not one["passed"]] if self.tests else []

    @property
    def good(self) -> bool:
        """Proved, and every scenario passed, of which there is one at least."""
        proved = self.proof is not None and bool(self.proof.result["proved"])
        return proved and self.tests is not None and bool(self.tests.result["results"]) and not self.failed

    @property
    def coverage(self) -> list[dict[str, Any]]:
        """By group: how much the scenarios went through, and what is missing."""
        return coverage_of(self.tests.result["coverage"]) if self.tests else []

    @property
    def shown(self) -> tuple[int, int]:
        """How many of all places the scenarios went through."""
        return sum(one["reached"] for one in self.coverage), sum(one["all"] for one in self.coverage)


def coverage_of(spots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Coverage by group."""
    told: list[dict[str, Any]] = []
    for group in GROUPS:
        own = [one for one in spots if one["group"] == group]
        missing = [one for one in own if not one["scenarios"]]
        if own:
            told.append({"group": group, "all": len(own), "reached": len(own) - len(missing), "missing": missing})
    return told


def keys_of(content_hash: str, scenarios: Mapping[str, str]) -> dict[Kind, str]:
    """The keys under which the results of a version with these scenarios are kept."""
    told = json.dumps([content_hash, sorted(scenarios.items())], ensure_ascii=True)
    return {"proof": content_hash, "tests": hashlib.sha256(told.encode()).hexdigest(), "scenarios": content_hash}


async def tried(visit: Visit, content_hash: str, scenarios: Mapping[str, str]) -> Tried:
    """What is known of a version with these scenarios."""
    keys, parts = keys_of(content_hash, scenarios), visit.parts
    job = parts.jobs.get(keys["tests"])
    ahead = parts.jobs.ahead_of(job) if job is not None else 0
    proof, tests = await parts.results.get("proof", keys["proof"]), await parts.results.get("tests", keys["tests"])
    return Tried(proof, tests, job, ahead)


def start(visit: Visit, spec: ProtocolSpec, scenarios: Mapping[str, str], kinds: tuple[Kind, ...]) -> Job:
    """Find out about a version; a job of the same version is joined. Raises Busy."""
    keys, parts = keys_of(spec.content_hash, scenarios), visit.parts
    request = {
        "protocol": spec.canonical(),
        "scenarios": dict(scenarios),
        "directory": str(parts.settings.directory.resolve()),
    }
    wanted: dict[Kind, str] = {kind: keys[kind] for kind in kinds}
    return parts.jobs.start(keys["tests"], visit.actor.account_id, wanted, spec.content_hash, request)


def trial_of(looked: Looked, found: Tried) -> Trial:
    """What was tried, as a publication keeps it."""
    if found.proof is None or found.tests is None:
        return NOT_TRIED
    warnings = sum(one.finding.severity == "warning" for one in looked.found)
    proof, results = found.proof.result, found.tests.result["results"]
    failed = tuple(one["scenario"] or one["file"] for one in found.failed)
    return Trial(warnings, proof["verdict"], proof["told"], len(results), failed)
