"""Resampling onto a ground: no fringe, exact place, blending as it should be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.finish.compose import Canvas, Placement
from sfumato.finish.raster import paste
from sfumato.finish.trace import FRAME

CANVAS = Canvas(1024.0, 1024.0)
WHOLE = Placement(1024.0 / FRAME, (0.0, 0.0))


def square(colour: tuple[int, int, int], alpha: float = 255.0) -> NDArray[np.float32]:
    """A square on the middle half of the frame, over clear pixels of an ugly green."""
    drawing = np.zeros((64, 64, 4), np.float32)
    drawing[..., :3] = (0, 255, 0)
    drawing[16:48, 16:48] = (*colour, alpha)
    return drawing


def test_clear_pixels_lend_no_colour() -> None:
    result = paste(square((200, 0, 0)), np.zeros((256, 256, 4), np.uint8), WHOLE, CANVAS)
    visible = result[result[..., 3] > 8]
    assert visible[:, 1].max() <= 2
    assert visible[:, 0].min() >= 195


def test_it_lands_where_it_is_placed() -> None:
    half = Placement(0.5 * WHOLE.scale, (256.0, 128.0))
    result = paste(square((200, 0, 0)), np.zeros((256, 256, 4), np.uint8), half, CANVAS)
    rows = np.nonzero((result[..., 3] > 127).any(axis=1))[0]
    columns = np.nonzero((result[..., 3] > 127).any(axis=0))[0]
    assert (rows[0], rows[-1]) == pytest.approx((64, 127), abs=1)
    assert (columns[0], columns[-1]) == pytest.approx((96, 159), abs=1)


def test_half_clear_red_on_solid_blue_is_their_mean() -> None:
    ground = np.zeros((64, 64, 4), np.uint8)
    ground[:] = (0, 0, 200, 255)
    result = paste(square((200, 0, 0), alpha=127.5), ground, WHOLE, CANVAS)
    assert result[32, 32].tolist() == pytest.approx([100, 0, 100, 255], abs=1)
    assert result[2, 2].tolist() == [0, 0, 200, 255]


def test_what_reaches_past_the_canvas_is_cut() -> None:
    large = Placement(4.0 * WHOLE.scale, (-1536.0, -1536.0))
    result = paste(square((200, 0, 0)), np.zeros((64, 64, 4), np.uint8), large, CANVAS)
    assert (result[..., 3] == 255).all()
