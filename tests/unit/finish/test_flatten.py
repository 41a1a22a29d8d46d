"""Texture goes, edges and eyes stay, clean drawings pass untouched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.finish.bands import without_bands
from sfumato.finish.flatten import flattened, texture

SIDE = 96
EVERYWHERE = np.ones((SIDE, SIDE), np.bool_)


def picture() -> NDArray[np.float64]:
    """Two flat halves with a small dark eye in the left one."""
    lab = np.zeros((SIDE, SIDE, 3))
    lab[..., 0] = 0.75
    lab[:, SIDE // 2 :, 0] = 0.55
    lab[40:49, 20:29, 0] = 0.15
    return lab


def blotchy(seed: int = 0) -> NDArray[np.float64]:
    """The same with soft blotches about four pixels wide, and noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(0, 0.03, (SIDE // 4, SIDE // 4)).astype(np.float32))
    lab = picture()
    lab[..., 0] += np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return lab + rng.normal(0, 0.006, lab.shape)


def test_blotches_go_and_the_edge_stays() -> None:
    rough = blotchy()
    smooth = flattened(rough, EVERYWHERE)
    area = np.s_[5:35, 5:40, 0]
    assert smooth[area].std() < 0.4 * rough[area].std()
    assert smooth[70, 46, 0] - smooth[70, 50, 0] > 0.15  # of 0.2
    assert smooth[44, 24, 0] < 0.35


def test_a_flat_drawing_is_returned_as_it_is() -> None:
    assert np.array_equal(flattened(picture(), EVERYWHERE), picture())
    assert texture(picture(), EVERYWHERE) == 0.0


def test_what_lies_outside_neither_changes_nor_counts() -> None:
    rough = blotchy()
    inside = EVERYWHERE.copy()
    inside[:, 60:] = False
    loud = rough.copy()
    loud[:, 60:] += np.random.default_rng(1).normal(0, 0.3, loud[:, 60:].shape)
    smooth = flattened(loud, inside)
    assert np.array_equal(smooth[:, 60:], loud[:, 60:])
    assert np.abs(smooth[:, 59, 0] - 0.55).max() < 0.06


def test_nothing_inside_has_no_texture() -> None:
    assert texture(picture(), ~EVERYWHERE) == 0.0


def test_a_ramp_in_bands_becomes_one_colour_and_a_step_stays_two() -> None:
    ramp = np.zeros((SIDE, SIDE, 3))
    ramp[..., 0] = np.linspace(0.6, 0.72, SIDE)
    bands = np.minimum(np.arange(SIDE) // (SIDE // 3), 2)
    labels = np.broadcast_to(bands, (SIDE, SIDE)).astype(np.int64)
    centres = np.array([[0.62, 0, 0], [0.66, 0, 0], [0.70, 0, 0]])
    joined, colours = without_bands(ramp, labels, centres)
    assert len(np.unique(joined)) == 1
    assert abs(colours[joined[0, 0], 0] - 0.66) < 0.005

    step = centres[labels]
    kept, _ = without_bands(step, labels, centres)
    assert np.array_equal(kept, labels)


def test_far_colours_are_never_joined() -> None:
    ramp = np.zeros((SIDE, SIDE, 3))
    ramp[..., 0] = np.linspace(0.2, 0.9, SIDE)
    labels = np.broadcast_to(np.arange(SIDE) // (SIDE // 2), (SIDE, SIDE)).astype(np.int64)
    kept, _ = without_bands(ramp, labels, np.array([[0.37, 0, 0], [0.73, 0, 0]]))
    assert np.array_equal(kept, labels)
