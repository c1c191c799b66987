"""A list of clients as CSV: one line a client, with up to three contacts and the consents."""

from __future__ import annotations

import csv
import io
from typing import Any

from audit.cells import wrong_heading
from practice.clients import ClientFile, Unreadable, read_file

MOST_IMPORTED = 1_000
CONSENTS: dict[str, str] = {
    "telehealth": "Telehealth",
    "emergency_contact": "Emergency contact",
    "release": "Release to facilities",
    "part2": "Substance-use records (42 CFR Part 2)",
}
"""What a client is asked to agree to, by the name of its column."""
OWN = ("name", "born", "phone", "channel", "address", "county", "language", "note")
CONTACTS = ("contact", "contact2", "contact3")
OF_A_CONTACT = ("name", "relation", "phone", "consent", "scope", "never")
COLUMNS = (
    *OWN,
    *(f"{contact}_{part}" for contact in CONTACTS for part in OF_A_CONTACT),
    *(f"consent_{name}{end}" for name in CONSENTS for end in ("", "_on", "_until")),
)


def read_csv(text: str) -> tuple[ClientFile, ...]:
    """Clients from CSV with a heading; columns are those of `COLUMNS`. Raises Unreadable that names each line."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    files: list[ClientFile] = []
    problems: list[tuple[str, str]] = []
    try:
        if (problem := wrong_heading(tuple(rows.fieldnames or ()), COLUMNS, ("name",))) is not None:
            raise Unreadable([("line 1", problem)])
        for number, row in enumerate(rows, start=2):
            if number > MOST_IMPORTED + 1:
                raise Unreadable([(f"line {number}", f"import at most {MOST_IMPORTED} clients at once")])
            if None in row:
                problems.append((f"line {number}", "more cells than the heading has"))
                continue
            try:
                files.append(read_file(_written(row)))
            except Unreadable as error:
                problems += [(f"line {number}", f"{place}: {words}") for place, words in error.problems]
    except csv.Error as error:
        problems.append((f"line {rows.line_num}", f"is no CSV: {error}"))
    if not files and not problems:
        problems.append(("line 2", "there is no client below the heading"))
    if problems:
        raise Unreadable(problems[:50])
    return tuple(files)


def _written(row: dict[str, Any]) -> dict[str, Any]:
    filled = {key: str(value).strip() for key, value in row.items() if value and str(value).strip()}
    contacts = [
        {part: filled[f"{contact}_{part}"] for part in OF_A_CONTACT if f"{contact}_{part}" in filled}
        for contact in CONTACTS
    ]
    consents = [
        {
            "kind": kind,
            "answer": filled[f"consent_{name}"],
            "on": filled.get(f"consent_{name}_on", ""),
            "until": filled.get(f"consent_{name}_until", ""),
        }
        for name, kind in CONSENTS.items()
        if f"consent_{name}" in filled
    ]
    return {
        **{name: filled.get(name, "") for name in OWN},
        "contacts": [{**one, "never": one.get("never", "").lower() == "yes"} for one in contacts if one],
        "consents": consents,
    }
