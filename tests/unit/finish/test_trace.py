"""Layers to stacked shapes: no seams, no fringe, no dust, noise bounded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.finish.palette import Layers
from sfumato.finish.trace import FRAME, Shape, bounding_box, trace


def layers_of(*masks: NDArray[np.bool_]) -> Layers:
    cover = np.stack(masks).astype(np.float32)
    shares = cover.sum(axis=(1, 2)) / cover.sum()
    colours = np.array([[(60 * i + 40) % 256] * 3 for i in range(len(masks))], np.uint8)
    return Layers(colours, shares.astype(np.float64), cover)


def halves(side: int = 128) -> Layers:
    left = np.zeros((side, side), np.bool_)
    left[side // 4 : 3 * side // 4, side // 8 : side // 2] = True
    right = np.zeros((side, side), np.bool_)
    right[side // 4 : 3 * side // 4, side // 2 : 13 * side // 16] = True
    return layers_of(left, right)


def box_of(*shapes: Shape) -> tuple[float, float, float, float]:
    box = bounding_box(list(shapes))
    assert box is not None
    return box


def test_a_lower_shape_reaches_under_its_neighbour_and_not_outside() -> None:
    lower, upper = trace(halves())
    _, top, right, bottom = box_of(lower)
    left = box_of(upper)[0]
    assert 2.0 < right - left < 8.0  # under the neighbour by the underlap
    assert top == pytest.approx(FRAME / 4, abs=0.8)  # as far as a curve may stay away
    assert bottom == pytest.approx(3 * FRAME / 4, abs=0.8)


@pytest.mark.parametrize("side", [64, 128, 256, 512, 600])
def test_the_frame_does_not_depend_on_the_pixels(side: int) -> None:
    mask = np.zeros((side, side), np.bool_)
    mask[side // 4 : side // 2, side // 4 : 3 * side // 4] = True
    box = bounding_box(trace(layers_of(mask)))
    assert box == pytest.approx((64.0, 64.0, 192.0, 128.0), abs=0.8)


def test_dust_is_dropped_and_an_eye_is_not() -> None:
    body = np.zeros((256, 256), np.bool_)
    body[50:200, 50:200] = True
    marks = np.zeros_like(body)
    marks[100:102, 80:82] = True
    marks[100:106, 120:126] = True
    shapes = trace(layers_of(body & ~marks, marks))
    assert [len(shape.outlines) for shape in shapes] == [1, 1]
    left, _, right, _ = box_of(shapes[1])
    assert 119 < left < right < 127


def test_where_two_colours_share_a_pixel_no_slit_opens() -> None:
    layers = halves(128)
    cover = layers.cover.copy()
    cover[:, :, 61:67] *= 0.0
    cover[:, 32:96, 61:67] = 0.3  # 0.6 is drawn, though neither colour has more than "clear"
    lower, upper = trace(Layers(layers.colours, layers.shares, cover))
    assert box_of(lower)[2] > box_of(upper)[0]


def test_noise_becomes_few_shapes() -> None:
    owner = np.random.default_rng(0).integers(0, 9, (256, 256))
    shapes = trace(layers_of(*(owner == k for k in range(9))))
    assert 0 < sum(len(shape.outlines) for shape in shapes) < 400


def test_nothing_has_no_box() -> None:
    empty = Layers(np.zeros((0, 3), np.uint8), np.zeros(0), np.zeros((0, 8, 8), np.float32))
    assert trace(empty) == []
    assert bounding_box([]) is None
