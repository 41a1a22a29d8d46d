"""Evening out: noise goes where halves agree, intentions stay where they differ."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.finish.mirror import evened

SIDE = 128


def face(shift: int = 0) -> np.ndarray:
    """A disc with two eyes, its axis ``shift`` half-pixels off the middle: float32 straight."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x = x - (SIDE - 1 + shift) / 2
    y = y - SIDE / 2
    pixels = np.zeros((SIDE, SIDE, 4), np.float32)
    pixels[x**2 + y**2 < 50**2] = (240, 180, 40, 255)
    for side in (-1, 1):
        pixels[(x - side * 18) ** 2 + (y + 10) ** 2 < 36] = (30, 25, 20, 255)
    return pixels


def noisy(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 3, pixels.shape).astype(np.float32)
    noise[..., 3] = 0
    return np.clip(pixels + noise * (pixels[..., 3:] > 0), 0, 255)


@pytest.mark.parametrize("shift", [0, 1, 4, -3])
def test_noise_is_halved_and_both_sides_become_alike(shift: int) -> None:
    clean = face(shift)
    before = noisy(clean)
    after = evened(before)
    inside = clean[..., 3] > 0
    assert np.abs(after - clean)[inside].std() < 0.8 * np.abs(before - clean)[inside].std()
    axis = SIDE - 1 + shift
    columns = np.arange(max(0, axis - SIDE + 1), min(SIDE, axis + 1))
    np.testing.assert_allclose(after[:, columns], after[:, axis - columns], atol=0.01)


def test_what_differs_by_intention_stays() -> None:
    winking = face()
    winking[40:70, 75:95] = (240, 180, 40, 255)  # no eye on the right
    after = evened(winking)
    np.testing.assert_allclose(after, winking, atol=0.5)


def test_what_has_no_axis_comes_back_untouched() -> None:
    leaning = np.zeros((SIDE, SIDE, 4), np.float32)
    for row in range(20, 100):
        leaning[row, row : row + 20] = (200, 30, 30, 255)
    assert evened(leaning) is leaning
    half = face()
    half[:, : SIDE // 2] = np.where(
        half[:, : SIDE // 2, 3:] > 0, np.float32([20, 20, 220, 255]), half[:, : SIDE // 2]
    )
    assert evened(half) is half, "two colours, one a side: by intention"
    empty = np.zeros((SIDE, SIDE, 4), np.float32)
    assert evened(empty) is empty


def test_the_input_is_not_written_to() -> None:
    before = noisy(face())
    copy = before.copy()
    evened(before)
    np.testing.assert_array_equal(before, copy)
