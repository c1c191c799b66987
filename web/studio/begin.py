"""What a draft can begin with: a version, a template, or next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from practice.protocol_drafts import LONGEST_SCENARIO, Draft, DraftError
from protocol.spec import ProtocolSpec
from protocol_specs.starting import (
    MODELINE,
    copied,
    may_be_named,
    next_version,
    of_template,
    revised,
    templates,
    tidied,
)
from protocol_specs.trial import scenarios_of
from protocol_specs.writing import yaml_text
from web.effective import effective
from web.guard import Visit
from web.shelf import UnknownProtocolError
from web.studio.reading import reading
from web.thread import in_thread

BLANK = """\
protocol: NAME
version: 0.1.0
title: A new protocol
summary: What it is for, in one or two sentences.
time_zone: America/Los_Angeles

references: {}
roles: {}
facts: {}
"""

STARTERS = {"starter": "A small protocol that works"}


@dataclass(frozen=True, slots=True)
class Beginning:
    """Why a draft was not begun: at which field, and what to do."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to begin with."""

    value: str
    label: str
    help: str


async def offered(visit: Visit) -> list[Offer]:
    """Everything that a draft can begin with."""
    versions = [
        Offer(f"version:{one.content_hash}", f"Change “{one.title}”", f"{one.protocol} {one.version}, in effect")
        for one in (await effective(visit.parts)).values()
    ]
    starters = [
        Offer(f"template:{one}", STARTERS.get(one, one), "Complete, commented, to replace piece by piece")
        for one in templates()
    ]
    return [*versions, *starters, Offer("blank", "Nothing but a head", "For who knows the language well")]


async def begun(visit: Visit, typed: Mapping[str, str]) -> Draft | Beginning:
    """Begin a draft as the form says."""
    start, name = typed.get("start", ""), typed.get("name", "").strip()
    if name and not may_be_named(name):
        return Beginning("name", "Write the name in lower-case words joined by underscores, such as evening_line")
    kind, _, which = start.partition(":")
    based_on, scenarios = "", dict[str, str]()
    if kind == "version":
        try:
            spec = (await visit.parts.shelf.pinned(which)).spec
        except UnknownProtocolError:
            return Beginning("start", "Choose what to begin with; that version is not at hand")
        text, scenarios = await text_of(visit, spec), await scenarios_for(visit, spec)
        if name and name != spec.protocol:
            text, scenarios = copied(text, scenarios, name)
        else:
            based_on, text = which, revised(text, next_version(spec.version))
    elif not name:
        return Beginning("name", "Give the protocol a name, such as evening_line")
    elif kind == "template" and which in templates():
        text, scenarios = of_template(which, name)
    elif kind == "blank":
        text = BLANK.replace("NAME", name)
    else:
        return Beginning("start", "Choose what to begin with")
    text = text.partition("\n")[2] if text.startswith(MODELINE) else text
    about = (await reading(text)).about
    try:
        return await visit.parts.protocol_drafts.start(
            text, about, visit.actor.account_id, visit.parts.clock(), based_on, scenarios
        )
    except DraftError as error:
        return Beginning("", str(error))


async def text_of(visit: Visit, spec: ProtocolSpec) -> str:
    """A version as somebody wrote it, with its comments; where nobody knows that any more, written anew."""
    draft = await visit.parts.protocol_drafts.of_version(spec.content_hash)
    if draft is not None:
        return draft.text
    file = visit.parts.settings.protocols / f"{spec.protocol}.yaml"
    if file.is_file():
        text = file.read_text("utf-8")
        if (await reading(text)).about.content_hash == spec.content_hash:
            return text
    return await in_thread(_written, spec)


def _written(spec: ProtocolSpec) -> str:
    return tidied(yaml_text(spec.model_dump(mode="json", exclude_unset=True, exclude_none=True)))


async def scenarios_for(visit: Visit, spec: ProtocolSpec) -> dict[str, str]:
    """The scenarios that a version was tested with last; else those of its draft, else those beside its file."""
    found = await visit.parts.results.latest("tests", spec.content_hash)
    if found is not None:
        return dict(found.result["scenarios"])
    draft = await visit.parts.protocol_drafts.of_version(spec.content_hash)
    if draft is not None:
        return {one.name: one.text for one in await visit.parts.protocol_drafts.scenarios(draft.draft_id)}
    return await in_thread(_beside, spec.protocol, visit.parts.settings.protocols)


def _beside(protocol: str, folder: Path) -> dict[str, str]:
    files = [one for one in scenarios_of(protocol, folder) if one.stat().st_size <= LONGEST_SCENARIO]
    return {one.stem: one.read_text("utf-8") for one in files}
