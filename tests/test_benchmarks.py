"""Figures reach the page that tells them."""

from __future__ import annotations

from benchmarks.keeping import DOCS, into_docs

PAGE = "# A\n\n<!-- figures: prove -->\nold\n<!-- end: prove -->\n\nrest\n"


def test_figures_replace_those_between_the_marks() -> None:
    told = into_docs(PAGE, "prove", [{"protocol": "x", "s": 1.5}, {"protocol": "y", "s": 2}])
    table = "| protocol | s |\n| --- | --- |\n| x | 1.5 |\n| y | 2 |"
    assert told == f"# A\n\n<!-- figures: prove -->\n\n{table}\n\n<!-- end: prove -->\n\nrest\n"
    assert into_docs(told, "prove", [{"protocol": "x", "s": 1.5}, {"protocol": "y", "s": 2}]) == told


def test_a_page_without_marks_stays_as_it_was() -> None:
    assert into_docs(PAGE, "web", [{"page": "board"}]) == PAGE


def test_the_page_has_a_place_for_what_authors_wait_for() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in ("prove", "authoring", "versions"):
        assert into_docs(text, name, [{"told": "now"}]) != text
