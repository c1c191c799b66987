"""The rota: who answers now and in the coming two weeks, who is away and who stands in; leave, shifts and holidays.

What a change would do is told before it is kept: the hours in which nobody would be reached, and what stays behind.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.board import Board, Load, Watch
from practice.rotas import Change, Part, RotaError, new_change
from protocol.local_time import localized, show_clock
from protocol.roster import Gap, answering, gaps
from protocol.rota import WEEKDAYS, Rota, resolve
from protocol.words import plain
from web.access import authorize
from web.effective import effective
from web.episodes import form_of
from web.guard import May
from web.looks import NOTHING, Visit
from web.pages import fresh_key, page
from web.people import names_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("directory.read", NOTHING))]
Keeper = Annotated[Visit, Depends(May("directory.write", NOTHING))]

AHEAD = timedelta(days=14)
LOOKED = timedelta(days=56)
"""How far ahead a change is tried: further than most leave is planned."""
MOST_GAPS = 20
PARTS: dict[str, Part] = {"leave": "leave", "shift": "shifts", "holiday": "holidays"}
"""What a form may change → where it stands in the rota."""


@router.get("/rota")
async def rota(request: Request, visit: Reader) -> Response:
    """The page."""
    return await shown(request, visit, {})


@router.post("/rota")
async def change(request: Request, visit: Keeper) -> Response:
    """Tell what a change would do; keep it when that was seen."""
    typed = {name: " ".join(values).strip() for name, values in (await form_of(request)).items()}
    parts, now = visit.parts, visit.parts.clock()
    try:
        wanted = meant(typed, visit.parts.rota.zone, visit.actor.account_id, now)
        if typed.get("seen") == "yes":
            await parts.rota.save(wanted)
            return RedirectResponse("/rota#changes", 303)
        after = await parts.rota.tried(wanted)
    except RotaError as error:
        return await shown(request, visit, typed, problem=str(error))
    specs = tuple((await effective(parts)).values())
    before = set(gaps(await parts.rota.current(), specs, now, now + LOOKED))
    fresh = [gap for gap in gaps(after, specs, now, now + LOOKED) if gap not in before]
    return await shown(request, visit, typed, fresh=fresh, left=await left_behind(visit, wanted, now))


@router.post("/rota/changes/{change_id}/undo")
async def undo(request: Request, visit: Keeper, change_id: str) -> Response:
    """Let a change count no longer."""
    try:
        await visit.parts.rota.undo(change_id, visit.actor.account_id, visit.parts.clock())
    except RotaError as error:
        return await shown(request, visit, {}, problem=f"It can't be undone: {error}")
    return RedirectResponse("/rota#changes", 303)


def meant(typed: dict[str, str], zone: Any, by: str, now: datetime) -> Change:
    """The change that a form means. Raises RotaError."""
    part = PARTS.get(typed.get("what", ""))
    key = typed.get("key", "")[:64]
    if part is None or not key:
        raise RotaError("the form was not complete; fill it in again")
    if part == "leave":
        entry: dict[str, Any] = {"person": typed.get("person", ""), "first": _day(typed, "first")}
        entry |= {"last": _day(typed, "last") if typed.get("last") else entry["first"]}
        entry |= {"cover": typed["cover"]} if typed.get("cover") else {}
    elif part == "holidays":
        entry = {"day": _day(typed, "day"), "name": typed.get("name", "")}
    else:
        days = [day for day in WEEKDAYS if day in typed.get("days", "").split()]
        entry = {"role": typed.get("role", ""), "person": typed.get("person", "")}
        hours = (_clock(typed, "begins"), _clock(typed, "ends"))
        if days:
            weekly = {"days": days, "begins": f"{hours[0]}:00", "ends": f"{hours[1]}:00", "on_holidays": True}
            entry["weekly"] = weekly
        else:
            entry |= _once(_day(typed, "day"), hours, zone)
    return new_change("remove" if typed.get("act") == "remove" else "add", part, entry, by, now, key)


def _once(day: str, hours: tuple[str, str], zone: Any) -> dict[str, str]:
    """From an hour of a day to an hour of the same day, or of the next where that is earlier."""
    first, last = (datetime.fromisoformat(f"{day}T{hour}") for hour in hours)
    last += timedelta(days=1) if last <= first else timedelta(0)
    return {"begins": localized(first, zone).isoformat(), "ends": localized(last, zone).isoformat()}


def _day(typed: dict[str, str], name: str) -> str:
    try:
        return date.fromisoformat(typed.get(name, "")).isoformat()
    except ValueError:
        raise RotaError("write each day as 2026-12-24") from None


def _clock(typed: dict[str, str], name: str) -> str:
    try:
        return datetime.strptime(typed.get(name, ""), "%H:%M").strftime("%H:%M")  # noqa: DTZ007 - an hour, no moment
    except ValueError:
        raise RotaError("write hours as 08:00") from None


async def left_behind(visit: Visit, wanted: Change, now: datetime) -> dict[str, Any] | None:
    """What somebody who goes on leave leads now; None for other changes."""
    if wanted.part != "leave" or wanted.act == "remove":
        return None
    person = str(wanted.entry["person"])
    records = Board(visit.parts.database)
    load = next((one for one in await records.loads(now) if one.owner == person), Load(person))
    _, total = await records.page(Watch(person), now, 1, 1)
    return {"person": person, "episodes": total, "severe": load.severe, "late": load.late}


async def shown(
    request: Request,
    visit: Visit,
    typed: dict[str, str],
    *,
    problem: str = "",
    fresh: list[Gap] | None = None,
    left: dict[str, Any] | None = None,
) -> Response:
    """The page, with what was typed and what it would do."""
    parts, now = visit.parts, visit.parts.clock()
    known, zone = await parts.rota.current(), parts.rota.zone
    today = now.astimezone(zone).date()
    roles = sorted({role for person in known.people for role in person.roles})
    away = [leave for leave in known.leave if leave.last >= today]
    may_change = authorize(visit.actor, "directory.write")
    return await page(
        request,
        "rota.html",
        status=422 if problem else 200,
        answering=[(plain(role).capitalize(), resolve(known, role, now)) for role in roles],
        leave=sorted(away, key=lambda one: (one.first, one.person)),
        people=known.by_id,
        today=today,
        gaps=gaps(known, tuple((await effective(parts)).values()), now, now + AHEAD)[:MOST_GAPS],
        days=AHEAD.days,
        calendar=calendar(known, today, zone),
        on_duty=[plain(role).capitalize() for role in known.shifts_of],
        staff=[{"value": one.id, "label": one.name} for one in known.people],
        roles=[{"value": role, "label": plain(role).capitalize()} for role in roles],
        changes=await parts.rota.listed() if may_change else (),
        names=await names_of(parts),
        may_change=may_change,
        typed=typed,
        problem=problem,
        previewed=fresh is not None,
        fresh=(fresh or [])[:MOST_GAPS],
        left_behind=left,
        looked=LOOKED.days,
        key=typed.get("key", "") or fresh_key(),
    )


def calendar(known: Rota, today: date, zone: Any) -> list[dict[str, Any]]:
    """The coming days: who answers when for each role that has shifts, who is away, and holidays."""
    found: list[dict[str, Any]] = []
    for number in range(AHEAD.days):
        day = today + timedelta(days=number)
        begins, ends = (
            localized(datetime.combine(one, datetime.min.time()), zone) for one in (day, day + timedelta(1))
        )
        found.append(
            {
                "day": day,
                "said": f"{day:%a} {day.day} {day:%b}",
                "holiday": known.holidays.get(day, ""),
                "away": [known.by_id[one.person].name for one in known.leave if one.first <= day <= one.last],
                "roles": [
                    [_stretch(one, zone) for one in answering(known, role, begins, ends)] for role in known.shifts_of
                ],
            }
        )
    return found


def _stretch(one: Any, zone: Any) -> dict[str, str]:
    names = ", ".join(person.name for person in one.people)
    begins, ends = show_clock(one.begins, zone), show_clock(one.ends, zone)
    return {"hours": "all day" if begins == ends else f"{begins}–{ends}", "names": names}
