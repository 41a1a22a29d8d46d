"""Few flat colours out of noisy pixels, and where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.finish.alpha import clean_alpha
from sfumato.finish.palette import Layers, separate_colours

ORANGE, CREAM, BLACK = (240, 140, 30), (250, 225, 170), (30, 30, 34)


def solid(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    alpha = np.full((*rgb.shape[:2], 1), 255.0)
    return np.concatenate([rgb, alpha], axis=2).astype(np.float32)


def test_a_rough_face_has_its_three_colours(rough_face: NDArray[np.uint8]) -> None:
    layers = separate_colours(clean_alpha(rough_face))
    assert len(layers.colours) == 3
    for found, true in zip(layers.colours, (ORANGE, CREAM, BLACK), strict=True):
        assert np.abs(found.astype(int) - true).max() <= 8


def test_shares_fall_and_add_up(face: NDArray[np.uint8]) -> None:
    layers = separate_colours(clean_alpha(face))
    assert layers.shares.sum() == pytest.approx(1.0)
    assert (np.diff(layers.shares) < 0).all()


def test_cover_is_alpha_split_between_colours(face: NDArray[np.uint8]) -> None:
    cleaned = clean_alpha(face)
    layers = separate_colours(cleaned)
    assert np.allclose(layers.cover.sum(axis=0), cleaned[..., 3] / 255.0, atol=1e-5)


def test_an_edge_pixel_is_split_by_its_mixture() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 33:] = (200, 30, 30), (30, 30, 200)
    rgb[:, 32] = (157, 30, 73)  # three quarters red
    layers = separate_colours(solid(rgb))
    assert len(layers.colours) == 2  # the mixture did not become a colour
    red = int(np.argmax(layers.colours[:, 0]))
    assert np.allclose(layers.cover[red, 5:-5, 32], 0.75, atol=0.03)


def test_noise_on_one_colour_is_one_colour() -> None:
    rng = np.random.default_rng(3)
    rgb = np.clip(rng.normal((90, 160, 70), 7.0, (128, 128, 3)), 0, 255).astype(np.uint8)
    assert len(separate_colours(solid(rgb)).colours) == 1


def test_two_blacks_nobody_can_tell_apart_are_one() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = 4, 12  # 0.05 apart in plain Oklab
    assert len(separate_colours(solid(rgb)).colours) == 1


def test_nothing_drawn_has_no_layers() -> None:
    layers = separate_colours(np.zeros((16, 16, 4), np.float32))
    assert layers.colours.shape == (0, 3)
    assert layers.silhouette().cover.shape == (0, 16, 16)


def test_recolouring_joins_areas_that_came_out_alike(face: NDArray[np.uint8]) -> None:
    layers = separate_colours(clean_alpha(face))
    same = np.array([[10, 20, 200], [10, 20, 201], [0, 0, 0]], np.uint8)
    joined = layers.recoloured(same)
    assert joined.colours.tolist() == [[10, 20, 200], [0, 0, 0]]
    assert joined.shares.sum() == pytest.approx(1.0)
    assert np.allclose(joined.cover[0], layers.cover[0] + layers.cover[1])


def test_silhouette_is_everything(face: NDArray[np.uint8]) -> None:
    layers = separate_colours(clean_alpha(face))
    whole = layers.silhouette()
    assert isinstance(whole, Layers) and whole.cover.shape == (1, 256, 256)
    assert np.allclose(whole.cover[0], layers.cover.sum(axis=0))
