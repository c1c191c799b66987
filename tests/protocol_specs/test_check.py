"""Each mistake in a protocol is found, at its line, with a remedy; a good protocol has no finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.check import check
from protocol.findings import dotted
from protocol.spec import ProtocolSpec
from protocol_specs.lint import as_json, as_text, lint
from protocol_specs.loader import load_protocol, read_file, read_yaml
from protocol_specs.located import Located, SpecErrors

SPECS = Path(__file__).parent.parent / "specs"
MINIMAL = SPECS / "minimal.yaml"
TEXT = MINIMAL.read_text(encoding="utf-8")
MISTAKES = {
    f"{part}: {name}": mistake
    for part, mistakes in read_file(SPECS / "mistakes.yaml").data.items()
    for name, mistake in mistakes.items()
}


def found_in(text: str) -> list[Located]:
    document = read_yaml(text, "x.yaml")
    return document.locate(check(document.validate(ProtocolSpec)))


def test_a_good_protocol_has_no_finding() -> None:
    assert found_in(TEXT) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    mistake = MISTAKES[name]
    assert TEXT.count(mistake["old"]) == 1
    text = TEXT.replace(mistake["old"], mistake["new"])
    told = {f"{each.finding.severity}: {each.finding.message}": each for each in found_in(text)}
    says = mistake["says"] if isinstance(mistake["says"], list) else [mistake["says"]]
    matching = [each for said, each in told.items() if said.startswith(tuple(says))]
    assert matching, list(told)
    assert mistake.get("at", "") in text.splitlines()[matching[0].line - 1]
    assert matching[0].finding.remedy


def test_deadlines_under_conditions_that_cover_every_case_are_enough() -> None:
    both = "[{entered: talk, when: {risk: high}}, {entered: talk, when: {not: {risk: high}}}]"
    assert found_in(TEXT.replace("opens: [{entered: talk}]", f"opens: {both}")) == []


def test_a_name_is_found_among_nested_terms() -> None:
    wrong = TEXT.replace("any: [{distress_score: severe}", "any: [{all: [{distress_scor: severe}, {support: nobody}]}")
    (found,) = [each for each in found_in(wrong) if "distress_scor`" in each.finding.message]
    assert "distress_scor: severe" in wrong.splitlines()[found.line - 1]
    assert found.finding.remedy.startswith("did you mean `distress_score`")


def test_only_errors_keep_a_protocol_from_loading(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.replace("references:\n", "references:\n  R9: {title: Unread}\n"), encoding="utf-8")
    assert load_protocol(path).protocol == "minimal"
    path.write_text(TEXT.replace("initial: talk", "initial: talking"), encoding="utf-8")
    with pytest.raises(SpecErrors, match="`talking` is not a stage of this protocol"):
        load_protocol(path)


def test_lint_tells_text_and_json(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.replace("{reached: client}", "{reached: clent}"), encoding="utf-8")
    found = lint(path)
    line = 1 + TEXT[: TEXT.index("{reached: client}")].count("\n")
    expected = f"{path}:{line}:24: error: `clent` is not a party of this protocol\n    → did you mean `client`?\n"
    assert as_text(found).startswith(expected)
    assert as_text(found).endswith("1 error, 0 warnings")
    assert '"path": "obligations.call_back.met_by[0].reached"' in as_json(found)
    assert f'"line": {line}' in as_json(found)


def test_lint_never_raises(tmp_path: Path) -> None:
    assert lint(tmp_path / "none.yaml")[0].finding.message == "there is no such file"


WORDS = sorted({word.strip("{}[],:\"'") for word in TEXT.split()} - {""})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(WORDS)), min_size=1, max_size=6))
def test_any_mixed_up_protocol_is_told_or_passes(swaps: list[tuple[int, str]]) -> None:
    """Words of the protocol in wrong places never break the check, and each finding has a place."""
    words = TEXT.split(" ")
    for position, word in swaps:
        words[position % len(words)] = word
    try:
        found = found_in(" ".join(words))
    except SpecErrors as errors:
        found = list(errors.found)
    assert all(each.line >= 1 and each.finding.remedy for each in found)


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("stages", "settle", "steps", 0, "when")) == "stages.settle.steps[0].when"
