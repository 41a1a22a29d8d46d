"""Clean transparency: what goes, what stays, and where the outline is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.finish.alpha import clean_alpha


def square(alpha: int = 255, side: int = 256) -> NDArray[np.uint8]:
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[64:192, 64:192] = (200, 40, 40, alpha)
    return pixels


def test_haze_and_specks_go() -> None:
    pixels = square()
    pixels[..., 3] = np.maximum(pixels[..., 3], 40)  # a veil over everything
    pixels[10:13, 10:13, 3] = 255  # a speck
    alpha = clean_alpha(pixels)[..., 3]
    assert (alpha[:60] == 0).all()
    assert (alpha[66:190, 66:190] == 255).all()


def test_eyes_of_rain_and_sparkle_stay() -> None:
    pixels = square()
    drops = [(20, 40), (20, 120), (20, 200)]
    for y, x in drops:
        pixels[y : y + 6, x : x + 6] = (60, 120, 220, 255)  # each too small to stay alone
    alpha = clean_alpha(pixels)[..., 3]
    assert all(alpha[y + 3, x + 3] == 255 for y, x in drops)


def test_one_such_drop_alone_goes() -> None:
    pixels = square()
    pixels[20:26, 40:46] = (60, 120, 220, 255)
    assert clean_alpha(pixels)[23, 43, 3] == 0


def test_a_large_island_stays_alone() -> None:
    pixels = square()
    pixels[10:24, 10:24] = (60, 120, 220, 255)
    assert clean_alpha(pixels)[17, 17, 3] == 255


def test_pinholes_close_and_real_holes_stay() -> None:
    pixels = square()
    pixels[100:102, 100:103, 3] = 0
    pixels[140:160, 140:160, 3] = 0
    alpha = clean_alpha(pixels)[..., 3]
    assert alpha[101, 101] == 255
    assert alpha[150, 150] == 0


def test_the_rim_takes_the_colour_of_the_body() -> None:
    pixels = square()
    pixels[64:192, 63] = (255, 255, 255, 128)  # a white fringe
    cleaned = clean_alpha(pixels)
    assert 0 < cleaned[100, 63, 3] < 255
    assert np.allclose(cleaned[100, 63, :3], (200, 40, 40))


def test_a_tiny_drawing_is_better_than_none() -> None:
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[120:124, 120:124] = 255
    assert clean_alpha(pixels)[121, 121, 3] == 255


def test_half_clear_body_becomes_solid() -> None:
    assert (clean_alpha(square(alpha=170))[70:180, 70:180, 3] == 255).all()
