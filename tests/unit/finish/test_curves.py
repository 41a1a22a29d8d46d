"""Many points to few curves, with corners kept and circles round."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.finish.contours import find_contours
from sfumato.finish.curves import Outline, fit_outline

TOLERANCE = 0.36


def loop_of(field: NDArray[np.float64]) -> NDArray[np.float64]:
    return max(find_contours(field.astype(np.float32)), key=len)


def fitted(loop: NDArray[np.float64]) -> Outline:
    outline = fit_outline(loop, TOLERANCE)
    assert outline is not None
    return outline


def ellipse_field(rx: float, ry: float) -> NDArray[np.float64]:
    y, x = np.mgrid[:100, :100] + 0.5
    return 1.0 - np.hypot((x - 50) / rx, (y - 50) / ry)


@pytest.mark.parametrize(("rx", "ry"), [(4.0, 4.0), (30.0, 30.0), (12.0, 20.0)])
def test_an_ellipse_is_four_arcs(rx: float, ry: float) -> None:
    outline = fitted(loop_of(ellipse_field(rx, ry)))
    assert [len(piece) for piece in outline.pieces] == [3, 3, 3, 3]
    x, y = outline.sampled().T
    assert np.hypot((x - 50) / rx, (y - 50) / ry) == pytest.approx(1.0, abs=0.06)


def test_a_rectangle_is_four_lines_with_sharp_corners() -> None:
    y, x = np.mgrid[:100, :100] + 0.5
    field = np.minimum(30.0 - np.abs(x - 50), 20.0 - np.abs(y - 50))
    outline = fitted(loop_of(field))
    assert [len(piece) for piece in outline.pieces] == [1, 1, 1, 1]
    corners = np.array([piece[-1] for piece in outline.pieces])
    assert np.abs(np.abs(corners - 50) - (30, 20)).max() < 0.25


def test_few_curves_stay_close_to_a_wobbly_outline() -> None:
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 40 + 8 * np.sin(3 * turn)
    wobble = np.random.default_rng(2).normal(0, 0.08, 400)
    loop = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (radius + wobble)[:, None] + 60
    outline = fitted(loop)
    assert len(outline.pieces) <= 16
    away = outline.sampled() - 60
    expected = 40 + 8 * np.sin(3 * np.arctan2(away[:, 1], away[:, 0]))
    assert np.abs(np.hypot(*away.T) - expected).max() < 2 * TOLERANCE


def test_pieces_join_and_close() -> None:
    y, x = np.mgrid[:100, :100] + 0.5
    heart = 1.0 - np.hypot((x - 50) / 30, (y - 50 - np.abs(x - 50) * 0.6) / 30)
    outline = fitted(loop_of(heart))
    assert np.allclose(outline.pieces[-1][-1], outline.start)


def test_moving_scales_before_it_shifts() -> None:
    outline = Outline(np.array([1.0, 2.0]), (np.array([[3.0, 4.0]]),))
    moved = outline.moved(10.0, (5.0, 6.0))
    assert moved.start.tolist() == [15.0, 26.0]
    assert moved.pieces[0].tolist() == [[35.0, 46.0]]


def test_a_loop_too_short_to_have_a_shape_is_nothing() -> None:
    assert fit_outline(np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]), TOLERANCE) is None
