"""What an episode's page shows, made from the episode and its protocol. Shows; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from practice.clients import Client
from protocol.directory import Directory, Guidance, Listing, county_said, look_up
from protocol.episode import OpenObligation, StepRecord
from protocol.local_time import show_clock, show_date, show_span, show_time
from protocol.readers import waits_for_signature
from protocol.words import cited
from web.seen import Seen

Names = Callable[[str], str]

NEAR = timedelta(minutes=30)
NUMBER = re.compile(r"\+?\(?[0-9][0-9()./ -]{5,}[0-9]|\b[0-9]{3}\b")
"""A number within what somebody wrote, or one of three digits."""


@dataclass(frozen=True)
class Look:
    """One look at an episode: by whom the names are known, and when. `now` is aware UTC."""

    seen: Seen
    directory: Directory
    names: Names
    now: datetime

    def at(self, moment: datetime) -> str:
        """A moment as one says it, local to the protocol."""
        return show_time(moment.replace(second=0, microsecond=0), self.seen.words.zone, self.now)


def banner(look: Look) -> list[dict[str, Any]]:
    """Who, where, which number, who else is there, what may be told to whom."""
    spec, episode, words = look.seen.program.spec, look.seen.episode, look.seen.words
    facts: list[dict[str, Any]] = []
    for name, label in spec.pages.banner.items():
        known = episode.facts.get(name)
        value = words.answer(known.value) if known is not None else ""
        if name == spec.pages.address and value and (county := county_of(look.seen)):
            value = f"{value}, {county_said(county)}"
        asked_by = next((step for step, one in spec.steps.items() if name in (*one.form, *one.optional)), "")
        href = f"?step={asked_by}#f-fact.{name}" if asked_by else ""
        number = dialled(value) if name == spec.pages.callback else ""
        missing = not value or (name == spec.pages.callback and not number)
        facts.append({"label": label, "value": value, "missing": missing, "href": href, "tel": number})
    return facts


def dialled(text: str) -> str:
    """What a phone dials of a written number, without the words around it; empty where there is none."""
    found = NUMBER.search(text)
    return re.sub(r"[^0-9+]", "", found[0]) if found is not None else ""


def consents(client: Client | None, today: date) -> list[dict[str, Any]]:
    """What the client agreed to, with the end of it; one that ran out or was taken back is marked."""
    found: list[dict[str, Any]] = []
    for one in client.file.consents if client is not None else ():
        until = f" until {show_date(one.until)}" if one.until is not None else ""
        lapsed = one.lapsed(today)
        said = (
            f"ran out{until.removeprefix(' until')}"
            if lapsed
            else f"{one.answer}{until if one.answer == 'given' else ''}"
        )
        found.append(
            {"label": f"Consent: {_lower(one.kind)}", "value": said, "missing": lapsed or one.answer == "revoked"}
        )
    return found


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def zone_said(look: Look, own: ZoneInfo | None) -> str:
    """Whose clock the times are told by: empty where the reader's shows the same."""
    zone = look.seen.words.zone
    there = look.now.astimezone(zone)
    if own is None or there.utcoffset() == look.now.astimezone(own).utcoffset():
        return ""
    return (
        f"Times are the client's: {place_of(zone)}, where it is {show_clock(look.now, zone)}. "
        f"For you in {place_of(own)} it is {show_clock(look.now, own)}."
    )


def place_of(zone: ZoneInfo) -> str:
    """`America/Los_Angeles` → `Los Angeles`."""
    return zone.key.rpartition("/")[2].replace("_", " ")


def stepper(look: Look) -> list[dict[str, str]]:
    """The stages as a spine; where the episode is, and which are behind it."""
    spec, episode = look.seen.program.spec, look.seen.episode
    stages: list[dict[str, str]] = []
    for name, stage in spec.stages.items():
        here = name == episode.stage
        if stage.kind == "closed" or (stage.kind == "emergency" and not here and name not in episode.left):
            continue
        state = ("sos" if stage.kind == "emergency" else "now") if here else "done" if name in episode.left else "ahead"
        stages.append({"title": stage.title, "state": state, "href": ""})
    return stages


def duties(look: Look) -> list[dict[str, Any]]:
    """What is owed: when, by whom, who is asked next, and where the time comes from."""
    return [duty(look, owed) for owed in sorted(look.seen.episode.obligations.values(), key=lambda one: one.due_at)]


def duty(look: Look, owed: OpenObligation) -> dict[str, Any]:
    """An obligation as the page shows it."""
    words, span = look.seen.words, owed.due_at - look.now
    declared = look.seen.program.spec.obligations.get(owed.obligation)
    quiet = owed.lease_until is not None and owed.lease_until > look.now
    rungs = owed.ladder.rungs
    rung = rungs[min(owed.rung + 1, len(rungs) - 1)]
    owner = look.names(look.seen.episode.owner) if owed.owner == "owner" else words.role(owed.owner)
    asked = words.role(owed.owner if rung.page == "owner" else rung.page)
    return {
        "obligation_id": owed.obligation_id,
        "title": words.obligation(owed.obligation),
        "due": owed.due_at.isoformat(),
        "due_words": look.at(owed.due_at),
        "left": f"{show_span(span)} {'left' if span > timedelta(0) else 'overdue'}",
        "state": "late" if span <= timedelta(0) else "near" if span <= NEAR else "",
        "owner": owner,
        "next_rung": f"{asked} is paged at {look.at(owed.next_page_at)}",
        "acknowledged": f"{look.names(owed.acknowledged_by)} is on it until {look.at(owed.lease_until)}"
        if quiet and owed.lease_until is not None
        else "",
        "why": (declared.why if declared else None) or "",
        "source": cited(declared.source) if declared else "",
        "policy": declared is not None and declared.source.grade == "P",
        "waivable": declared is not None and bool(declared.waived_by),
        "href": "",
    }


def resources(look: Look, *, life_in_danger: bool = True) -> Guidance:
    """Whom to call for the county of the present address."""
    today = look.now.astimezone(look.seen.words.zone).date()
    return look_up(look.directory, county_of(look.seen) or None, today, life_in_danger=life_in_danger)


def county_of(seen: Seen) -> str:
    """The name of the county in which the client is now; empty while nobody knows."""
    known = seen.episode.facts.get(seen.program.spec.pages.county or "")
    return known.value if known is not None and isinstance(known.value, str) else ""


def listed(one: Listing) -> dict[str, str]:
    """A resource as a line."""
    ways = ", ".join(f"{way.by} {way.number}{f' then {way.then}' if way.then else ''}" for way in one.resource.ways)
    return {"title": one.resource.title, "ways": ways, "note": one.resource.hours}


def to_do(look: Look) -> list[dict[str, Any]]:
    """The steps of the present stage that belong there now."""
    program, episode = look.seen.program, look.seen.episode
    placed = {one.step: one for one in program.placed[episode.stage] if one.applies(episode)}
    return [
        {
            "step": name,
            "title": program.spec.steps[name].title,
            "required": one.required,
            "status": record.status if (record := episode.steps.get(name)) is not None else "open",
        }
        for name, one in placed.items()
    ]


def current_step(look: Look, wanted: str) -> str:
    """Which step's form is shown: the one asked for, else the first required one, else in an emergency any open one."""
    if wanted in look.seen.program.spec.steps:
        return wanted
    missing = look.seen.program.missing_steps(look.seen.episode)
    if missing:
        return missing[0]
    emergency_stage = look.seen.program.spec.stages[look.seen.episode.stage].kind == "emergency"
    undone = [one["step"] for one in to_do(look) if one["status"] == "open"]
    return undone[0] if emergency_stage and undone else ""


def any_time(look: Look) -> list[dict[str, str]]:
    """Steps that may be done in every open stage."""
    steps = look.seen.program.spec.steps
    return [{"step": name, "title": one.title} for name, one in steps.items() if one.any_stage]


def decisions(look: Look) -> list[dict[str, Any]]:
    """The decisions that may be recorded; those that something owed waits for come first."""
    spec, episode = look.seen.program.spec, look.seen.episode
    owed = {one.obligation for one in episode.obligations.values() if one.obligation in spec.obligations}
    waited = {proof.decided for name in owed for proof in spec.obligations[name].met_by if proof.decided}
    found = [
        {
            "name": name,
            "title": one.title,
            "question": one.question,
            "criteria": f"{one.criteria} {cited(one.source)}",
            "waited": name in waited,
            "recorded": look.seen.words.option(name, record.option) if (record := episode.decisions.get(name)) else "",
            "advice": advice(look, name),
            "options": [{"value": option, "label": said.title} for option, said in one.options.items()],
        }
        for name, one in spec.decisions.items()
    ]
    return sorted(found, key=lambda one: (not one["waited"], bool(one["recorded"])))


def advice(look: Look, decision: str) -> str:
    """What the protocol's table advises on the facts as they are."""
    spec = look.seen.program.spec
    table = spec.decisions[decision].advice
    if table is None:
        return ""
    outcome = look.seen.program.readers.reader(table)(look.seen.episode)
    return spec.tables[table].outcomes.get(outcome, "") if outcome else ""


def contacts(look: Look) -> list[dict[str, str]]:
    """The parties: when somebody last spoke with them, and how often in vain since."""
    spec, episode = look.seen.program.spec, look.seen.episode
    return [
        {
            "party": name,
            "title": one.title,
            "reached": look.at(episode.contacts[name].at) if name in episode.contacts else "",
            "attempts": str(episode.attempts.get(name, 0)),
            "tried": look.at(episode.tries[name].at) if name in episode.tries else "",
            "permitted": "" if look.seen.program.permitted[name](episode) else one.refusal or "Ask before you do.",
        }
        for name, one in spec.parties.items()
    ]


def signatures(look: Look) -> list[dict[str, str]]:
    """What waits for a second person, and which entry they would sign."""
    words = look.seen.words
    return [
        {
            "subject": name,
            "entry": str(one.sequence),
            "by": one.by,
            "title": words.step(name) if isinstance(one, StepRecord) else words.decision(name),
            "option": "" if isinstance(one, StepRecord) else words.option(name, one.option),
        }
        for name, one in waits_for_signature(look.seen.episode).items()
    ]


def stages_named(look: Look, names: Iterator[str] | tuple[str, ...]) -> list[dict[str, str]]:
    """Stages as choices."""
    return [{"value": name, "label": look.seen.words.stage(name)} for name in names]
