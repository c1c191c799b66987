"""What the address of an auditor's page asks for: empty fields ask for nothing, days are those of the practice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _given(value: object) -> object:
    return value or None


Day = Annotated[date | None, BeforeValidator(_given)]
Word = Annotated[
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] | None, BeforeValidator(_given)
]


class Asked(BaseModel):
    """A period and a page; each list adds its own fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    first: Day = Field(default=None, alias="from")
    last: Day = Field(default=None, alias="to")
    """The last day, included."""
    page: int = Field(default=1, ge=1, le=100_000)

    def begins(self, zone: ZoneInfo) -> datetime | None:
        """When the first day begins."""
        return None if self.first is None else _midnight(self.first, zone)

    def ends(self, zone: ZoneInfo) -> datetime | None:
        """When the last day is over."""
        return None if self.last is None else _midnight(self.last + timedelta(days=1), zone)

    @property
    def filters(self) -> dict[str, Any]:
        """What was asked for, but the page, as the address has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"page"})

    def address(self, path: str) -> str:
        """This list with these filters, ready for a page's number."""
        return f"{path}?{urlencode({**self.filters, 'page': ''})}"


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
