"""Zero-shot labels: the right one wins, shares add up, and no choice is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.clip import load
from sfumato.clip.labels import check_labels, classify, embed_labels, probabilities
from sfumato.errors import RequestError


def plain(rgb: tuple[int, int, int]) -> np.ndarray:
    pixels = np.full((32, 32, 4), 255, np.uint8)
    pixels[..., :3] = rgb
    return pixels


def test_each_picture_gets_its_own_label_first() -> None:
    pictures = [plain((220, 30, 30)), plain((30, 60, 220)), plain((30, 160, 60))]
    found = classify(pictures, ["blue", "green", "red"], load("fake"))
    assert [guesses[0].label for guesses in found] == ["red", "blue", "green"]
    for guesses in found:
        assert sum(guess.probability for guess in guesses) == pytest.approx(1.0)
        shares = [guess.probability for guess in guesses]
        assert shares == sorted(shares, reverse=True)
        assert {guess.label for guess in guesses} == {"red", "green", "blue"}


def test_phrasings_are_averaged_to_unit_vectors() -> None:
    model = load("fake")
    both = embed_labels(["red"], model, ("{}", "blue {}"))[0]
    one = embed_labels(["red"], model, ("{}",))[0]
    assert np.linalg.norm(both) == pytest.approx(1.0, abs=1e-6)
    red, blue = model.encode_texts(["red", "blue"])
    assert one @ red > both @ red
    assert both @ blue > one @ blue


def test_labels_with_braces_are_text_and_not_templates() -> None:
    found = classify([plain((220, 30, 30))], ["{red}", "{0.__class__}"], load("fake"))
    assert found[0][0].label == "{red}"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "two labels"),
        (["cat"], "two labels"),
        (["cat", "  "], "empty"),
        (["cat", "dog", "Cat "], "twice"),
        (["cat", "d" * 301], "301 characters"),
        ([f"label {i}" for i in range(10_001)], "10,001"),
    ],
)
def test_what_is_no_choice_is_refused(labels: list[str], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        check_labels(labels)


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8),
    st.floats(0.1, 200),
)
def test_probabilities_keep_the_order_and_add_up(cosines: list[float], scale: float) -> None:
    shares = probabilities(np.array([cosines], np.float32), scale)[0]
    assert shares.sum() == pytest.approx(1.0)
    order = np.argsort(cosines, kind="stable")
    assert (np.diff(shares[order]) >= -1e-12).all()
