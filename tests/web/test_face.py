"""What the banner makes of what was written."""

from __future__ import annotations

import pytest

from web.face import dialled


@pytest.mark.parametrize(
    ("written", "tel"),
    [
        ("714-555-0134", "7145550134"),
        ("+1 (714) 555-0134 ext 5", "+17145550134"),
        ("her mother's, 714.555.0134, after six", "7145550134"),
        ("988", "988"),
        ("call me maybe 55", ""),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_a_number_is_dialled_without_the_words_around_it(written: str, tel: str):
    assert dialled(written) == tel
