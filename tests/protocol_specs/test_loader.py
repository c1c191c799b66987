"""Documents are read strictly, and every error says where it is and how to mend it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.duties import Ladder, Obligation
from protocol.elements import Fact
from protocol_specs.loader import load, load_protocol, read_yaml
from protocol_specs.located import Located, SpecErrors
from protocol_specs.yaml_text import Limits

OBLIGATION = """\
title: Call the client back
concern: safety
contact: true
owner: therapist
clock: safety
due: {by: risk, values: {high: 24h}, otherwise: 24h}
opens: [{entered: coping, when: {risk: {at_least: high}}}]
met_by: [{reached: client}]
ladder: usual
source: {grade: P}
"""


def errors(text: str | bytes, model: type[Any] | None = None, limits: Limits | None = None) -> list[str]:
    """Each error as `line:column message → remedy`."""

    def read() -> None:
        document = read_yaml(text, "x.yaml", limits or Limits())
        if model is not None:
            document.validate(model)

    with pytest.raises(SpecErrors) as caught:
        read()
    return [f"{each.line}:{each.column} {each.finding.message} → {each.finding.remedy}" for each in caught.value.found]


def test_words_stay_words() -> None:
    words = [
        "yes",
        "no",
        "on",
        "off",
        "12:30",
        "2026-12-01",
        "1.5",
        "007",
        "0x1F",
        "1e3",
        "Yes",
        ".inf",
        "+1",
    ]
    assert read_yaml("".join(f"- {word}\n" for word in words)).data == words


def test_whole_numbers_and_truths() -> None:
    read = read_yaml("a: [0, -3, 42, true, false, '1', \"true\"]\n").data
    assert read == {"a": [0, -3, 42, True, False, "1", "true"]}
    assert [type(each) for each in read["a"]] == [int, int, int, bool, bool, str, str]


def test_keys_are_always_words() -> None:
    assert read_yaml("{yes: 1, 2: 3, on: 4, true: 5}").data == {"yes": 1, "2": 3, "on": 4, "true": 5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "2:1 `a` is written twice; first in line 1"),
        ("a: &x 1\n", "1:4 `&x` is an anchor"),
        ("a: *x\n", "1:4 `*x` is an alias"),
        ("a: !tag 1\n", "1:4 the tag `!tag` is not allowed"),
        ("a: !!python/name:os.system 1\n", "1:4 the tag `tag:yaml.org,2002:python/name:os.system` is not"),
        ("a: {b: 1}\n<<: {c: 2}\n", "2:1 merging with `<<`"),
        ("a: 1\n---\nb: 2\n", "2:1 a second document"),
        ("? [a]\n: 1\n", "1:3 a key must be one word"),
        ("{: 1}\n", "1:2 something is missing here"),
        ("when:\nb: 1\n", "1:6 nothing is written behind `when`"),
        ("a: ~\n", "1:4 nothing is written behind `a`"),
        ("a: null\n", "1:4 nothing is written behind `a`"),
        ("a: {b}\n", "1:6 nothing is written behind `b`"),
        ("", "1:1 the file is empty"),
        ("# only a comment\n", "1:1 the file is empty"),
        ("a: [1, 2\n", "1:4 this `[` is not closed"),
        ("a: {b: 1\n", "1:4 this `{` is not closed"),
        ("a: b: c\n", "1:5 a colon stands where none is expected"),
        ("\ta: b\n", "1:1 a text can't begin with this character"),
        ("a: {u: http://x}\n", "1:12 a colon inside a text between"),
        ("a: 'x\n", "1:4 this quote is never closed"),
        ("a:\n  b: c\n \u00a0d: e\n", "3:2 U+00A0 only looks like a space"),
        ("a: b\x00c\n", "1:5 the invisible character U+0000"),
        ("a: b\n# \u202e\n", "2:3 the invisible character U+202E"),
        ("a: \x1b[31m\n", "1:4 the invisible character U+001B"),
        (b"a: b\nc: \xff\n", "2:4 this is not UTF-8 text"),
        ("a: b\nc: d\n e: f\n", "3:3 a colon stands where none is expected"),
    ],
)
def test_what_is_refused(text: str | bytes, expected: str) -> None:
    found = errors(text)
    assert found[0].startswith(expected)
    assert all(each.partition(" → ")[2] for each in found)


def test_all_errors_at_once() -> None:
    assert len(errors("a: &x 1\na: 2\nb: !t 3\nc:\n")) == 4


def test_a_byte_order_mark_is_no_error() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: b\n").data == {"a": "b"}


def test_a_good_model() -> None:
    assert read_yaml(OBLIGATION).validate(Obligation).durations() == ("24h", "24h")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("owner: th", "ownr: th", "4:1 `ownr` is not a key of the document → did you mean `owner`?"),
        ("concern: safety", "concern: safty", "2:10 `concern` can't be `safty` → did you mean `safety`?"),
        ("contact: true", "contact: yes", "3:10 `contact` must be true or false → write `true`"),
        (
            "high: 24h",
            "high: 24 h",
            "6:32 `high`: `24 h` is not a duration → write a whole number and a unit",
        ),
        ("otherwise:", "otherwize:", "6:38 `otherwize` is not a key of due → did you mean `otherwise`?"),
        ("{by: risk", "{bye: risk", "6:7 `bye` is not a key of due → did you mean `by`?"),
        ("[{reached: client}]", "{reached: client}", "8:1 `met_by` must be a list → put it in brackets"),
        ("ladder: usual", "ladder: Usual", "9:9 `ladder`: `Usual` is not a name → write `usual`"),
        ("source: {grade: P}", "note: x", "10:1 `note` is not a key of the document → `source` is missing here"),
        ("title: Call the client back", "title: 988", "1:8 `title` must be a text → put it in quotes"),
        ("title: Call the client back", 'title: ""', "1:8 `title` is empty → write a text"),
        ("title: Call the client back", f"title: {'x' * 601}", "1:8 `title` is longer than 600 characters → shorten"),
        ("met_by: [{reached: client}]", "met_by: []", "8:9 `met_by` needs at least 1 → add what is missing"),
        ("ladder: usual", "ladder: usual\nwaived_by: [" + "r, " * 201 + "]", "10:1 `waived_by` has more than 200"),
        ("ladder: usual", "ladder: usual\nat_most: 401", "10:10 `at_most` is too large → write 400 or less"),
        ("ladder: usual", "ladder: usual\nat_most: often", "10:10 `at_most` must be a whole number → write digits"),
        ("source: {grade: P}", "source: P", "10:9 `source` must be made of `name: value` lines"),
        ("at_least", "at_leest", "7:34 `risk`: `at_leest` is no comparison → did you mean `at_least`?"),
        (
            "due: {by: risk, values: {high: 24h}, otherwise: 24h}",
            "due: 24",
            "6:6 `due`: `24` is not a duration",
        ),
        (
            "due: {by: risk, values: {high: 24h}, otherwise: 24h}",
            "due: 1wd",
            "6:1 the document: 1wd runs on",
        ),
    ],
)
def test_a_model_that_does_not_fit(old: str, new: str, expected: str) -> None:
    assert old in OBLIGATION
    found = errors(OBLIGATION.replace(old, new), Obligation)
    assert any(each.startswith(expected) for each in found), found


def test_a_missing_key_says_what_it_means() -> None:
    found = errors(OBLIGATION.replace("source: {grade: P}\n", ""), Obligation)
    assert found == ["1:1 `source` is missing → add `source: …` (Where a number or rule comes from.)"]


def test_only_the_kind_that_fits_best_is_reported() -> None:
    """`due` may be a duration, a table or a moment: an error in a table is not told three times."""
    table = "due: {by: risk, values: {high: x}}"
    found = errors(OBLIGATION.replace("due: {by: risk, values: {high: 24h}, otherwise: 24h}", table), Obligation)
    assert len(found) == 1


def test_a_wrong_key_is_marked_at_the_key() -> None:
    found = errors("ask: x\ntype: number\nminimum: 0\nmaximum: 9\nbands: {Low: [0, 9]}\n", Fact)
    assert found == ["5:9 `Low` is not a name → write `low`: lower-case words joined by underscores"]


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(SpecErrors, match="there is no such file"):
            load(path, Ladder)


def test_limits() -> None:
    assert errors("a: [1, 2]", limits=Limits(nodes=4))[0].startswith("1:8 more than 4 keys and values")
    assert errors("a: [[1]]", limits=Limits(depth=3))[0].startswith("1:6 nested more than 3 deep")
    assert errors("a: b", limits=Limits(size=3))[0].startswith("1:1 the file is larger than 3 bytes")
    assert read_yaml("a: [1]", limits=Limits(size=6, depth=3, nodes=4)).data == {"a": [1]}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: b", encoding="utf-8")
    with (
        patch.object(Path, "open", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(SpecErrors, match="the file can't be read: Permission denied"),
    ):
        load(path, Ladder)


def test_too_many_errors_end_the_reading() -> None:
    assert len(errors("a: &x 1\n" * 500)) == 100


BOMBS = {
    "aliases": "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(20_000)),
    "deep brackets": "[" * 900_000,
    "deep mappings": "{a: " * 200_000,
    "deep indentation": "".join(" " * i + "a:\n" for i in range(1300)),
    "many keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
    "many items": "[" + "1," * 450_000 + "]",
    "dashes": "- " * 450_000,
    "one line": "a: " + "x" * 990_000,
    "quotes": "a: '" + "''" * 490_000 + "'",
    "too large": "x" * 1_000_001,
    "same key": "a: 1\n" * 190_000,
    "questions": "? " * 400_000,
    "open quote": 'a: "' + "\n" * 900_000,
    "comments": "# x\n" * 240_000,
    "braces": "{" * 1000 + "a" * 900_000,
    "anchors": "a: " + "&a " * 300_000,
    "tags": "%TAG ! tag:" + "x" * 900_000,
}

ROOT = Path(__file__).parents[2]
MEASURE = """
import sys, time
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_yaml
from protocol_specs.located import Located, SpecErrors
from tests.memory import peak_kilobytes
text = sys.stdin.buffer.read()
began = time.process_time()
try:
    read_yaml(text).validate(ProtocolSpec)
except SpecErrors as error:
    print(time.process_time() - began, peak_kilobytes(), len(error.found))
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_document_ends_in_an_error(name: str) -> None:
    began = time.process_time()
    with pytest.raises(SpecErrors):
        read_yaml(BOMBS[name]).validate(Obligation)
    assert time.process_time() - began < 2


@pytest.mark.full
def test_a_hostile_document_takes_little_memory() -> None:
    for name, bomb in BOMBS.items():
        run = subprocess.run(
            [sys.executable, "-c", MEASURE], input=bomb.encode(), capture_output=True, check=True, cwd=ROOT
        )
        seconds, kilobytes, found = run.stdout.split()
        assert float(seconds) < 2, name
        assert int(kilobytes) < 500_000, name
        assert 1 <= int(found) <= 100, name


def found_in(content: str | bytes) -> tuple[Located, ...]:
    try:
        read_yaml(content)
    except SpecErrors as error:
        return error.found
    return ()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    assert all(each.line >= 1 and each.column >= 1 and each.finding.remedy for each in found_in(content))


@given(
    st.recursive(
        st.sampled_from(["a: b", "[x, y]", "{a: 1}", "- x", "'q'", "&a x", "*a", "!t", "? k", "yes", "|\n  t"]),
        lambda inner: st.builds(
            lambda a, b, c: f"{a}{b}{c}", inner, st.sampled_from(["\n", "\n  ", ": ", ", "]), inner
        ),
        max_leaves=12,
    )
)
def test_any_mixture_is_read_or_refused(text: str) -> None:
    assert all(each.finding.message for each in found_in(text))


def test_places() -> None:
    document = read_yaml("a:\n  b: [x, {c: y}]\nd: z\n")
    assert document.place(("d",)) == (3, 4)
    assert document.place(("d",), about_key=True) == (3, 1)
    assert document.place(("a", "b", 1, "c")) == (2, 14)
    assert document.place(("a", "b", 1)) == (2, 10)
    assert document.place(("a", "b")) == (2, 3)
    assert document.place(("a", "missing")) == (1, 1)


def test_the_minimal_protocol_loads() -> None:
    assert load_protocol(Path(__file__).parent.parent / "specs" / "minimal.yaml").protocol == "minimal"
