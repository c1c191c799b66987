"""`migrates_from`: what can be said of it without the older version at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from protocol.checks.ground import Ground
from protocol.findings import Finding, Path, did_you_mean
from protocol.migration import SECTIONS, Carry, Migration
from protocol.spec import ProtocolSpec


def check_ways(ground: Ground) -> Iterator[Finding]:
    """Every way leads from an older version to names that exist."""
    for version, way in ground.spec.migrates_from.items():
        path: Path = ("migrates_from", version)
        if _number(version) >= _number(ground.spec.version):
            message = f"{version} is not older than this version, {ground.spec.version}"
            yield Finding(path, message, "name an older version, or raise `version`", about_key=True)
        yield from _targets(ground.spec, path, way)
        for name, carry in way.obligations.items():
            yield from _carry((*path, "obligations", name), carry)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _targets(spec: ProtocolSpec, path: Path, way: Migration) -> Iterator[Finding]:
    for section in SECTIONS:
        renamed, known = way.renamed(section), getattr(spec, section)
        twice = {name for name, count in Counter(renamed.values()).items() if count > 1 and section != "stages"}
        for old, new in renamed.items():
            place = (*path, section, old, *(("to",) if section == "obligations" else ()))
            if new not in known:
                message = f"`{new}` is not among the {section.replace('_', ' ')} of this protocol"
                yield Finding(place, message, did_you_mean(new, known))
            if new in twice:
                yield Finding(place, f"two names can't both become `{new}`", "leave one of them out: it is forgotten")


def _carry(path: Path, carry: Carry) -> Iterator[Finding]:
    if carry.deadline == "waive" and carry.because is None:
        yield Finding(path, "it is dropped, and nobody is told why", "say it in `because`", about_key=True)
    if carry.deadline == "waive" and carry.to is not None:
        yield Finding((*path, "to"), "what is waived goes nowhere", "delete `to`, or choose another `deadline`")
