"""The colour space: published values, round trips, colours no screen can show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.oklab import evenly, from_evenly, oklab_to_srgb, srgb_to_oklab

RGB = st.tuples(*[st.integers(0, 255)] * 3)


# Values of the CSS Color 4 specification's sample conversions.
@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_published_values(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    assert srgb_to_oklab(np.array(rgb, np.uint8)) == pytest.approx(np.array(lab), abs=2e-4)


@given(RGB)
def test_round_trip(rgb: tuple[int, int, int]) -> None:
    assert tuple(oklab_to_srgb(srgb_to_oklab(np.array(rgb, np.uint8)))) == rgb


@given(RGB)
def test_bytes_and_floats_agree(rgb: tuple[int, int, int]) -> None:
    exact = np.array(rgb, np.uint8)
    assert np.allclose(srgb_to_oklab(exact), srgb_to_oklab(exact.astype(np.float64)))


@given(RGB)
def test_evening_can_be_undone(rgb: tuple[int, int, int]) -> None:
    lab = srgb_to_oklab(np.array(rgb, np.uint8))
    assert np.allclose(from_evenly(evenly(lab)), lab, atol=1e-6)


def test_evening_brings_blacks_together_and_keeps_white() -> None:
    blacks = srgb_to_oklab(np.array([[0, 0, 0], [20, 20, 20]], np.uint8))
    near, far = (np.linalg.norm(np.diff(space, axis=0)) for space in (evenly(blacks), blacks))
    assert near < 0.5 * far
    assert evenly(np.array([1.0, 0.0, 0.0])) == pytest.approx(np.array([1.0, 0.0, 0.0]), abs=1e-3)


def test_a_colour_beyond_the_screen_keeps_its_hue_and_lightness() -> None:
    wild = np.array([0.6, -0.05, -0.35])  # a blue no screen has
    shown = srgb_to_oklab(oklab_to_srgb(wild))
    assert shown[0] == pytest.approx(wild[0], abs=0.01)
    assert np.arctan2(shown[2], shown[1]) == pytest.approx(np.arctan2(wild[2], wild[1]), abs=0.03)


def test_a_colour_is_shown_alike_alone_and_among_others() -> None:
    colours = np.array([[0.6, -0.05, -0.35], [0.7, 0.0, 0.0], [0.9, 0.3, 0.3], [0.2, 0.1, 0.0]])
    together = oklab_to_srgb(colours.reshape(2, 2, 3)).reshape(4, 3)
    assert (together == [oklab_to_srgb(colour) for colour in colours]).all()
