"""Slender or broad, on the ground or in the air: what is known before anything is drawn."""

from __future__ import annotations

import pytest

from sfumato.prompt.build import proportions, stands


@pytest.mark.parametrize(
    ("subject", "is_built"),
    [
        ("candle", "slender"),
        ("lit candle", "slender"),
        ("Floor-lamp", "slender"),
        ("lamp", "square"),
        ("car", "broad"),
        ("car with a trailer", "broad"),
        ("fence of a garden", "broad"),
        ("race car", "broad"),
        ("cat", "square"),
        ("cat in a car", "square"),
        ("car wash", "square"),
        ("of", "square"),
        ("", "square"),
    ],
)
def test_some_nouns_fill_no_square(subject: str, is_built: str) -> None:
    width, height = proportions(subject)
    assert max(width, height) == 1
    if is_built == "square":
        assert width == height
    else:
        assert (width < 0.7) == (is_built == "slender")
        assert (height < 0.7) == (is_built == "broad")


def test_a_longer_name_is_the_more_exact_one() -> None:
    assert proportions("racing car")[1] < proportions("car")[1]


@pytest.mark.parametrize("subject", ["sun", "hot air balloon", "fish", "full moon", "check mark"])
def test_what_flies_swims_or_is_a_sign_does_not_stand(subject: str) -> None:
    assert not stands(subject)


@pytest.mark.parametrize("subject", ["cat", "sunflower", "sun hat", "bowl of fish", "bottle", ""])
def test_all_else_stands(subject: str) -> None:
    assert stands(subject)
