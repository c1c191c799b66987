"""The canonical layout: keys in the order of the schema, comments where they belong, nothing said differently."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from protocol.spec import ProtocolSpec
from protocol_specs.layout import laid_out
from protocol_specs.loader import read_yaml
from protocol_specs.located import SpecErrors
from protocol_specs.writing import yaml_text

ROOT = Path(__file__).parents[2]
MINIMAL = ROOT / "tests/specs/minimal.yaml"
PROTOCOLS = [MINIMAL, *(ROOT / f"protocol_specs/{name}.yaml" for name in ("caring_contacts", "virtual_iop_crisis"))]


def meaning(text: str) -> str:
    return read_yaml(text).validate(ProtocolSpec).content_hash


def comments(text: str) -> list[tuple[str, str]]:
    """Each comment line with the next line that is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return sorted(
        (line, next((one for one in lines[place:] if not one.startswith("#")), ""))
        for place, line in enumerate(lines)
        if line.startswith("#") and not line.startswith("# The smallest")
    )


@pytest.mark.full
@pytest.mark.parametrize("path", PROTOCOLS, ids=lambda path: path.stem)
def test_what_ships_keeps_its_meaning_and_settles_at_once(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    done = laid_out(text)
    assert meaning(done) == meaning(text)
    assert laid_out(done) == done
    assert len(comments(done)) == len(comments(text))


def test_keys_come_in_the_order_of_the_schema() -> None:
    text = yaml_text(
        {"version": "1.0.0", "protocol": "x", "stages": {"b": {"kind": "open", "title": "B"}, "a": {"title": "A"}}}
    )
    done = laid_out(text)
    assert done == 'protocol: x\nversion: "1.0.0"\n\nstages: {b: {title: B, kind: open}, a: {title: A}}\n'


def test_comments_go_with_the_key_below_them() -> None:
    done = laid_out(
        "# about the whole\n\n# how it is called\ntitle: T   # at the end\n# its name\nprotocol: x\n"
        "stages:\n    # about b\n    b:\n        # kinds\n        kind: open\n        title: B\n    # the end\n"
    )
    assert done == (
        "# about the whole\n\n# its name\nprotocol: x\n# how it is called\ntitle: T   # at the end\n\n"
        "stages:\n  # about b\n  b:\n    title: B\n    # kinds\n    kind: open\n# the end\n"
    )


def test_texts_of_several_lines_stay_as_they_are() -> None:
    text = (
        "summary: >-\n     first line\n       # no comment\n\n     last line\nprotocol: x\n"
        "title: 'it''s\n  long'\nfacts:\n    a: {type: yes_no,\n        ask: \"What: now?\"}\n"
    )
    done = laid_out(text)
    assert read_yaml(done).data == read_yaml(text).data
    assert done.startswith("protocol: x\ntitle: 'it''s\n  long'\nsummary: >-\n     first line\n       # no comment\n\n")
    assert done.endswith('facts:\n  a: {ask: "What: now?",\n      type: yes_no}\n')


def test_lists_are_indented_and_their_entries_ordered() -> None:
    done = laid_out(
        "risk:\n  rules:\n  -   when: {a: yes}\n      level: low\n  # the second\n  -   {when: {a: no}, level: none}\n"
    )
    assert done == (
        "risk:\n  rules:\n    - level: low\n      when: {a: yes}\n"
        "    # the second\n    - {level: none, when: {a: no}}\n"
    )


def test_a_comment_within_brackets_keeps_the_order() -> None:
    text = "stages:\n  b: {kind: open, # why\n      title: B}\n"
    assert laid_out(text) == text


def test_a_comment_that_has_no_place_after_a_dash_keeps_the_order() -> None:
    text = "risk:\n  rules:\n    - when: {a: yes}\n      # why\n      level: low\n"
    assert laid_out(text) == text


MODELS = ("steps", "obligations", "ladders", "decisions", "instruments", "tables", "stages")
"""Sections whose entries have keys of the schema; the names themselves are in an order that people see."""


def shuffled(random: Random, document: dict[str, Any]) -> dict[str, Any]:
    """The keys of a protocol and of its parts in another order."""

    def mixed(part: dict[str, Any]) -> dict[str, Any]:
        return {key: part[key] for key in random.sample(list(part), len(part))}

    sections = {name: {key: mixed(one) for key, one in document[name].items()} for name in MODELS}
    return mixed({**document, **sections})


def scattered(random: Random, text: str, step: int) -> str:
    """Wider indentation, blank lines, and comments where a key begins."""
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        indent = len(line) - len(line.lstrip())
        wide = " " * (indent // 2 * step)
        if line.lstrip().startswith("- "):
            line = "-" + " " * (step - 1) + line.lstrip()[2:]
        elif random.random() < 0.2:
            lines += ["", f"{wide}# remark {number}", ""][random.randrange(2) :][:2]
        lines.append(wide + line.lstrip())
    return "\n".join(lines)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
def test_however_it_was_written_it_means_the_same_and_settles(seed: int) -> None:
    random = Random(seed)
    data = read_yaml(MINIMAL.read_text(encoding="utf-8")).data
    text = scattered(random, yaml_text(shuffled(random, data)), random.choice((2, 3, 4, 6)))
    assert meaning(text) == meaning(MINIMAL.read_text(encoding="utf-8"))
    done = laid_out(text)
    assert meaning(done) == meaning(text)
    assert laid_out(done) == done
    assert sorted(one for one, _ in comments(done)) == sorted(one for one, _ in comments(text))
    orderly = laid_out(yaml_text(data))
    bare = [line for line in done.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert bare == [line for line in orderly.splitlines() if line.strip()]


def test_line_endings_and_empty_lines_become_ordinary() -> None:
    text = "protocol: x\r\n\r\n\r\ntitle: T\r\n\r\n\r\n# why\r\nsummary: S"
    assert laid_out(text) == "protocol: x\ntitle: T\n\n# why\nsummary: S\n"


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(SpecErrors):
        laid_out("protocol: [x\n")


@pytest.mark.parametrize("text", ["hello\n", "12\n", "- one\n- two\n"])
def test_what_is_no_mapping_is_told_so(text: str) -> None:
    with pytest.raises(SpecErrors, match="this is no protocol"):
        laid_out(text)


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_the_line_ends_of_other_systems_become_ours(ends: str) -> None:
    text = "protocol: x\nsummary: >-\n  One.\n  Two.\n"
    assert laid_out(text.replace("\n", ends)) == text
