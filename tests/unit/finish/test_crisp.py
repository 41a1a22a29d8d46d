"""Soft borders become steep; what is clear, flat or steep already stays."""

from __future__ import annotations

import numpy as np

from sfumato.finish.crisp import crisp

SIDE = 256
RED, BLUE = np.array([220.0, 40.0, 30.0]), np.array([20.0, 60.0, 200.0])


def two_halves(ramp: int) -> np.ndarray:
    """Red on the left, blue on the right, a border ``ramp`` pixels wide; all solid."""
    share = np.clip((np.arange(SIDE) - (SIDE - ramp) / 2) / max(ramp, 1), 0.0, 1.0)[None, :, None]
    pixels = np.full((SIDE, SIDE, 4), 255.0, np.float32)
    pixels[..., :3] = RED + share * (BLUE - RED)
    return pixels


def mixed(pixels: np.ndarray) -> int:
    """Pixels that are neither of the two colours."""
    far = [np.abs(pixels[..., :3] - colour).max(axis=2) > 25 for colour in (RED, BLUE)]
    return int((far[0] & far[1]).sum())


def test_a_ramp_becomes_an_edge() -> None:
    soft = two_halves(6)
    assert mixed(soft) > 0
    assert mixed(crisp(soft)) < 0.6 * mixed(soft)


def test_flat_and_sharp_stay() -> None:
    pixels = two_halves(0)
    np.testing.assert_allclose(crisp(pixels), pixels, atol=0.5)


def test_noise_is_levelled() -> None:
    pixels = np.full((256, 256, 4), 255.0, np.float32)
    pixels[..., :3] = 128 + np.random.default_rng(0).normal(0, 12, (256, 256, 3))
    assert crisp(pixels)[..., :3].std() < 0.5 * pixels[..., :3].std()


def test_alpha_is_kept_and_clear_colour_does_not_bleed_in() -> None:
    pixels = np.zeros((256, 256, 4), np.float32)
    pixels[..., :3] = (0.0, 255.0, 0.0)  # the colour of nothing
    pixels[64:192, 64:192] = (*RED, 255.0)
    result = crisp(pixels)
    np.testing.assert_array_equal(result[..., 3], pixels[..., 3])
    np.testing.assert_allclose(
        result[64:192, 64:192, :3], np.broadcast_to(RED, (128, 128, 3)), atol=1.0
    )
