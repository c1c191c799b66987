"""Compares two versions of a protocol in clinical words: what became laxer, what stricter, what is only worded anew.

Nothing is called stricter that could, by itself, delay or drop anything; what can't be told counts as laxer.
Every field of every part has its rule in `RULES`; `wording` marks those that are not safety-relevant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocol.checks.ground import Ground
from protocol.diffs import closing, duties, lists, tables, times
from protocol.diffs.change import Change, Effect, Place, Rule, Versions
from protocol.diffs.guards import guarded
from protocol.diffs.rules import (
    elapsed,
    flag,
    names,
    nested,
    parts,
    scale,
    signers,
    together,
    unsure,
    values,
    wording,
)
from protocol.duties import TRIGGER_KEYS, DueMoment, DueTable, Evidence, Ladder, Obligation, Rung, Trigger
from protocol.elements import Element, Fact, Instrument, Item, Reference, Row, Source, Table
from protocol.findings import dotted
from protocol.migration import SECTIONS, Carry, Migration
from protocol.pages import Pages, PlanPages, Press, StepUpPages
from protocol.spec import (
    Closing,
    CrisisType,
    Decision,
    Emergency,
    Lowering,
    Notice,
    Option,
    Outcome,
    Party,
    Property,
    ProtocolSpec,
    Refusal,
    Requirement,
    Risk,
    RiskRule,
    Role,
    Stage,
    StageStep,
    Step,
    Technique,
    WorkCalendar,
)

TITLE, SOURCE = wording("title"), wording("source")
WHO = names("role widened or narrowed: done by", "laxer", "stricter")
RECORDED = values("recorded by itself", "laxer", "laxer", "laxer")

_SMALL: Mapping[type[Element], Mapping[str, Rule]] = {
    Source: {"grade": SOURCE, "refs": SOURCE, "note": SOURCE},
    Reference: {"title": TITLE, "url": wording("address"), "checked": wording("day of the last reading")},
    Role: {
        "title": TITLE,
        "licensed": flag("now counts as licensed", "does not count as licensed any more", "laxer", "stricter"),
    },
    Technique: {"title": TITLE, "text": wording("text"), "source": SOURCE},
    Fact: {
        "ask": unsure("question"),
        "type": unsure("type"),
        "choices": names("choices", "laxer", "laxer", "laxer"),
        "ordered": unsure("choices are ordered"),
        "minimum": unsure("minimum"),
        "maximum": unsure("maximum"),
        "unit": unsure("unit"),
        "bands": values("bands", "laxer", "laxer", "laxer", "laxer"),
        "may_refuse": unsure("the client may refuse to answer"),
        "phi": flag("now marked as health information", "no longer marked as health information", "stricter", "laxer"),
        "sud": flag("now marked as substance-use record", "no longer so marked (42 CFR Part 2)", "stricter", "laxer"),
        "help": wording("help"),
        "source": SOURCE,
    },
    Item: {"fact": unsure("question"), "asked_when": guarded("asked while", "stricter", unsure_wider=lists.WAITS)},
    Instrument: {
        "title": TITLE,
        "edition": unsure("edition"),
        "licence": wording("licence"),
        "items": lists.items,
        "score": unsure("score"),
        "source": SOURCE,
    },
    Row: {"when": together, "then": together, "because": wording("reason"), "source": SOURCE},
    Table: {
        "title": TITLE,
        "outcomes": values("outcomes", "laxer", "laxer", "other", "laxer"),
        "unknown_as": tables.stand_ins,
        "rows": tables.rows,
        "source": SOURCE,
    },
}

_STAGES: Mapping[type[Element], Mapping[str, Rule]] = {
    Step: {
        "title": TITLE,
        "purpose": wording("purpose"),
        "form": names("must be answered", "stricter", "laxer"),
        "optional": lists.optional_answers,
        "instruments": names("instruments given", "stricter", "laxer"),
        "sets": RECORDED,
        "guidance": wording("guidance"),
        "techniques": names("techniques shown", "other", "laxer"),
        "roles": WHO,
        "after": names("only after", "stricter", "laxer"),
        "any_stage": unsure("may be done in every stage"),
        "skip_cosigned_by": signers("a skip is co-signed by", "can't be skipped", "stricter"),
    },
    StageStep: {
        "step": unsure("step"),
        "required": flag("is now required", "is not required any more", "stricter", "laxer"),
        "when": guarded("belongs to the stage while", "stricter"),
    },
    Stage: {
        "title": TITLE,
        "purpose": wording("purpose"),
        "kind": unsure("kind"),
        "steps": lists.stage_steps,
        "next": names("ways on", "laxer", "laxer", "laxer"),
        "leave_when": guarded("may be left when", "laxer"),
        "leave_needs": wording("what to do before leaving"),
    },
    RiskRule: {
        "level": lists.level,
        "when": guarded("holds when", "stricter"),
        "because": wording("reason"),
        "source": SOURCE,
    },
    Lowering: {
        "step": unsure("step needed before"),
        "roles": WHO,
        "requires": guarded("allowed when", "laxer"),
        "requires_words": wording("what is required, in words"),
    },
    Risk: {"initial": unsure("level at the beginning"), "rules": lists.risk_rules, "lowering": nested},
    Emergency: {
        "stage": unsure("stage"),
        "at": unsure("level that opens it by itself, and to which declaring it raises the risk"),
        "script": unsure("what to say to the emergency service"),
    },
    CrisisType: {
        "title": TITLE,
        "signals": names("signals named", "other", "laxer"),
        "adds": lists.added_steps,
    },
}

_ACTS: Mapping[type[Element], Mapping[str, Rule]] = {
    Option: {"title": TITLE, "refer": unsure("service asked for a place")},
    Decision: {
        "title": TITLE,
        "question": unsure("question"),
        "options": parts("option", "laxer", "laxer", "laxer"),
        "advice": unsure("table that advises"),
        "shows": names("facts kept as seen", "stricter", "laxer"),
        "roles": WHO,
        "cosigned_by": signers("co-signed by", "needs no second signature", "laxer"),
        "cosign": scale("second signature", ("always", "below_advice")),
        "criteria": unsure("criteria"),
        "source": SOURCE,
    },
    Party: {
        "title": TITLE,
        "permitted": guarded("contact permitted when", "laxer"),
        "refusal": wording("words of the refusal"),
        "on_reached": RECORDED,
    },
    Notice: {
        "text": wording("text"),
        "when": guarded("shown when", "stricter", False, "not anew when the old condition comes true meanwhile"),
        "mentions": names("phrases listened for", "stricter", "laxer"),
        "source": SOURCE,
    },
    Refusal: {
        "act": duties.refused_act,
        "because": wording("reason"),
        "remedy": wording("remedy"),
        "source": SOURCE,
    },
    Requirement: {"when": guarded("fulfilled when", "laxer"), "otherwise": wording("words")},
    Outcome: {"title": TITLE, "requires": wording("list of requirements named for it")},
    Closing: {"roles": WHO, "outcomes": closing.outcomes, "requires": closing.requirements},
    WorkCalendar: {
        "title": TITLE,
        "working_days": names("working days", "stricter", "laxer"),
        "holidays": values("holidays", "laxer", "stricter", "other"),
        "source": SOURCE,
    },
    Property: {
        "title": TITLE,
        "never": guarded("never", "stricter", False),
        "always": guarded("whenever", "stricter", False),
        "within": elapsed("within", missing="any time"),
        "owed": names("owed", "laxer", "stricter"),
    },
}

_PAGES: Mapping[type[Element], Mapping[str, Rule]] = {
    Pages: {
        "banner": values("what stands at the top of every page", "other", "laxer", "other"),
        "address": unsure("fact with the present address"),
        "county": unsure("fact that chooses the emergency numbers"),
        "callback": unsure("fact with the call-back number"),
        "presses": unsure("answers that one press records"),
        "given": values("filled in on the emergency panel", "other", "other", "other"),
        "plan": nested,
        "step_up": nested,
    },
    Press: dict.fromkeys(("fact", "answer", "title"), together),
    PlanPages: {
        "written_in": unsure("step that writes the plan"),
        "reviewed_in": names("steps that go through the plan again", "other", "laxer"),
        "kept_back": guarded("plan kept back while", "stricter", False),
    },
    StepUpPages: {
        "decision": unsure("decision of the step-up page"),
        "steps": names("steps on the step-up page", "other", "laxer"),
        "search": unsure("step in which facilities are asked"),
        "offered": unsure("answer that means a place was offered"),
    },
}

_DUTIES: Mapping[type[Element], Mapping[str, Rule]] = {
    Rung: {"page": together, "channels": together, "wait": together},
    Ladder: {
        "title": TITLE,
        "starts": scale("first page", ("at_opening", "before_due", "at_due")),
        "lead": elapsed("first page before the deadline", longer="stricter"),
        "rungs": times.rungs,
        "repeat": elapsed("last rung repeats every"),
        "lease": elapsed("“I am on it” silences it for (lease)"),
        "source": SOURCE,
    },
    Trigger: dict.fromkeys((*TRIGGER_KEYS, "options", "when", "counts_anew"), together),
    DueTable: {"by": together, "values": together, "otherwise": together},
    DueMoment: {
        "moment": unsure("due at"),
        "plus": elapsed("due after that moment"),
        "ceiling": elapsed("due at the latest after"),
    },
    Evidence: {
        **dict.fromkeys(duties.DEEDS, together),
        "options": duties.options,
        "refreshed": names("must be answered anew", "stricter", "laxer"),
        "when": guarded("ends it while", "laxer"),
    },
    Obligation: {
        "title": TITLE,
        "why": wording("reason"),
        "concern": scale("concern", ("safety", "care", "administrative")),
        "contact": flag("now only a live contact ends it", "no longer needs a live contact", "stricter", "laxer"),
        "duty_to_try": flag("now a mere duty to try", "no longer a mere duty to try", "laxer", "stricter"),
        "owner": unsure("owner"),
        "clock": scale("clock", ("safety", "calendar", "business")),
        "due": times.due,
        "opens": duties.openings,
        "met_by": duties.evidence,
        "reopening": unsure("opened again while running"),
        "at_most": times.at_most,
        "ladder": times.ladder_of,
        "waived_by": names("role widened or narrowed: waived by", "laxer", "stricter"),
        "waived_when": guarded("may be waived while", "laxer"),
        "source": SOURCE,
    },
}

_PROTOCOL: Mapping[str, Rule] = {
    "emergency": nested,
    "risk": nested,
    "obligations": parts("obligation", "stricter", "laxer"),
    "ladders": parts("ladder", "other", "laxer"),
    "stages": parts("stage", "laxer", "laxer", "laxer"),
    "steps": parts("step", "other", "laxer"),
    "decisions": parts("decision", "other", "laxer"),
    "tables": parts("table", "other", "laxer"),
    "instruments": parts("instrument", "other", "laxer"),
    "facts": parts("fact", "other", "laxer"),
    "closing": nested,
    "sud": flag("now about substance use as a whole", "no longer so marked (42 CFR Part 2)", "stricter", "laxer"),
    "parties": parts("party", "laxer", "laxer"),
    "roles": parts("role", "laxer", "stricter"),
    "owners": names("role widened or narrowed: may take over an episode", "laxer", "stricter"),
    "crisis_types": parts("crisis type", "other", "laxer"),
    "notices": parts("notice", "stricter", "laxer"),
    "refusals": parts("refusal", "stricter", "laxer"),
    "calendar": nested,
    "pages": nested,
    "properties": parts("property", "stricter", "laxer"),
    "initial": unsure("first stage"),
    "time_zone": unsure("time zone"),
    "migrates_from": wording("ways for open episodes of older versions"),
    "techniques": parts("technique", "other", "laxer"),
    "protocol": wording("name of the protocol"),
    "version": wording("version"),
    "title": TITLE,
    "summary": wording("summary"),
    "references": parts("reference", "other", "other"),
}

RULES: Mapping[type[Element], Mapping[str, Rule]] = {
    ProtocolSpec: _PROTOCOL,
    **_SMALL,
    **_STAGES,
    **_ACTS,
    **_DUTIES,
    **_PAGES,
    Migration: dict.fromkeys(SECTIONS, together),
    Carry: dict.fromkeys(("to", "deadline", "because"), together),
}
"""Part → field → how two values of it are compared. The order of fields is the order in which changes are told."""

ORDER: tuple[Effect, ...] = ("laxer", "stricter", "other")


def compare(old: ProtocolSpec, new: ProtocolSpec) -> list[Change]:
    """Every difference: laxer ones first, and of these what concerns safety; empty only for the same document."""
    place = Place(Versions(Ground(old), Ground(new), RULES), (), new.title, (old, new))
    found = {(one.subject, one.text, one.effect): one for one in place.compare(old, new)}
    return sorted(found.values(), key=lambda one: (ORDER.index(one.effect), not _safety(one, old, new)))


def _safety(change: Change, *versions: ProtocolSpec) -> bool:
    """Whether a change is about a safety duty, the risk, the emergency, or closing."""
    section, name = (*change.path, "", "")[:2]
    if section != "obligations":
        return section in ("risk", "emergency", "closing")
    return any(str(name) in one.obligations and one.obligations[str(name)].concern == "safety" for one in versions)


def as_text(changes: Sequence[Change]) -> str:
    """Changes for people, grouped by their effect."""
    lines: list[str] = []
    for effect in ORDER:
        group = [one for one in changes if one.effect == effect]
        if group:
            lines += [f"{HEADINGS[effect]} ({len(group)})", *(f"  {one.subject}: {one.text}" for one in group), ""]
    return "\n".join([*lines, summary(changes)])


HEADINGS: Mapping[Effect, str] = {
    "laxer": "LAXER, or can't be told",
    "stricter": "STRICTER",
    "other": "OTHER",
}


def summary(changes: Sequence[Change]) -> str:
    """How many changes of each effect there are."""
    return ", ".join(f"{sum(one.effect == effect for one in changes)} {effect}" for effect in ORDER)


def as_objects(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Changes as plain data."""
    return [
        {"effect": one.effect, "path": dotted(one.path), "subject": one.subject, "text": one.text} for one in changes
    ]
