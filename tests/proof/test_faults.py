"""Deliberate faults of the shipped protocols: each is found, with its place and a remedy, and shown where it can be.

A counterexample fails on the faulty protocol, on the pure core as through the real workflow, and passes on the
shipped one, which is free of the fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from cli.durable import perform_async
from proof.prove import prove
from proof.verdicts import Proof
from protocol.check import check
from protocol.spec import ProtocolSpec
from protocol_specs.loader import Document, load_protocol, read_file, read_yaml
from protocol_specs.located import Located, SpecErrors
from protocol_specs.writing import yaml_text
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario

SPECS = Path(__file__).parents[2] / "protocol_specs"
FAULTS = Path(__file__).parent / "faults"


class Fault(TypedDict):
    old: str
    new: str
    found_by: str
    says: str
    at: str
    remedy: str


def faults(found_by: str) -> Iterator[tuple[str, str]]:
    for file in sorted(FAULTS.glob("*.yaml")):
        yield from ((file.stem, name) for name, one in of(file.stem).items() if one["found_by"] == found_by)


@cache
def of(protocol: str) -> dict[str, Fault]:
    return TypeAdapter(dict[str, Fault]).validate_python(read_file(FAULTS / f"{protocol}.yaml").data)


def broken(protocol: str, name: str) -> str:
    text, fault = (SPECS / f"{protocol}.yaml").read_text(encoding="utf-8"), of(protocol)[name]
    assert text.count(fault["old"]) == 1, "the fault no longer fits the protocol"
    return text.replace(fault["old"], fault["new"])


def hold(found: list[Located], text: str, fault: Fault) -> None:
    """One of the findings says it, at its place, with its remedy."""
    matching = [one for one in found if one.finding.message.startswith(fault["says"])]
    assert matching, [str(one) for one in found]
    assert fault["at"] in text.splitlines()[matching[0].line - 1]
    assert fault["remedy"] in matching[0].finding.remedy
    assert matching[0].finding.remedy


@cache
def proved(protocol: str, name: str) -> tuple[Document, ProtocolSpec, Proof]:
    document = read_yaml(broken(protocol, name), "x.yaml")
    spec = document.validate(ProtocolSpec)
    return document, spec, prove(spec)


def test_there_are_forty_and_more() -> None:
    found = [*faults("lint"), *faults("prove")]
    assert len(found) >= 40
    assert len(list(faults("prove"))) >= 15


@pytest.mark.parametrize(("protocol", "name"), list(faults("lint")))
def test_lint_finds_it(protocol: str, name: str) -> None:
    text = broken(protocol, name)
    try:
        document = read_yaml(text, "x.yaml")
        found = document.locate(check(document.validate(ProtocolSpec)))
    except SpecErrors as errors:
        found = list(errors.found)
    hold(found, text, of(protocol)[name])


@pytest.mark.full
@pytest.mark.parametrize(("protocol", "name"), list(faults("prove")))
def test_the_proof_finds_it(protocol: str, name: str) -> None:
    document, spec, proof = proved(protocol, name)
    assert not [one for one in check(spec) if one.severity == "error"], "lint alone would have found it"
    assert not proof.proved
    hold(document.locate(proof.findings), broken(protocol, name), of(protocol)[name])


@pytest.mark.full
@pytest.mark.parametrize(("protocol", "name"), list(faults("prove")))
async def test_its_counterexample_is_repeated_by_the_real_workflow(protocol: str, name: str) -> None:
    _, spec, proof = proved(protocol, name)
    if not proof.counterexamples:
        refuted = [claim for claim in proof.claims if claim.verdict == "refuted"]
        assert all(doubt.certain for claim in refuted for doubt in claim.doubts)
        pytest.skip("the document itself shows the fault; or a way is missing, and no episode shows that there is none")
    for scenario in proof.counterexamples:
        again = read_yaml(yaml_text(scenario.model_dump(mode="json", exclude_unset=True, exclude_none=True)))
        assert again.validate(Scenario) == scenario
        pure = [(one.path, str(one)) for one in rehearse(spec, scenario).failures]
        assert pure
        durable = await perform_async(spec, scenario)
        assert [(one.path, str(one)) for one in durable.failures] == pure


@pytest.mark.full
@pytest.mark.parametrize(("protocol", "name"), list(faults("prove")))
def test_its_counterexample_passes_once_the_fault_is_mended(protocol: str, name: str) -> None:
    mended = load_protocol(SPECS / f"{protocol}.yaml")
    for scenario in proved(protocol, name)[2].counterexamples:
        assert rehearse(mended, scenario).passed, [str(one) for one in rehearse(mended, scenario).failures]
